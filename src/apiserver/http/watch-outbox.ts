/**
 * What one turn of the event loop has for a watcher goes out as one write: a commit of several objects costs each of a
 * thousand watchers one frame instead of several. Watchers that are told the same share the bytes.
 *
 * Writing to all of them takes its time too. While commits come faster than that, watchers are written to in less than
 * half of the time: the more of them, the more goes into each write. A few are told at once, as ever.
 */
export class WatchOutbox {
  readonly #write: (bytes: Buffer, frames: readonly Buffer[]) => void;
  #told: Telling | undefined;

  /** `write` gets what is to be sent, and of what frames it is made; both are shared. */
  constructor(write: (bytes: Buffer, frames: readonly Buffer[]) => void) {
    this.#write = write;
  }

  /** Goes out soon. */
  add(frame: Buffer): void {
    if (this.#told === undefined) {
      if (waiting.push(this) === 1) schedule();
      this.#told = beginning.and(frame);
    } else this.#told = this.#told.and(frame);
  }

  /** Goes out now. */
  flush(): void {
    const told = this.#told;
    if (told === undefined) return;
    this.#told = undefined;
    this.#write(told.bytes, told.frames);
  }
}

/**
 * Frames in the order they came: a path in a tree that all outboxes grow together, from one flush to the next. Who hears
 * the same walks the same path.
 */
class Telling {
  readonly #before: Telling | undefined;
  readonly #frame: Buffer | undefined;
  /** Mostly all go on alike. */
  #next: Telling | undefined;
  #others: Map<Buffer, Telling> | undefined;
  #frames: Buffer[] | undefined;
  #bytes: Buffer | undefined;

  constructor(before?: Telling, frame?: Buffer) {
    this.#before = before;
    this.#frame = frame;
  }

  and(frame: Buffer): Telling {
    if (this.#next === undefined) return (this.#next = new Telling(this, frame));
    if (this.#next.#frame === frame) return this.#next;
    this.#others ??= new Map();
    let other = this.#others.get(frame);
    if (other === undefined) this.#others.set(frame, (other = new Telling(this, frame)));
    return other;
  }

  get frames(): readonly Buffer[] {
    if (this.#frames !== undefined) return this.#frames;
    const frames: Buffer[] = [];
    for (let at: Telling = this; at.#before !== undefined; at = at.#before) frames.push(at.#frame!);
    return (this.#frames = frames.reverse());
  }

  get bytes(): Buffer {
    const { frames } = this;
    return (this.#bytes ??= frames.length === 1 ? frames[0]! : Buffer.concat(frames));
  }
}

let beginning = new Telling();
let waiting: WatchOutbox[] = [];
/** Not before then. */
let nextFlushMs = 0;

/**
 * Five sixths of what a flush costs come after it, when frames are made, encrypted and sent: some 4 µs a write and watcher,
 * and half a microsecond for each KiB in it.
 */
const pausePerFlush = 12;
const longestPauseMs = 25;
/** A write takes no more than this: where a few seem to, the processor was busy with something else. */
const longestWriteMs = 0.01;
/** Timers are no finer. */
const shortestPauseMs = 0.5;

function schedule(): void {
  const pauseMs = nextFlushMs - performance.now();
  if (pauseMs < shortestPauseMs) setImmediate(flushAll);
  else setTimeout(flushAll, Math.ceil(pauseMs));
}

function flushAll(): void {
  const due = waiting;
  waiting = [];
  beginning = new Telling();
  const startMs = performance.now();
  for (const outbox of due) {
    try {
      outbox.flush();
    } catch {
      // Its response is torn down; the others must not suffer.
    }
  }
  const endMs = performance.now();
  const flushMs = Math.min(endMs - startMs, due.length * longestWriteMs);
  nextFlushMs = endMs + Math.min(flushMs * pausePerFlush, longestPauseMs);
}
