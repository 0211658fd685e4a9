import assert from 'node:assert/strict';
import { prefixEnd, type Store, type StoreEvent, type WriteOperation } from '../store.ts';

/** One test of the suite, with an empty store. */
export type AddTest = (title: string, body: (store: Store) => Promise<void>) => void;

export interface ContractOptions {
  /** It keeps files, and can say how large they are. */
  hasFiles?: boolean;
  /** Commits under way at once are numbered as they were called. Not where a network lies between. True when absent. */
  numbersInCallOrder?: boolean;
}

/** What a watch has brought so far. */
export interface Collector {
  afterRevision: number;
  events: StoreEvent[];
  calls: { events: StoreEvent[]; revision: number }[];
  /** Resolves when the watch has told of the revision; rejects when it fails. */
  reached(revision: number): Promise<void>;
  /** Why the watch ended. */
  failed: Promise<Error>;
  close(): void;
}

export function collect(store: Store, prefix: string, afterRevision: number): Collector {
  const events: StoreEvent[] = [];
  const calls: Collector['calls'] = [];
  const waiting: { revision: number; resolve: () => void }[] = [];
  let progress = 0;
  let fail!: (error: Error) => void;
  const failed = new Promise<Error>((resolve) => (fail = resolve));
  const watch = store.watch({
    start: prefix,
    end: prefixEnd(prefix),
    afterRevision,
    onEvents(some, revision) {
      assert.ok(revision > progress, 'revisions ascend');
      progress = revision;
      events.push(...some);
      calls.push({ events: some, revision });
      for (const wait of waiting) if (wait.revision <= progress) wait.resolve();
    },
    onError: fail,
  });
  return {
    afterRevision,
    events,
    calls,
    failed,
    reached: (revision) =>
      Promise.race([
        new Promise<void>((resolve) => (progress >= revision ? resolve() : waiting.push({ revision, resolve }))),
        failed.then((error) => Promise.reject(error)),
      ]),
    close: () => watch.close(),
  };
}

export const range = (length: number) => Array.from({ length }, (_, index) => index);
export const text = (value: Uint8Array | undefined) =>
  value === undefined ? undefined : Buffer.from(value).toString();
export const putOperation = (key: string, value: string): WriteOperation => ({
  type: 'put',
  key,
  value: Buffer.from(value),
});

export async function put(store: Store, key: string, value: string): Promise<number> {
  return (await store.commit({ compare: [], operations: [putOperation(key, value)] })).revision;
}

export async function remove(store: Store, key: string): Promise<number> {
  return (await store.commit({ compare: [], operations: [{ type: 'delete', key }] })).revision;
}

export const describeItems = (items: { key: string; value: Uint8Array; modRevision: number }[]) =>
  items.map((item) => `${item.key}=${text(item.value)}@${item.modRevision}`).join(' ');

export const describeEvent = (event: StoreEvent) =>
  event.type === 'put'
    ? `put ${event.key}=${text(event.value)} created ${event.createRevision} at ${event.revision}`
    : `delete ${event.key} at ${event.revision}`;
