import { type FileHandle, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { AuditBackend } from './webhook-backend.ts';

export interface LogBackendOptions {
  /** `-` is standard output. */
  path: string;
  /** A file that would grow over this is put aside first. */
  maxSizeBytes: number;
  /** So many files put aside are kept; 0: all. */
  maxBackups: number;
  /** Files put aside are removed after so long; 0 or absent: never. */
  maxAgeMs?: number;
  clock: Clock;
  logger: Logger;
}

/** What waits to be written is no more than this: a disk that does not keep up loses events, not the server. */
const bufferLimitBytes = 32 * 1024 * 1024;
/** One tenant's events may take so much of it: whoever floods the log loses events of its own, and nobody else's. */
const ownerLimitBytes = bufferLimitBytes / 4;

/** Events as JSON, one a line. Written in the background, whatever has come up at once. */
export class AuditLog implements AuditBackend {
  readonly name = 'log';
  readonly #options: LogBackendOptions;
  #lines: { text: string; owner: string }[] = [];
  #bufferedBytes = 0;
  readonly #bufferedByOwner = new Map<string, number>();
  #file: FileHandle | undefined;
  #size = 0;
  #writing: Promise<void> | undefined;
  /** Events lost, and the last failure, told once each time it changes. */
  dropped = 0;
  #trouble = '';

  constructor(options: LogBackendOptions) {
    this.#options = options;
  }

  /** `owner`: the tenant whose request it is; '' for nobody's. */
  write(event: object, owner = ''): void {
    const text = `${JSON.stringify(event)}\n`;
    const owned = (this.#bufferedByOwner.get(owner) ?? 0) + text.length;
    if (this.#bufferedBytes + text.length > bufferLimitBytes || owned > ownerLimitBytes) {
      this.dropped++;
      return;
    }
    this.#lines.push({ text, owner });
    this.#bufferedBytes += text.length;
    this.#bufferedByOwner.set(owner, owned);
    this.#writing ??= this.#drain();
  }

  /** All events so far are in the file. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#file?.close();
    this.#file = undefined;
  }

  async #drain(): Promise<void> {
    // What comes in the same moment goes out together.
    await new Promise(setImmediate);
    while (this.#lines.length > 0) {
      const bytes = Buffer.from(this.#takeLines());
      try {
        await this.#append(bytes);
        this.#trouble = '';
      } catch (error) {
        this.dropped++;
        const { message } = error as Error;
        if (message !== this.#trouble)
          this.#options.logger.error({ error: message }, 'the audit log cannot be written');
        this.#trouble = message;
        await this.#file?.close().catch(() => {});
        this.#file = undefined;
      }
    }
    this.#writing = undefined;
  }

  /** As many whole lines as fit into what is left of the file, at least one. */
  #takeLines(): string {
    const room = Math.max(1, this.#options.maxSizeBytes - this.#size);
    let text = '';
    let count = 0;
    for (const line of this.#lines) {
      if (count > 0 && text.length + line.text.length > room) break;
      text += line.text;
      count++;
      const left = this.#bufferedByOwner.get(line.owner)! - line.text.length;
      if (left > 0) this.#bufferedByOwner.set(line.owner, left);
      else this.#bufferedByOwner.delete(line.owner);
    }
    this.#lines.splice(0, count);
    this.#bufferedBytes -= text.length;
    return text;
  }

  async #append(bytes: Buffer): Promise<void> {
    const { path, maxSizeBytes } = this.#options;
    if (path === '-') {
      if (!process.stdout.write(bytes)) await new Promise((resolve) => process.stdout.once('drain', resolve));
      return;
    }
    if (this.#file === undefined) {
      this.#file = await open(path, 'a', 0o600);
      this.#size = (await stat(path)).size;
    }
    if (this.#size > 0 && this.#size + bytes.length > maxSizeBytes) await this.#rotate();
    await this.#file!.write(bytes);
    this.#size += bytes.length;
  }

  async #rotate(): Promise<void> {
    const { path, maxBackups, maxAgeMs = 0, clock } = this.#options;
    await this.#file!.close();
    this.#file = undefined;
    const extension = extname(path);
    const stem = basename(path, extension);
    const directory = dirname(path);
    const stamp = new Date(clock.now()).toISOString().replace(/Z$/, '').replace(/:/g, '-');
    let aside = join(directory, `${stem}-${stamp}${extension}`);
    for (let number = 1; await exists(aside); number++)
      aside = join(directory, `${stem}-${stamp}.${number}${extension}`);
    await rename(path, aside);
    this.#file = await open(path, 'a', 0o600);
    this.#size = 0;
    if (maxBackups <= 0 && maxAgeMs <= 0) return;
    const backup = new RegExp(`^${escaped(stem)}-\\d{4}-\\d\\d-\\d\\dT[\\d.-]+${escaped(extension)}$`);
    const backups = (await readdir(directory)).filter((name) => backup.test(name)).sort();
    const isOver = (name: string, index: number) =>
      (maxBackups > 0 && index < backups.length - maxBackups) ||
      (maxAgeMs > 0 && putAsideMs(name.slice(stem.length + 1)) < clock.now() - maxAgeMs);
    for (const name of backups.filter(isOver)) await unlink(join(directory, name)).catch(() => {});
  }
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );
/** `2026-11-21T14-02-03.004.log` */
const putAsideMs = (stamp: string) =>
  Date.parse(`${stamp.slice(0, 10)}T${stamp.slice(11, 19).replaceAll('-', ':')}${stamp.slice(19, 23)}Z`);
const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
