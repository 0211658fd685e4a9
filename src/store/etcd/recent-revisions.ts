import type { Revision } from '../watch-hub.ts';

/** The newest revisions with all their events, as far back as `capacityBytes` of values (and as many revisions) reach. */
export class RecentRevisions {
  readonly #capacityBytes: number;
  readonly #capacity: number;
  #revisions: Revision[] = [];
  /** Of #revisions: those before were let go, and are cut off now and then. */
  #first = 0;
  #bytes = 0;
  #completeAfter: number;

  constructor(completeAfter: number, capacityBytes = 16 * 2 ** 20, capacity = 16_384) {
    this.#completeAfter = completeAfter;
    this.#capacityBytes = capacityBytes;
    this.#capacity = capacity;
  }

  /** Everything after this revision is here. */
  get completeAfter(): number {
    return this.#completeAfter;
  }

  push(revision: Revision): void {
    this.#revisions.push(revision);
    this.#bytes += sizeOf(revision);
    while (this.#bytes > this.#capacityBytes || this.#revisions.length - this.#first > this.#capacity) {
      const oldest = this.#revisions[this.#first++]!;
      this.#bytes -= sizeOf(oldest);
      this.#completeAfter = oldest.revision;
    }
    if (this.#first > 1024 && this.#first * 2 > this.#revisions.length) {
      this.#revisions = this.#revisions.slice(this.#first);
      this.#first = 0;
    }
  }

  /** Revisions in (after, upTo], at most `limit`; `after` is not before `completeAfter`. */
  read(after: number, upTo: number, limit: number): Revision[] {
    let low = this.#first;
    let high = this.#revisions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#revisions[middle]!.revision <= after) low = middle + 1;
      else high = middle;
    }
    const found: Revision[] = [];
    for (let index = low; index < this.#revisions.length && found.length < limit; index++) {
      if (this.#revisions[index]!.revision > upTo) break;
      found.push(this.#revisions[index]!);
    }
    return found;
  }
}

const overheadBytes = 200;

function sizeOf({ events }: Revision): number {
  let bytes = overheadBytes;
  for (const event of events) bytes += event.key.length + (event.type === 'put' ? event.value.length : 0);
  return bytes;
}
