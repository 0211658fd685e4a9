import { watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { parseLogLine } from './parse-line.ts';

export interface ReadLogOptions {
  /** Of the file being written; rotated ones are `path.TIME`. */
  path: string;
  /** Goes on with what is written next, into files that take this one's place too. */
  follow: boolean;
  /** Epoch ms; entries before it are left out. */
  since?: number;
  timestamps: boolean;
  tailLines?: number;
  limitBytes?: number;
  stream: 'all' | 'stdout' | 'stderr';
  /** Following ends when it is false and everything is read. */
  isRunning(): boolean;
  signal: AbortSignal;
}

const CHUNK_BYTES = 64 * 1024;
/** Following looks at least this often, should a notice of the file system get lost. */
const LOOK_INTERVAL_MS = 1000;
const NEWLINE = 0x0a;

/** The log's text, piece by piece, as the kubelet serves it. What was cut off by a crash is passed over. */
export async function* readLog(options: ReadLogOptions): AsyncGenerator<Buffer> {
  const { path, signal } = options;
  let budget = options.limitBytes ?? Number.POSITIVE_INFINITY;
  let file = await openIfThere(path);
  if (file === undefined && !options.follow) return;
  const notices = options.follow ? watchDirectory(path) : undefined;
  const formatter = new Formatter(options);
  let next: FileHandle | undefined;
  try {
    let position = file === undefined ? 0 : await tailStart(file, options.tailLines);
    let rest: Buffer = Buffer.alloc(0);
    while (budget > 0 && !signal.aborted) {
      // Asked before reading: what was written up to the end is then surely read.
      const running = options.follow && options.isRunning();
      notices?.arm();
      let data: Buffer | undefined;
      if (file !== undefined) {
        const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
        const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, position);
        if (bytesRead > 0) data = buffer.subarray(0, bytesRead);
      }
      if (data !== undefined) {
        position += data.length;
        const whole = rest.length === 0 ? data : Buffer.concat([rest, data]);
        const end = whole.lastIndexOf(NEWLINE);
        rest = whole.subarray(end + 1);
        let text = formatter.format(whole.subarray(0, end + 1));
        if (text.length === 0) continue;
        if (text.length > budget) text = text.subarray(0, budget);
        budget -= text.length;
        yield text;
        continue;
      }
      if (!options.follow) return;
      if (next !== undefined) {
        await file?.close();
        file = next;
        next = undefined;
        position = 0;
        rest = Buffer.alloc(0);
        continue;
      }
      // The end of the old file may have been written after it was last read: one more look before leaving it.
      next = await nextFile(path, file);
      if (next !== undefined) continue;
      if (!running) return;
      await notices!.wait(LOOK_INTERVAL_MS, signal);
    }
  } finally {
    notices?.close();
    await file?.close();
    await next?.close();
  }
}

class Formatter {
  readonly #options: ReadLogOptions;
  #continues = false;

  constructor(options: ReadLogOptions) {
    this.#options = options;
  }

  format(lines: Buffer): Buffer {
    const { since, timestamps, stream } = this.#options;
    const parts: Buffer[] = [];
    for (let start = 0; start < lines.length; ) {
      let end = lines.indexOf(NEWLINE, start);
      if (end < 0) end = lines.length;
      const entry = parseLogLine(lines.subarray(start, end));
      start = end + 1;
      if (entry === undefined) continue;
      if (stream !== 'all' && entry.stream !== stream) continue;
      if (since !== undefined && Date.parse(entry.timestamp) < since) continue;
      if (timestamps && !this.#continues) parts.push(Buffer.from(`${entry.timestamp} `));
      parts.push(entry.content);
      if (!entry.partial) parts.push(newline);
      this.#continues = entry.partial;
    }
    return Buffer.concat(parts);
  }
}

const newline = Buffer.from('\n');

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The file that took the place of `current`, if one did. */
async function nextFile(path: string, current: FileHandle | undefined): Promise<FileHandle | undefined> {
  if (current === undefined) return await openIfThere(path);
  try {
    const [now, before] = await Promise.all([stat(path), current.stat()]);
    return now.ino === before.ino && now.dev === before.dev ? undefined : await openIfThere(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Where the last `lines` lines begin. */
async function tailStart(file: FileHandle, lines: number | undefined): Promise<number> {
  if (lines === undefined) return 0;
  const { size } = await file.stat();
  if (lines <= 0) return size;
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let seen = 0;
  for (let end = size; end > 0; ) {
    const start = Math.max(end - CHUNK_BYTES, 0);
    const { bytesRead } = await file.read(buffer, 0, end - start, start);
    for (let index = bytesRead - 1; index >= 0; index--) {
      // The newline at the very end closes the last line, it does not begin another.
      if (buffer[index] !== NEWLINE || start + index === size - 1) continue;
      if (++seen === lines) return start + index + 1;
    }
    end = start;
  }
  return 0;
}

/** Wakes the follower when anything happens to the file. The directory is watched, since rotation replaces the file. */
function watchDirectory(path: string) {
  const name = basename(path);
  let noticed = false;
  let wake = () => {};
  let watcher: ReturnType<typeof watch> | undefined;
  try {
    watcher = watch(dirname(path), (_event, changed) => {
      if (changed !== null && changed !== name) return;
      noticed = true;
      wake();
    });
    watcher.on('error', () => {});
  } catch {
    // Not there yet, or no more watches to be had: the interval does.
  }
  return {
    arm() {
      noticed = false;
    },
    wait(timeoutMs: number, signal: AbortSignal): Promise<void> {
      if (noticed || signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          wake = () => {};
          resolve();
        };
        const timer = setTimeout(done, timeoutMs);
        signal.addEventListener('abort', done, { once: true });
        wake = done;
      });
    },
    close() {
      watcher?.close();
    },
  };
}
