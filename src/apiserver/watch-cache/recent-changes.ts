import type { Change } from './change.ts';

const firstCapacity = 128;
/** Frames of so many changes are kept for watchers that are still being served. */
const framesKept = 64;
/** Replaced states live on in here alone: great objects that change a lot are forgotten sooner, but not too soon. */
const maximumReplacedBytes = 24 * 1024 * 1024;
const changesKeptAnyway = 1024;

/** A bounded ring of the last changes: what a watch that starts in the past is served from. Grows as it is used. */
export class RecentChanges {
  readonly #maximum: number;
  #ring: (Change | undefined)[] = new Array(firstCapacity);
  /** Sequence of the oldest and of the next change. */
  #first = 0;
  #next = 0;
  /** All changes after this revision are here. */
  #completeAfter: number;
  #replacedBytes = 0;

  constructor(maximum: number, revision: number) {
    this.#maximum = Math.max(maximum, 1);
    this.#completeAfter = revision;
  }

  get nextSequence(): number {
    return this.#next;
  }

  get length(): number {
    return this.#next - this.#first;
  }

  get completeAfter(): number {
    return this.#completeAfter;
  }

  /** `change.sequence` is `nextSequence`. */
  push(change: Change): void {
    if (this.#next - this.#first === this.#ring.length) {
      if (this.#ring.length < this.#maximum) this.#grow();
      else this.#forgetFirst();
    }
    this.#ring[this.#next++ % this.#ring.length] = change;
    this.#replacedBytes += change.previous?.size ?? 0;
    while (this.#replacedBytes > maximumReplacedBytes && this.length > changesKeptAnyway) this.#forgetFirst();
    const old = this.#next - framesKept - 1;
    if (old >= this.#first) this.#ring[old % this.#ring.length]!.releaseFrames();
  }

  /** Forgets all but the last `count` changes. */
  trim(count: number): void {
    while (this.#next - this.#first > count) this.#forgetFirst();
  }

  #forgetFirst(): void {
    const index = this.#first++ % this.#ring.length;
    const change = this.#ring[index]!;
    this.#completeAfter = change.revision;
    this.#replacedBytes -= change.previous?.size ?? 0;
    this.#ring[index] = undefined;
  }

  /** Of a revision that is not before `completeAfter`. */
  *after(revision: number): Generator<Change> {
    let low = this.#first;
    let high = this.#next;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#ring[middle % this.#ring.length]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    for (; low < this.#next; low++) yield this.#ring[low % this.#ring.length]!;
  }

  #grow(): void {
    const grown: (Change | undefined)[] = new Array(Math.min(this.#ring.length * 2, this.#maximum));
    for (let index = this.#first; index < this.#next; index++) {
      grown[index % grown.length] = this.#ring[index % this.#ring.length];
    }
    this.#ring = grown;
  }
}
