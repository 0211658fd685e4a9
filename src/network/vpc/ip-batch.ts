import { type ChildProcess, spawn } from 'node:child_process';
import { ProgramError, type Shell } from './shell.ts';

/** Some commands of a batch failed; the others were carried out. */
export class IpCommandError extends Error {
  readonly failures: { command: string; message: string }[];

  constructor(failures: { command: string; message: string }[]) {
    super(failures.map(({ command, message }) => `ip ${command}: ${message}`).join('; '));
    this.name = 'IpCommandError';
    this.failures = failures;
  }

  /** Whether every failure says what `pattern` matches. */
  every(pattern: RegExp): boolean {
    return this.failures.every(({ message }) => pattern.test(message));
  }
}

/**
 * Carries out commands in a namespace by a process of their own, all of them even when some fail. Commands with the
 * word `netns` belong here: ip never closes the namespace that it names, so a long-lived one would keep it alive.
 * @param namespace by name; undefined is the namespace of this process
 * @throws IpCommandError
 */
export async function runIpOnce(shell: Shell, namespace: string | undefined, commands: string[]): Promise<void> {
  const args = [...(namespace === undefined ? [] : ['-n', namespace]), '-force', '-batch', '-'];
  try {
    await shell.run('ip', args, `${commands.join('\n')}\n`);
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    const failures: { command: string; message: string }[] = [];
    let message: string[] = [];
    for (const line of error.errors.trimEnd().split('\n')) {
      const failed = /^Command failed -:(\d+)$/.exec(line);
      if (failed === null) {
        message.push(line);
        continue;
      }
      failures.push({ command: commands[Number(failed[1]) - 1] ?? '', message: message.join(' ').trim() });
      message = [];
    }
    // What is left was said by an ip that gave up altogether.
    if (message.length > 0) failures.push({ command: commands.join('; '), message: message.join(' ').trim() });
    throw new IpCommandError(failures);
  }
}

interface Handle {
  ref?(): void;
  unref?(): void;
}

interface Run {
  commands: string[];
  failures: { command: string; message: string }[];
  resolve(): void;
  reject(error: Error): void;
}

/**
 * One long-lived `ip -force -batch -` in one network namespace: process starts are what costs when pods come by the
 * hundred. ip says nothing about success, so each run ends with a command that does not exist: its complaint, which
 * carries its line number, comes when all before it is done.
 *
 * Some mistakes make ip leave altogether; then the run in progress fails and the next one gets a new process.
 */
export class IpBatch {
  readonly #args: string[];
  readonly #idleMs: number;
  readonly #queue: Run[] = [];
  #running: Run | undefined;
  #child: ChildProcess | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #lineCount = 0;
  #firstLine = 0;
  #unread = '';
  #message: string[] = [];
  #closed = false;

  /** @param namespace by name; undefined is the namespace of this process */
  constructor(namespace?: string, idleMs = 10_000) {
    this.#args = [...(namespace === undefined ? [] : ['-n', namespace]), '-force', '-batch', '-'];
    this.#idleMs = idleMs;
  }

  /**
   * Carries out the commands (without the word `ip`) in order, all of them even when some fail.
   * @throws IpCommandError
   */
  run(commands: string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new Error('the ip process was closed'));
      this.#queue.push({ commands, failures: [], resolve, reject });
      this.#advance();
    });
  }

  /** Lets queued runs end, then ends the process. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#idleTimer);
    if (this.#running === undefined && this.#queue.length === 0) this.#release();
  }

  #advance(): void {
    if (this.#running !== undefined) return;
    clearTimeout(this.#idleTimer);
    const run = this.#queue.shift();
    if (run === undefined) {
      this.#keepLoopAlive(false);
      if (this.#closed) this.#release();
      else {
        this.#idleTimer = setTimeout(() => this.#release(), this.#idleMs);
        this.#idleTimer.unref();
      }
      return;
    }
    this.#running = run;
    const child = this.#child ?? this.#start();
    this.#keepLoopAlive(true);
    this.#firstLine = this.#lineCount + 1;
    this.#lineCount += run.commands.length + 1;
    child.stdin?.write(`${run.commands.join('\n')}${run.commands.length > 0 ? '\n' : ''}end-of-run\n`);
  }

  #start(): ChildProcess {
    const child = spawn('ip', this.#args, { stdio: ['pipe', 'ignore', 'pipe'] });
    this.#child = child;
    this.#lineCount = 0;
    this.#unread = '';
    this.#message = [];
    child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#read(child, text));
    // The pipe breaks when ip leaves on its own; 'close' tells.
    child.stdin?.on('error', () => {});
    child.on('error', (error) => this.#ended(child, error.message));
    child.on('close', (code) => this.#ended(child, `ip ended with code ${code}`));
    return child;
  }

  /** Ends an idle process: it leaves at the end of its input, and nobody listens to it any more. */
  #release(): void {
    this.#child?.stdin?.end();
    this.#child = undefined;
  }

  /** A run keeps this process up, an idle helper doesn't. */
  #keepLoopAlive(alive: boolean): void {
    if (this.#child === undefined) return;
    for (const handle of [this.#child, this.#child.stdin, this.#child.stderr] as unknown as (Handle | null)[]) {
      if (alive) handle?.ref?.();
      else handle?.unref?.();
    }
  }

  #read(child: ChildProcess, text: string): void {
    if (child !== this.#child) return;
    const lines = (this.#unread + text).split('\n');
    this.#unread = lines.pop() ?? '';
    for (const line of lines) {
      const failed = /^Command failed -:(\d+)$/.exec(line);
      if (failed === null) {
        this.#message.push(line);
        continue;
      }
      const message = this.#message.join(' ').trim();
      this.#message = [];
      this.#failed(Number(failed[1]) - this.#firstLine, message);
    }
  }

  #failed(index: number, message: string): void {
    const run = this.#running;
    if (run === undefined) return;
    const command = run.commands[index];
    if (command !== undefined) {
      run.failures.push({ command, message });
      return;
    }
    this.#running = undefined;
    if (run.failures.length === 0) run.resolve();
    else run.reject(new IpCommandError(run.failures));
    this.#advance();
  }

  #ended(child: ChildProcess, reason: string): void {
    if (child !== this.#child) return;
    this.#child = undefined;
    const run = this.#running;
    if (run !== undefined) {
      this.#running = undefined;
      const message = [...this.#message, this.#unread, reason].filter((part) => part !== '').join(' ');
      run.reject(new IpCommandError([...run.failures, { command: run.commands.join('; '), message }]));
    }
    this.#advance();
  }
}
