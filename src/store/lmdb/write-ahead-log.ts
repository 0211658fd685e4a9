import { randomBytes } from 'node:crypto';
import { close, constants, fstat, fsync, open, readFileSync, write } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { WriteOperation } from '../store.ts';
import {
  encodeLogRecord,
  type LogRecord,
  logPageBytes,
  logRecordBytes,
  readSegment,
  type Segment,
} from './log-record.ts';

export interface WriteAheadLogOptions {
  /** The first segment is so large; each that is begun after a full one twice as large as that, up to `maximumBytes`. */
  initialBytes?: number;
  maximumBytes?: number;
  /** Writes all bytes at a position, synced. For tests, which let it fail. */
  writeAt?(descriptor: number, bytes: Buffer, position: number): Promise<void>;
}

interface SegmentFile {
  readonly path: string;
  /** Writes through it are on disk when they return. */
  descriptor: number | undefined;
  /** Written once, so that what is written later neither moves the file's end nor its blocks. */
  sizeBytes: number;
  /** For good. */
  isInDirectory: boolean;
  generation: number;
  salt: Buffer;
  /** Where the next record goes. */
  end: number;
  /** The last revision in it. */
  lastRevision: number;
}

const names = ['log-0', 'log-1'];
const scratchBytes = 2 ** 20;
const openFile = promisify(open);
const syncFile = promisify(fsync);
const closeFile = promisify(close);
const statFile = promisify(fstat);

/**
 * Two files that are written in turn, each from its start when all that it holds is in the tables for good. A record is
 * acknowledged after one synced write into blocks that are there already, where a commit of lmdb takes two syncs.
 */
export class WriteAheadLog {
  readonly #directory: string;
  readonly #initialBytes: number;
  readonly #maximumBytes: number;
  readonly #writeAt: NonNullable<WriteAheadLogOptions['writeAt']>;
  readonly #segments: SegmentFile[];
  #active: SegmentFile | undefined;
  #generation: number;
  #broken = false;
  #scratch: Buffer | undefined;

  /**
   * What earlier processes logged, in order, is returned too. Throws LogDamagedError.
   * @param applied up to here everything is in the tables for good
   */
  static open(
    directory: string,
    applied: number,
    options: WriteAheadLogOptions = {},
  ): { log: WriteAheadLog; records: LogRecord[] } {
    const found = names.map((name) => readSegment(readIfThere(join(directory, name)), applied));
    const log = new WriteAheadLog(directory, found, options);
    const inOrder = found.filter((segment) => segment !== undefined).sort((a, b) => a.generation - b.generation);
    return { log, records: inOrder.flatMap(({ records }) => records) };
  }

  private constructor(directory: string, found: (Segment | undefined)[], options: WriteAheadLogOptions) {
    this.#directory = directory;
    this.#initialBytes = options.initialBytes ?? 2 ** 20;
    this.#maximumBytes = options.maximumBytes ?? 16 * 2 ** 20;
    this.#writeAt = options.writeAt ?? writeAll;
    this.#generation = Math.max(0, ...found.map((segment) => segment?.generation ?? 0));
    this.#segments = names.map((name, index) => {
      const last = found[index]?.records.at(-1);
      return {
        path: join(directory, name),
        descriptor: undefined,
        sizeBytes: 0,
        isInDirectory: false,
        generation: 0,
        salt: Buffer.alloc(8),
        end: 0,
        lastRevision: last === undefined ? 0 : last.first + last.revisions.length - 1,
      };
    });
  }

  /**
   * Writes the operations of consecutive revisions as one, synced. False: the log does not take them, and nothing was
   * written. Rejects when it is not known what was written; the log takes nothing more then. One call at a time.
   * @param applied up to here everything is in the tables for good
   */
  async append(first: number, revisions: WriteOperation[][], applied: number): Promise<boolean> {
    if (this.#broken) return false;
    const bytes = logRecordBytes(revisions);
    if (bytes > this.#maximumBytes) return false;
    if (this.#active === undefined || this.#active.end + bytes > this.#active.sizeBytes) {
      if (!(await this.#begin(bytes, applied))) return false;
    }
    const segment = this.#active!;
    const record = this.#room(bytes);
    encodeLogRecord(record, segment, first, revisions);
    try {
      await this.#writeAt(segment.descriptor!, record, segment.end);
    } catch (error) {
      this.#broken = true;
      throw error;
    }
    segment.end += bytes;
    segment.lastRevision = first + revisions.length - 1;
    return true;
  }

  /** Makes sure that a record whose write failed is none. Rejects when that cannot be done. */
  async withdraw(): Promise<void> {
    const segment = this.#active!;
    await this.#writeAt(segment.descriptor!, Buffer.alloc(logPageBytes), segment.end);
  }

  async close(): Promise<void> {
    this.#broken = true;
    for (const { descriptor } of this.#segments) if (descriptor !== undefined) await closeFile(descriptor);
  }

  /** Turns to the other segment. False: there is no room, or the tables do not have yet what is in it. */
  async #begin(bytes: number, applied: number): Promise<boolean> {
    const before = this.#active;
    const next = this.#segments.find((segment) => segment !== before && segment.lastRevision <= applied);
    if (next === undefined) return false;
    const wanted = before === undefined ? this.#initialBytes : Math.min(before.sizeBytes * 2, this.#maximumBytes);
    if (!(await this.#grow(next, Math.max(wanted, bytes))) && !(next.isInDirectory && next.sizeBytes >= bytes))
      return false;
    next.generation = ++this.#generation;
    next.salt = randomBytes(8);
    next.end = 0;
    this.#active = next;
    return true;
  }

  /** Whether the file is so large now. A part of what is missing may be there afterwards in any case. */
  async #grow(segment: SegmentFile, bytes: number): Promise<boolean> {
    try {
      if (segment.descriptor === undefined) {
        const flags = constants.O_RDWR | constants.O_CREAT | constants.O_DSYNC;
        segment.descriptor = await openFile(segment.path, flags, 0o600);
        segment.sizeBytes = (await statFile(segment.descriptor)).size;
      }
      const missing = bytes - segment.sizeBytes;
      if (missing <= 0 && segment.isInDirectory) return true;
      if (missing > 0) await this.#writeAt(segment.descriptor, Buffer.alloc(missing), segment.sizeBytes);
      // Also when an earlier process made the file: it may have been stopped right before this.
      await syncFile(segment.descriptor);
      await syncDirectory(this.#directory);
      segment.isInDirectory = true;
      segment.sizeBytes = Math.max(segment.sizeBytes, bytes);
      return true;
    } catch {
      return false;
    }
  }

  #room(bytes: number): Buffer {
    if (bytes > scratchBytes) return Buffer.alloc(bytes);
    return (this.#scratch ??= Buffer.alloc(scratchBytes)).subarray(0, bytes);
  }
}

function writeAll(descriptor: number, bytes: Buffer, at: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const from = (start: number) =>
      write(descriptor, bytes, start, bytes.length - start, at + start, (error, written) => {
        if (error !== null) return reject(error);
        if (written === 0) return reject(new Error('nothing was written'));
        if (start + written === bytes.length) return resolve();
        from(start + written);
      });
    from(0);
  });
}

function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

/** A file that was made is in its directory for good only then. */
async function syncDirectory(path: string): Promise<void> {
  const descriptor = await openFile(path, constants.O_RDONLY);
  try {
    await syncFile(descriptor);
  } finally {
    await closeFile(descriptor);
  }
}
