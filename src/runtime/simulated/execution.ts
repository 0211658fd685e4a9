import { PassThrough, Writable } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import type { ExecOptions, ExecSession } from '../sandbox-runtime.ts';
import { ExecTimeoutError } from '../sandbox-runtime.ts';
import { isShell, type Program, type ProgramContext, planProgram } from './program.ts';

export interface Executable {
  context: ProgramContext;
  /** Set: every command ends with it at once. */
  exitCode?: number;
}

/** Commands the simulation does not know succeed silently, as a healthy container's probe would. */
function planExec(target: Executable, command: string[]): Required<Program> {
  const program = planProgram(command, target.context);
  const last = program.outputs.at(-1)?.atMs ?? 0;
  if (target.exitCode !== undefined)
    return { outputs: program.outputs, end: { atMs: last, exitCode: target.exitCode } };
  return { outputs: program.outputs, end: program.end ?? { atMs: last, exitCode: 0 } };
}

export async function execToEnd(target: Executable, command: string[], timeoutSeconds: number, clock: Clock) {
  const { outputs, end } = planExec(target, command);
  const timedOut = timeoutSeconds > 0 && end.atMs > timeoutSeconds * 1000;
  const waitMs = timedOut ? timeoutSeconds * 1000 : end.atMs;
  if (waitMs > 0) await new Promise<void>((resolve) => clock.schedule(waitMs, resolve));
  if (timedOut) throw new ExecTimeoutError(timeoutSeconds);
  const textOf = (stream: string) =>
    Buffer.from(
      outputs
        .filter((output) => output.stream === stream)
        .map((output) => output.text)
        .join(''),
    ).subarray(0, 16_384);
  return { exitCode: end.exitCode, stdout: textOf('stdout'), stderr: textOf('stderr') };
}

export function execSession(target: Executable, options: ExecOptions, clock: Clock): ExecSession {
  const session = newSession(options);
  const command = options.command;
  if (options.stdin && command.length === 1 && command[0] === 'cat') {
    session.onInput((chunk) => session.write('stdout', chunk));
    session.onInputEnd(() => session.finish(0));
    return session;
  }
  if (options.stdin && isShell(command)) {
    runLines(session, target);
    return session;
  }
  const { outputs, end } = planExec(target, command);
  for (const output of outputs)
    session.cancel(clock.schedule(output.atMs, () => session.write(output.stream, output.text)));
  session.cancel(clock.schedule(end.atMs, () => session.finish(end.exitCode)));
  return session;
}

/** A shell that takes one simulated command a line. */
function runLines(session: Session, target: Executable): void {
  let pending = '';
  let exitCode = 0;
  session.onInput((chunk) => {
    pending += chunk;
    for (;;) {
      const end = pending.search(/[\r\n]/);
      if (end < 0) return;
      const line = pending.slice(0, end).trim();
      pending = pending.slice(end + 1);
      const program = planExec(target, ['sh', '-c', line]);
      for (const output of program.outputs) session.write(output.stream, output.text);
      exitCode = program.end!.exitCode;
      if (/^exit\b/.test(line)) return session.finish(exitCode);
    }
  });
  session.onInputEnd(() => session.finish(exitCode));
}

export function attachSession(
  options: Omit<ExecOptions, 'command'>,
  container: {
    onOutput(listener: (stream: 'stdout' | 'stderr', text: string) => void): () => void;
    onExit(listener: (exitCode: number) => void): void;
  },
): ExecSession {
  const session = newSession(options);
  session.cancel(container.onOutput((stream, text) => session.write(stream, text)));
  container.onExit((exitCode) => session.finish(exitCode));
  session.onInput(() => {});
  return session;
}

interface Session extends ExecSession {
  write(stream: 'stdout' | 'stderr', text: string | Buffer): void;
  finish(exitCode: number): void;
  /** Adds what closing the session must undo. */
  cancel(undo: () => void): void;
  onInput(listener: (chunk: Buffer) => void): void;
  onInputEnd(listener: () => void): void;
}

function newSession(options: Omit<ExecOptions, 'command'>): Session {
  const stdout = options.stdout ? new PassThrough() : undefined;
  const stderr = options.stderr && !options.tty ? new PassThrough() : undefined;
  const undos: (() => void)[] = [];
  let inputListener = (_chunk: Buffer) => {};
  let inputEndListener = () => {};
  let ended = false;
  const { promise: done, resolve } = Promise.withResolvers<{ exitCode: number }>();
  const finish = (exitCode: number) => {
    if (ended) return;
    ended = true;
    for (const undo of undos) undo();
    stdout?.end();
    stderr?.end();
    resolve({ exitCode });
  };
  return {
    stdin: options.stdin
      ? new Writable({
          write(chunk, _encoding, callback) {
            inputListener(chunk);
            callback();
          },
          final(callback) {
            inputEndListener();
            callback();
          },
        })
      : undefined,
    stdout,
    stderr,
    done,
    resize() {},
    close: () => finish(137),
    write(stream, text) {
      if (ended) return;
      if (stream === 'stderr' && !options.tty) stderr?.write(text);
      else stdout?.write(text);
    },
    finish,
    cancel: (undo) => undos.push(undo),
    onInput: (listener) => (inputListener = listener),
    onInputEnd: (listener) => (inputEndListener = listener),
  };
}
