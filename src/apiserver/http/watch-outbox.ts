/**
 * What one turn of the event loop has for a watcher goes out as one write: a commit of several objects costs each of a
 * thousand watchers one frame instead of several. Watchers that are told the same share the bytes.
 */
export class WatchOutbox {
  readonly #write: (bytes: Buffer) => void;
  #frames: Buffer[] = [];

  constructor(write: (bytes: Buffer) => void) {
    this.#write = write;
  }

  /** Goes out when this turn's work is done. */
  add(frames: Buffer[]): void {
    if (frames.length === 0) return;
    if (this.#frames.length > 0) {
      this.#frames.push(...frames);
      return;
    }
    this.#frames = frames;
    waiting.push(this);
    if (waiting.length === 1) setImmediate(flushAll);
  }

  /** Goes out now. */
  flush(): void {
    if (this.#frames.length === 0) return;
    const frames = this.#frames;
    this.#frames = [];
    this.#write(joined(frames));
  }
}

let waiting: WatchOutbox[] = [];

function flushAll(): void {
  const due = waiting;
  waiting = [];
  for (const outbox of due) outbox.flush();
  lastFrames = [];
  lastJoined = nothing;
}

const nothing = Buffer.alloc(0);
let lastFrames: Buffer[] = [];
let lastJoined = nothing;

/** Neighbours in the list mostly wait for the same frames. */
function joined(frames: Buffer[]): Buffer {
  if (frames.length === 1) return frames[0]!;
  const same = frames.length === lastFrames.length && frames.every((frame, index) => frame === lastFrames[index]);
  if (same) return lastJoined;
  lastFrames = frames;
  lastJoined = Buffer.concat(frames);
  return lastJoined;
}
