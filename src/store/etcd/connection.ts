import * as grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import { sleep } from '../../base/abort.ts';
import { ClosedError } from '../store.ts';
import { Availability } from './availability.ts';
import { awayMessage, EtcdError, failureOf, reasonOf } from './errors.ts';
import type { EtcdStatus, EtcdWatchCreate, EtcdWatchResponse, Verbs } from './messages.ts';
import { takesConnections } from './tcp-probe.ts';

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
  /** No member answers any more, for the reason that one of them gave. */
  onAway?(reason: string): void;
  /** One answers again, after so long. */
  onBack?(awayMs: number): void;
}

interface Member {
  endpoint: string;
  credentials: grpc.ChannelCredentials;
  kv: grpc.Client;
  watch: grpc.Client;
  maintenance: grpc.Client;
  /** It was asked in vain to take a connection. */
  isUnreachable: boolean;
}

/** A member that does not answer within this is left for another. */
const attemptTimeoutMs = 3_000;
const retryPauseMs = 50;
const reachableWithinMs = 1_000;
/** As upstream. */
const statusTimeoutMs = 1_000;
const nothing = { key: Buffer.from('/'), countOnly: true };

/**
 * A cluster of etcd as one: calls go to one member until it fails them, then to the next. Members without a leader turn
 * calls and watches away (`hasleader`), so that one cut off from the others is left too. While no member answers, calls
 * and watches fail at once (`availability.ts`).
 */
export class Connection {
  readonly #members: Member[];
  readonly #connect: (endpoint: string, credentials: grpc.ChannelCredentials) => Member;
  readonly #metadata = new grpc.Metadata();
  readonly #callTimeoutMs: number;
  readonly #availability: Availability;
  /** What ends the watches that run. */
  readonly #watches = new Set<(error: EtcdError) => void>();
  #current = 0;
  #closed = false;

