import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/**
 * Keeps records by key over a restart of the process: an append-only file of JSON lines, rewritten when most of it is
 * out of date. It survives the death of the process, not of the machine (as running containers do), so it never syncs.
 */
export class Journal<Value> {
  readonly #path: string;
  #file: number;
  #lineCount = 0;
  readonly #live = new Map<string, Value>();
  /** Lines of this turn of the event loop: they go to the file together. */
  #pending: string[] = [];

  constructor(directory: string) {
    mkdirSync(directory, { recursive: true });
    this.#path = join(directory, 'journal.jsonl');
    if (existsSync(this.#path)) {
      for (const line of readFileSync(this.#path, 'utf8').split('\n')) {
        // A process killed in the middle of a write leaves a torn last line: that change was not acknowledged.
        const entry = parseLine<Value>(line);
        if (entry === undefined) continue;
        if (entry[1] === null) this.#live.delete(entry[0]);
        else this.#live.set(entry[0], entry[1]);
      }
    }
    this.#file = this.#rewrite();
  }

  entries(): IterableIterator<[string, Value]> {
    return this.#live.entries();
  }

  set(key: string, value: Value): void {
    this.#live.set(key, value);
    this.#append(key, value);
  }

  delete(key: string): void {
    if (this.#live.delete(key)) this.#append(key, null);
  }

  close(): void {
    this.#flush();
    closeSync(this.#file);
  }

  #append(key: string, value: Value | null): void {
    if (this.#pending.push(`${JSON.stringify([key, value])}\n`) === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const lines = this.#pending;
    if (lines.length === 0) return;
    this.#pending = [];
    writeSync(this.#file, lines.join(''));
    this.#lineCount += lines.length;
    if (this.#lineCount > 4 * this.#live.size + 10_000) {
      closeSync(this.#file);
      this.#file = this.#rewrite();
    }
  }

  #rewrite(): number {
    const next = `${this.#path}.next`;
    writeFileSync(next, [...this.#live].map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    renameSync(next, this.#path);
    this.#lineCount = this.#live.size;
    return openSync(this.#path, 'a');
  }
}

function parseLine<Value>(line: string): [string, Value | null] | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
