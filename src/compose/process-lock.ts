import { closeSync, openSync, readFileSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { CommandError } from './command-error.ts';

/**
 * A pid file that one living process holds. A file left by `kill -9` is taken over: its pid is gone, or belongs to
 * another program by now (the process start time tells).
 */
export interface ProcessLock {
  release(): void;
}

/** Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat); undefined when it is gone. */
function processStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie holds nothing any more.
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** The living holder's pid, if any. */
export function lockHolder(path: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  const [pid, startTime] = text.trim().split(' ');
  const holder = Number(pid);
  return holder > 0 && startTime !== undefined && processStartTime(holder) === startTime ? holder : undefined;
}

/** @throws CommandError naming the holder when another living process has it. */
export function acquireProcessLock(path: string, describe: (pid: number) => string): ProcessLock {
  for (;;) {
    try {
      const file = openSync(path, 'wx', 0o600);
      writeSync(file, `${process.pid} ${processStartTime(process.pid)}\n`);
      closeSync(file);
      return { release: () => rmSync(path, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = lockHolder(path);
    if (holder !== undefined) throw new CommandError(describe(holder));
    try {
      unlinkSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