  constructor({ endpoints, tls, callTimeoutMs = 10_000, onAway, onBack }: ConnectionOptions) {
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
      // Or a new channel would take over the connection that it is to replace.
      'grpc.use_local_subchannel_pool': 1,
    };
    const credentials = credentialsOf(tls);
    this.#connect = (endpoint, credentials) => {
      const kv: grpc.Client = new services.KV(endpoint, credentials, options);
      const shared = { channelOverride: kv.getChannel() };
      const watch: grpc.Client = new services.Watch(endpoint, credentials, shared);
      const maintenance: grpc.Client = new services.Maintenance(endpoint, credentials, shared);
      return { endpoint, credentials, kv, watch, maintenance, isUnreachable: false };
    };
    this.#members = endpoints.map((endpoint) => this.#connect(endpoint, credentials));
    this.#metadata.set('hasleader', 'true');
    this.#availability = new Availability({
      members: endpoints.length,
      ask: (member, timeoutMs) => this.#ask(member, timeoutMs),
      onAnswer: (member) => (this.#current = member),
      onAway: (error) => {
        for (const end of [...this.#watches]) end(this.#awayError('Watch'));
        onAway?.(reasonOf(error));
      },
      onBack: (awayMs) => onBack?.(awayMs),
    });
  }

  /** No member answers: to send anything is of no use. */
  get isAway(): boolean {
    return this.#availability.away !== undefined;
  }

  /** One attempt on the member in use; a failure makes the next one the member in use. */
  async attempt<Verb extends keyof Verbs>(
    verb: Verb,
    request: Verbs[Verb][0],
    timeoutMs = attemptTimeoutMs,
  ): Promise<Verbs[Verb][1]> {
    if (this.#closed) throw new ClosedError();
    if (this.isAway) throw this.#awayError(verb);
    const member = this.#members[this.#current]!;
    this.#availability.started();
    try {
      const answer = await this.#send(member, verb, request, timeoutMs);
      this.#availability.answered();
      return answer;
    } catch (error) {
      if (this.#closed) throw new ClosedError();
      if (failureOf(error as EtcdError) === 'refused') this.#availability.answered();
      else {
        this.#leave(member);
        this.#availability.failed();
      }
      throw error;
    }
  }

  /** Tries member after member until one answers: for calls that may be made twice. */
  async call<Verb extends keyof Verbs>(verb: Verb, request: Verbs[Verb][0]): Promise<Verbs[Verb][1]> {
    const deadlineMs = performance.now() + this.#callTimeoutMs;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt(verb, request);
      } catch (error) {
        if (!(error instanceof EtcdError) || failureOf(error) === 'refused') throw error;
        if (this.isAway || performance.now() > deadlineMs) throw error;
      }
      // The others may be well: only a round without success is a reason to wait.
      if (attempt % this.#members.length === 0) await sleep(retryPauseMs);
    }
  }

  /** What the member in use says of itself: for figures only, so a failure changes nothing. */
  async status(): Promise<EtcdStatus> {
    if (this.#closed) throw new ClosedError();
    if (this.isAway) throw this.#awayError('Status');
    const { maintenance } = this.#members[this.#current]!;
    return unary(maintenance, 'Status', {}, this.#metadata, statusTimeoutMs);
  }

  /** A watch on the member in use. `onEnd` comes once, however it ends; nothing comes after `close`. */
  watch(
    create: EtcdWatchCreate,
    onResponse: (response: EtcdWatchResponse) => void,
    onEnd: (error: EtcdError) => void,
  ): { close(): void; leave(): void } {
    if (this.isAway) {
      const timer = setTimeout(() => onEnd(this.#awayError('Watch')));
      return { close: () => clearTimeout(timer), leave() {} };
    }
    const member = this.#members[this.#current]!;
    const stream = (member.watch as any).Watch(this.#metadata) as grpc.ClientDuplexStream<object, EtcdWatchResponse>;
    let over = false;
    const end = (error: EtcdError) => {
      if (over) return;
      over = true;
      this.#watches.delete(end);
      stream.cancel();
      this.#leave(member);
      onEnd(error);
    };
    this.#watches.add(end);
    stream.on('data', (response: EtcdWatchResponse) => {
      if (!over) onResponse(response);
    });
    stream.on('error', (error: grpc.ServiceError) => end(new EtcdError('Watch', error.code, error.details)));
    stream.on('end', () => end(new EtcdError('Watch', grpc.status.UNAVAILABLE, 'the watch ended')));
    stream.write({ createRequest: create });
    return {
      close: () => {
        over = true;
        this.#watches.delete(end);
        stream.cancel();
      },
      leave: () => end(new EtcdError('Watch', grpc.status.DEADLINE_EXCEEDED, 'the member lags behind')),
    };
  }

  /**
   * Other certificates. A member that takes them is spoken to with them from now on; a watch that runs, and calls under
   * way, stay on the connection they have. Resolves with the endpoints that were not reached so, and why: with those
   * all stays as it was. @throws what is wrong with the certificates themselves
   */
  async renewTls(tls: EtcdTls): Promise<Map<string, string>> {
    const credentials = credentialsOf(tls);
    const outcomes = await Promise.allSettled(this.#members.map((_, index) => this.#renew(index, credentials)));
    const failed = new Map<string, string>();
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === 'rejected') failed.set(this.#members[index]!.endpoint, reasonOf(outcome.reason));
    }
    return failed;
  }

  close(): void {
    this.#closed = true;
    this.#availability.close();
    for (const { kv } of this.#members) kv.close();
  }

  #leave(member: Member): void {
    if (this.#members[this.#current] === member) this.#current = (this.#current + 1) % this.#members.length;
  }

  #send<Verb extends keyof Verbs>(
    member: Member,
    verb: Verb,
    request: Verbs[Verb][0],
    timeoutMs: number,
  ): Promise<Verbs[Verb][1]> {
    return unary(member.kv, verb, request, this.#metadata, timeoutMs);
  }

  /** A linearizable read of what is never there, as kube-apiserver's health check of etcd. */
  async #ask(index: number, timeoutMs: number): Promise<void> {
    const member = this.#members[index]!;
    const asked = this.#send(member, 'Range', nothing, timeoutMs * 2).catch((error) => {
      if (failureOf(error) !== 'refused') throw error;
    });
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      const giveUp = () => {
        reject(new EtcdError('Range', grpc.status.DEADLINE_EXCEEDED, `${member.endpoint} does not answer`));
        if (this.isAway) void this.#freshen(index);
      };
      // In a process that slept the timer comes first, though the answer lies in the socket.
      timer = setTimeout(() => setImmediate(() => setImmediate(giveUp)), timeoutMs);
    });
    try {
      await Promise.race([asked, silence]);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Gives a member that is silent a new connection, where that may be of use: what the network has lost is sent again
   * ever more seldom, be it data or the first packet. One that hangs takes connections all the time, and gets no more.
   */
  async #freshen(index: number): Promise<void> {
    const member = this.#members[index]!;
    const wasConnected = member.kv.getChannel().getConnectivityState(false) === grpc.connectivityState.READY;
    if (!wasConnected) {
      const isReachable = await takesConnections(member.endpoint, reachableWithinMs);
      const isBack = isReachable && member.isUnreachable;
      member.isUnreachable = !isReachable;
      if (!isBack) return;
    }
    if (!this.isAway || this.#closed || this.#members[index] !== member) return;
    this.#members[index] = this.#connect(member.endpoint, member.credentials);
    member.kv.close();
  }

  /** Asks the member by a connection with these credentials, and goes on with that one. */
  async #renew(index: number, credentials: grpc.ChannelCredentials): Promise<void> {
    const { endpoint } = this.#members[index]!;
    const member = this.#connect(endpoint, credentials);
    try {
      await this.#send(member, 'Range', nothing, attemptTimeoutMs);
    } catch (error) {
      if (failureOf(error as EtcdError) !== 'refused') {
        member.kv.close();
        throw error;
      }
    }
    if (this.#closed) return member.kv.close();
    const former = this.#members[index]!;
    this.#members[index] = member;
    former.kv.close();
  }

  #awayError(verb: string): EtcdError {
    return new EtcdError(verb, grpc.status.UNAVAILABLE, awayMessage);
  }
}

function credentialsOf(tls: EtcdTls | undefined): grpc.ChannelCredentials {
  if (tls === undefined) return grpc.credentials.createInsecure();
  return grpc.credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null);
}

function unary<Answer>(
  client: grpc.Client,
  verb: string,
  request: object,
  metadata: grpc.Metadata,
  timeoutMs: number,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    (client as any)[verb](
      request,
      metadata,
      { deadline: Date.now() + timeoutMs },
      (error: grpc.ServiceError | null, answer: Answer) =>
        error === null ? resolve(answer) : reject(new EtcdError(verb, error.code, error.details)),
    );
  });
}
