import { spawn } from 'node:child_process';
import { PassThrough } from 'node:stream';
import type { RemoteSession } from '../../../api/pod-connector.ts';
import type { Status } from '../../../api/status.ts';

export interface LocalSession extends RemoteSession {
  pid: number;
  sizes: [width: number, height: number][];
  closed: boolean;
}

/** A process of this machine in the place of a container's. With `tty` it gets one from script(1). */
export function startLocalSession(command: string[], options: { stdin: boolean; tty: boolean }): LocalSession {
  const [file, ...args] = options.tty ? ['script', '-qefc', command.map(quote).join(' '), '/dev/null'] : command;
  const child = spawn(file!, args, { stdio: [options.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
  // A child's own streams are thrown away when it exits before anyone reads them.
  const stdout = child.stdout!.pipe(new PassThrough());
  const stderr = child.stderr!.pipe(new PassThrough());
  const done = new Promise<Status>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(statusOf(code ?? 128 + (signal === 'SIGKILL' ? 9 : 15))));
  });
  const session: LocalSession = {
    ...(options.stdin && { stdin: child.stdin! }),
    stdout,
    stderr,
    done,
    pid: child.pid!,
    sizes: [],
    closed: false,
    resize: (width, height) => void session.sizes.push([width, height]),
    close() {
      session.closed = true;
      if (child.exitCode === null) child.kill('SIGKILL');
    },
  };
  return session;
}

const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

function statusOf(exitCode: number): Status {
  if (exitCode === 0) return { metadata: {}, status: 'Success' } as Status;
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  } as Status;
}
