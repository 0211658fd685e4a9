import type { StoreEvent } from '../store.ts';
import type { Revision } from '../watch-hub.ts';
import type { EtcdEvent } from './messages.ts';

/**
 * Where everything of one Skypod lies in etcd: the port's keys, which begin with `/<group>/`, behind `prefix`, and the
 * engine's own behind `prefix/!`, which the port never shows.
 */
export class Keyspace {
  readonly #prefix: string;

  /** `prefix`: `/skypod`, without a slash at its end. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  encode(key: string): Buffer {
    return Buffer.from(this.#prefix + key);
  }

  decode(key: Buffer): string {
    return key.toString('utf8', this.#prefix.length);
  }

  get everything(): { key: Buffer; rangeEnd: Buffer } {
    return { key: Buffer.from(`${this.#prefix}/`), rangeEnd: Buffer.from(`${this.#prefix}0`) };
  }

  /** The start of a range: the engine's own keys come before all of the port's. */
  encodeStart(start: string): Buffer {
    return this.encode(start < afterOwn ? afterOwn : start);
  }

  own(name: string): Buffer {
    return Buffer.from(`${this.#prefix}/!${name}`);
  }

  isOwn(key: Buffer): boolean {
    return key[this.#prefix.length + 1] === bang;
  }

  /** etcd's events, in revision order, taken together by revision. Own keys leave a revision without events. */
  revisionsOf(events: EtcdEvent[]): Revision[] {
    const revisions: Revision[] = [];
    for (const { type, kv } of events) {
      let last = revisions.at(-1);
      if (last?.revision !== kv.modRevision) revisions.push((last = { revision: kv.modRevision, events: [] }));
      if (!this.isOwn(kv.key)) last.events.push(this.#eventOf(type, kv));
    }
    return revisions;
  }

  #eventOf(type: EtcdEvent['type'], kv: EtcdEvent['kv']): StoreEvent {
    const key = this.decode(kv.key);
    if (type === 'DELETE') return { type: 'delete', key, revision: kv.modRevision };
    return { type: 'put', key, value: kv.value, createRevision: kv.createRevision, revision: kv.modRevision };
  }
}

const bang = '!'.charCodeAt(0);
const afterOwn = '/"';
