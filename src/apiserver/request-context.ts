import type { Readable } from 'node:stream';
import type { KubeObject } from '../api/object.ts';
import type { ResourceDefinition } from '../api/resource-definition.ts';
import type { Pace } from '../base/steps.ts';
import type { Identity } from './identity/identity.ts';
import type { Query, RequestInfo } from './request-info.ts';

/** The body of a request: raw bytes from HTTP, or a value already parsed from the in-process transport. */
export type RequestBody =
  | { type: 'bytes'; bytes: Buffer; contentType: string }
  | { type: 'value'; value: unknown; contentType: string };

/** A request's turn at the processor (fairness/account.ts). */
export interface RequestTurn {
  /** Another tenant that asks for little has a request under way: long work is to be done in smaller parts. */
  readonly hurried: boolean;
  /** Others wait for this request: its turn is to end when the answer is out, and no earlier. */
  readonly awaited: boolean;
  /** Another slice, to go on with long work: resolves when everyone with a better claim had theirs. */
  slice(): Promise<void>;
  /** Processor time spent on the request outside of its slices, in milliseconds. */
  charge(ms: number): void;
  /** The answer is out, or nobody waits for it. */
  end(): void;
}

/** One request on its way through the chain; filters fill in what they find out. */
export interface RequestContext {
  /** For the log and the `Audit-Id` header. */
  readonly id: string;
  readonly method: string;
  readonly query: Query;
  readonly info: RequestInfo;
  identity: Identity;
  /** Set by tenant resolution; `*` is every tenant. */
  tenant: string;
  /** Reads the body at most once; StatusError 413 when it is over the limit. */
  readBody(): Promise<RequestBody>;
  /** The body as it comes in, for requests that are passed on; undefined without one. Instead of `readBody`, not beside. */
  bodyStream?(): Readable | undefined;
  /** Sent as `Warning: 299` headers. */
  readonly warnings: string[];
  /** Aborts when the client went away. */
  readonly signal: AbortSignal;
  /** Shows metadata.clusterName in answers: platform identities asking with a tenant's prefix. */
  showTenant: boolean;
  /** From a component of this process: typed bodies, shared answers. */
  readonly inProcess: boolean;
  /** For proxied requests: what is handed on. */
  readonly headers: NodeJS.Dict<string | string[]>;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly rawQuery: string;
  readonly userAgent: string;
  readonly accept: string;
  /** When it arrived, by `performance.now`; absent in process. */
  readonly receivedMs?: number;
  /** Whether its connection may be one of so many of this owner's; absent in process. */
  claimConnection?(owner: string, limit: number): boolean;
  /** The other end of the connection; absent in process. */
  readonly remoteAddress?: string;
  /** Of the audit event, by key; absent where the request is not recorded. */
  auditAnnotations?: Record<string, string>;
  /** Hears what was sent, as it was read, and whose defaults it gets; absent where the request is not recorded. */
  noteSent?: (object: KubeObject, definition?: ResourceDefinition) => void;
  /** Of the answer's body, once they are known. */
  responseBytes?: number;
  /** Hears what events were sent on a watch. */
  onWatchEvents?: (frames: readonly Buffer[]) => void;
  /** Sent with whatever the answer is. */
  responseHeaders?: Record<string, string>;
  /** What the store was at when the request came, and what this process has seen; where the store is shared. */
  freshRevision?: number;
  /** For its turn, all told; absent in process. */
  waitedMs?: number;
  /** From priority and fairness on; absent in process. */
  turn?: RequestTurn;
  /** See pace.ts. */
  pace?: Pace;
}
