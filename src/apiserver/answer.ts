import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import type { KubeObject } from '../api/object.ts';
import type { ResourceDefinition } from '../api/resource-definition.ts';
import type { CacheEntry, CacheEvent } from './watch-cache/watch-cache.ts';

/**
 * What a verb gives back. It says what, not how: `http/` writes it as JSON, a Table or partial metadata, the
 * in-process transport hands the objects over as they are.
 */
export type Answer =
  | EntryAnswer
  | ListAnswer
  | WatchAnswer
  | ObjectAnswer
  | BytesAnswer
  | StreamAnswer
  | ProxiedAnswer
  | UpgradeAnswer;

/** One stored object. */
export interface EntryAnswer {
  type: 'entry';
  code: number;
  definition: ResourceDefinition;
  entry: CacheEntry;
}

export interface ListAnswer {
  type: 'list';
  definition: ResourceDefinition;
  entries: readonly CacheEntry[];
  /** What is not stored has no revision. */
  metadata: { resourceVersion?: string; continue?: string; remainingItemCount?: number };
}

export interface WatchAnswer {
  type: 'watch';
  definition: ResourceDefinition;
  /** Milliseconds after which the server ends it; undefined: as long as the client stays. */
  timeoutMs?: number;
  /** Begins delivery; the returned function ends it. `onEnd` when the server side has no more to give. */
  start(onEvents: (events: CacheEvent[]) => void, onEnd: () => void): () => void;
}

/** Something that is not stored as it stands: a Status, a Scale, a review, a discovery document. */
export interface ObjectAnswer {
  type: 'object';
  code: number;
  object: unknown;
  /** Of what is shown as a Table; absent for reviews, Status and the like. */
  definition?: ResourceDefinition;
}

export interface BytesAnswer {
  type: 'bytes';
  code: number;
  /** Absent where there is no content. */
  contentType?: string;
  bytes: Uint8Array | string;
  headers?: Record<string, string>;
}

export interface StreamAnswer {
  type: 'stream';
  code: number;
  contentType: string;
  headers?: Record<string, string>;
  chunks: AsyncIterable<Uint8Array>;
}

/** Another server's answer, passed on as it comes: headers with several values included, no type of content assumed. */
export interface ProxiedAnswer {
  type: 'proxied';
  code: number;
  headers: Record<string, string | string[]>;
  body: Readable;
}

/** The verb takes over the connection (exec, attach, portforward, proxied upgrades). */
export interface UpgradeAnswer {
  type: 'upgrade';
  handle(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> | void;
}

export const objectAnswer = (object: KubeObject | unknown, code = 200): ObjectAnswer => ({
  type: 'object',
  code,
  object,
});

/** What a write came to: the entry as it is stored, or an object that is not (of a dry run, or gone). */
export const writtenAnswer = (
  definition: ResourceDefinition,
  code: number,
  { entry, object }: { entry?: CacheEntry; object?: KubeObject },
): Answer =>
  entry !== undefined ? { type: 'entry', code, definition, entry } : { type: 'object', code, definition, object };
