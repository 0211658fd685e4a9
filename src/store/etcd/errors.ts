import { status } from '@grpc/grpc-js';
import { StoreFullError, UnavailableError, ValueTooLargeError } from '../store.ts';

/** A call to etcd that failed: gRPC's code, and etcd's own words. */
export class EtcdError extends Error {
  readonly code: status;
  readonly verb: string;
  constructor(verb: string, code: status, details: string) {
    super(details);
    this.name = 'EtcdError';
    this.verb = verb;
    this.code = code;
  }
}

/**
 * - `unsent`: the request never left this process;
 * - `refused`: etcd said no, and did nothing;
 * - `unknown`: it may have been done, or may yet be.
 */
export type Failure = 'unsent' | 'refused' | 'unknown';

const refusals = new Set<status>([
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.PERMISSION_DENIED,
  status.RESOURCE_EXHAUSTED,
  status.FAILED_PRECONDITION,
  status.OUT_OF_RANGE,
  status.UNIMPLEMENTED,
  status.UNAUTHENTICATED,
]);

/** Said of calls that are not made, since nobody would answer them. */
export const awayMessage = 'no member answers';

export function failureOf({ code, message }: EtcdError): Failure {
  if (refusals.has(code)) return 'refused';
  if (code === status.UNAVAILABLE && neverConnected.test(message)) return 'unsent';
  // It waited for a connection all its time.
  if (code === status.DEADLINE_EXCEEDED && message.includes('Waiting for LB pick')) return 'unsent';
  return 'unknown';
}

const neverConnected =
  /^(No connection established|Name resolution failed|Channel closed before call started|no member answers$)/;

/** For the operator, in a line: without gRPC's decoration. */
export const reasonOf = ({ message }: Error): string =>
  message
    .replace(/\.? Resolution note:.*$/s, '')
    .replace(/^No connection established\. Last error: (?:Error: )?/, '')
    .replace(/\s+/g, ' ');

export const isCompacted = (error: unknown) =>
  error instanceof EtcdError && error.code === status.OUT_OF_RANGE && error.message.includes('has been compacted');

export const isFutureRevision = (error: unknown) =>
  error instanceof EtcdError && error.code === status.OUT_OF_RANGE && error.message.includes('future revision');

/** For whoever asked: etcd's own words, but not where its members are. */
export const saidOf = ({ message }: EtcdError): string =>
  `etcd: ${message.startsWith('etcdserver: ') ? message.slice('etcdserver: '.length) : awayMessage}`;

/** The port's error for one that names no revision. */
export function asStoreError(error: unknown): Error {
  if (!(error instanceof EtcdError)) return error as Error;
  const { message } = error;
  if (message.includes('database space exceeded')) return new StoreFullError(message);
  if (message.includes('request is too large') || message.includes('message larger than max')) {
    return new ValueTooLargeError(message);
  }
  if (failureOf(error) === 'refused' && error.code !== status.RESOURCE_EXHAUSTED) {
    return new Error(`etcd refused ${error.verb}: ${message}`, { cause: new Error(reasonOf(error)) });
  }
  return Object.assign(new UnavailableError(saidOf(error)), { cause: new Error(reasonOf(error)) });
}
