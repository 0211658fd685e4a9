interface Entry {
  answer: Buffer;
  ttlOffsets: number[];
  storedMs: number;
  expiresMs: number;
}

const LONGEST_MS = 30_000;

/** Answers of upstream resolvers, for at most 30 s each; the oldest go when there are too many. */
export class AnswerCache {
  readonly #entries = new Map<string, Entry>();
  readonly #capacity: number;

  constructor(capacity = 10_000) {
    this.#capacity = capacity;
  }

  /** The answer with `query`'s number and TTLs that have run on. */
  get(key: string, query: Buffer, nowMs: number): Buffer | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.expiresMs <= nowMs) {
      this.#entries.delete(key);
      return undefined;
    }
    const answer = Buffer.from(entry.answer);
    query.copy(answer, 0, 0, 2);
    const elapsed = Math.floor((nowMs - entry.storedMs) / 1000);
    for (const offset of entry.ttlOffsets) {
      answer.writeUInt32BE(Math.max(0, answer.readUInt32BE(offset) - elapsed), offset);
    }
    return answer;
  }

  /** Keeps NOERROR and NXDOMAIN answers that came whole. */
  put(key: string, answer: Buffer, nowMs: number): void {
    const rcode = answer[3]! & 15;
    if ((answer[2]! & 2) !== 0 || (rcode !== 0 && rcode !== 3)) return;
    const ttlOffsets = findTtls(answer);
    if (ttlOffsets === undefined || ttlOffsets.length === 0) return;
    const shortest = Math.min(...ttlOffsets.map((offset) => answer.readUInt32BE(offset)));
    if (shortest === 0) return;
    if (this.#entries.size >= this.#capacity) this.#entries.delete(this.#entries.keys().next().value!);
    const expiresMs = nowMs + Math.min(shortest * 1000, LONGEST_MS);
    this.#entries.set(key, { answer: Buffer.from(answer), ttlOffsets, storedMs: nowMs, expiresMs });
  }
}

const OPT = 41;

/** Where the TTLs of a message are, OPT's aside (that is no time); undefined when it is not well-formed. */
export function findTtls(message: Buffer): number[] | undefined {
  try {
    let offset = 12;
    const skipName = () => {
      for (;;) {
        const length = message.readUInt8(offset);
        if (length >= 0xc0) {
          offset += 2;
          return;
        }
        offset += 1 + length;
        if (length === 0) return;
      }
    };
    for (let count = message.readUInt16BE(4); count > 0; count--) {
      skipName();
      offset += 4;
    }
    const offsets: number[] = [];
    const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
    for (let count = records; count > 0; count--) {
      skipName();
      if (message.readUInt16BE(offset) !== OPT) offsets.push(offset + 4);
      offset += 10 + message.readUInt16BE(offset + 8);
    }
    return offset <= message.length ? offsets : undefined;
  } catch {
    return undefined;
  }
}
