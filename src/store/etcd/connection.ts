import * as grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import { sleep } from '../../base/abort.ts';
import { ClosedError } from '../store.ts';
import { EtcdError, failureOf } from './errors.ts';
import type { EtcdWatchCreate, EtcdWatchResponse, Verbs } from './messages.ts';

export interface EtcdTls {
  /** PEM; the system's authorities when absent. */
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
}

export interface ConnectionOptions {
  /** `HOST:PORT` of some or all members. */
  endpoints: string[];
  tls?: EtcdTls;
  /** How long a read is tried again on other members. A cluster without a leader elects one within a second or two. */
  callTimeoutMs?: number;
}

interface Member {
  endpoint: string;
  kv: grpc.Client;
  watch: grpc.Client;
}

/** A member that does not answer within this is left for another. */
const attemptTimeoutMs = 3_000;
const retryPauseMs = 50;

/**
 * A cluster of etcd as one: calls go to one member until it fails them, then to the next. Members without a leader turn
 * calls and watches away (`hasleader`), so that one cut off from the others is left too.
 */
export class Connection {
  readonly #members: Member[];
  readonly #metadata = new grpc.Metadata();
  readonly #callTimeoutMs: number;
  #current = 0;
  #closed = false;

  constructor({ endpoints, tls, callTimeoutMs = 10_000 }: ConnectionOptions) {
    this.#callTimeoutMs = callTimeoutMs;
    const definition = protoLoader.loadSync('etcd.proto', {
      longs: Number,
      enums: String,
      defaults: true,
      includeDirs: [import.meta.dirname],
    });
    const services = grpc.loadPackageDefinition(definition)['etcdserverpb'] as any;
    const options: grpc.ClientOptions = {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 3_000,
      // A member comes back within a second; the channel must not sleep through it.
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.min_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 500,
      'grpc.service_config_disable_resolution': 1,
      'grpc.enable_retries': 0,
    };
    const credentials =
      tls === undefined
        ? grpc.credentials.createInsecure()
        : grpc.credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null);
    this.#members = endpoints.map((endpoint) => {
      const kv: grpc.Client = new services.KV(endpoint, credentials, options);
      return { endpoint, kv, watch: new services.Watch(endpoint, credentials, { channelOverride: kv.getChannel() }) };
    });
    this.#metadata.set('hasleader', 'true');
  }

  /** One attempt on the member in use; a failure makes the next one the member in use. */
  attempt<Verb extends keyof Verbs>(
    verb: Verb,
    request: Verbs[Verb][0],
    timeoutMs = attemptTimeoutMs,
  ): Promise<Verbs[Verb][1]> {
    const member = this.#members[this.#current]!;
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new ClosedError();
      (member.kv as any)[verb](
        request,
        this.#metadata,
        { deadline: Date.now() + timeoutMs },
        (error: grpc.ServiceError | null, answer: Verbs[Verb][1]) => {
          if (error === null) return resolve(answer);
          if (this.#closed) return reject(new ClosedError());
          const failed = new EtcdError(verb, error.code, error.details);
          if (failureOf(failed) !== 'refused') this.#leave(member);
          reject(failed);
        },
      );
    });
  }

  /** Tries member after member until one answers: for calls that may be made twice. */
  async call<Verb extends keyof Verbs>(verb: Verb, request: Verbs[Verb][0]): Promise<Verbs[Verb][1]> {
    const deadlineMs = Date.now() + this.#callTimeoutMs;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt(verb, request);
      } catch (error) {
        if (!(error instanceof EtcdError) || failureOf(error) === 'refused' || Date.now() > deadlineMs) throw error;
      }
      // The others may be well: only a round without success is a reason to wait.
      if (attempt % this.#members.length === 0) await sleep(retryPauseMs);
    }
  }

  /** A watch on the member in use. `onEnd` comes once, however it ends; nothing comes after `close`. */
  watch(
    create: EtcdWatchCreate,
    onResponse: (response: EtcdWatchResponse) => void,
    onEnd: (error: EtcdError) => void,
  ): { close(): void; leave(): void } {
    const member = this.#members[this.#current]!;
    const stream = (member.watch as any).Watch(this.#metadata) as grpc.ClientDuplexStream<object, EtcdWatchResponse>;
    let over = false;
    const end = (error: EtcdError) => {
      if (over) return;
      over = true;
      stream.cancel();
      this.#leave(member);
      onEnd(error);
    };
    stream.on('data', (response: EtcdWatchResponse) => {
      if (!over) onResponse(response);
    });
    stream.on('error', (error: grpc.ServiceError) => end(new EtcdError('Watch', error.code, error.details)));
    stream.on('end', () => end(new EtcdError('Watch', grpc.status.UNAVAILABLE, 'the watch ended')));
    stream.write({ createRequest: create });
    return {
      close() {
        over = true;
        stream.cancel();
      },
      leave: () => end(new EtcdError('Watch', grpc.status.DEADLINE_EXCEEDED, 'the member lags behind')),
    };
  }

  close(): void {
    this.#closed = true;
    for (const { kv } of this.#members) kv.close();
  }

  #leave(member: Member): void {
    if (this.#members[this.#current] === member) this.#current = (this.#current + 1) % this.#members.length;
  }
}
