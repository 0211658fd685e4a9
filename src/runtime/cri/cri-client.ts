import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import type * as messages from './messages.ts';

/** A unary call that failed: `code` is gRPC's, the message is containerd's own. */
export class CriError extends Error {
  readonly code: grpc.status;
  readonly verb: string;
  constructor(verb: string, code: grpc.status, message: string) {
    super(message);
    this.name = 'CriError';
    this.verb = verb;
    this.code = code;
  }
}

export const criStatus = grpc.status;

/** Verbs that may take long answer within this; all others within DEFAULT_DEADLINE_MS. */
const LONG_DEADLINE_MS = 600_000;
const DEFAULT_DEADLINE_MS = 120_000;

const LONG_VERBS = new Set(['PullImage', 'RunPodSandbox', 'StopContainer']);

/** The CRI v1 and event services of one containerd, over its unix socket. */
export class CriClient {
  readonly #runtime: grpc.Client;
  readonly #images: grpc.Client;
  readonly #events: grpc.Client;
  readonly #decodeTaskEvents: Record<string, (bytes: Buffer) => { containerId: string; id?: string }>;

  constructor(socketPath: string) {
    const directory = join(import.meta.dirname, 'protos');
    const definition = protoLoader.loadSync(
      ['runtime-v1.proto', 'containerd-events.proto', 'containerd-task-events.proto'],
      { longs: String, enums: String, defaults: true, includeDirs: [directory] },
    );
    const services = grpc.loadPackageDefinition(definition) as any;
    const options: grpc.ClientOptions = {
      'grpc.max_receive_message_length': -1,
      // containerd comes back within a second of dying; the channel must not sleep through it.
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.min_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 500,
    };
    const connect = (service: grpc.ServiceClientConstructor) =>
      new service(`unix:${socketPath}`, grpc.credentials.createInsecure(), options);
    this.#runtime = connect(services.runtime.v1.RuntimeService);
    this.#images = connect(services.runtime.v1.ImageService);
    this.#events = connect(services.containerd.services.events.v1.Events);
    this.#decodeTaskEvents = {};
    for (const name of ['TaskStart', 'TaskExit', 'TaskOOM'] as const) {
      const message = services.containerd.events[name] as protoLoader.MessageTypeDefinition<object, any>;
      this.#decodeTaskEvents[`containerd.events.${name}`] = (bytes) => message.deserialize(bytes);
    }
  }

  /** Calls a method of RuntimeService. */
  runtime<Verb extends keyof messages.RuntimeVerbs>(
    verb: Verb,
    request: messages.RuntimeVerbs[Verb][0],
    deadlineMs?: number,
  ): Promise<messages.RuntimeVerbs[Verb][1]> {
    return this.#call(this.#runtime, verb, request, deadlineMs);
  }

  /** Calls a method of ImageService. */
  images<Verb extends keyof messages.ImageVerbs>(
    verb: Verb,
    request: messages.ImageVerbs[Verb][0],
  ): Promise<messages.ImageVerbs[Verb][1]> {
    return this.#call(this.#images, verb, request);
  }

  /**
   * Starts, ends and out-of-memory kills of the containers' processes, from now on.
   * @param ended called once, when the stream broke.
   */
  subscribe(listener: (event: messages.TaskEvent) => void, ended: () => void): () => void {
    const stream = (this.#events as any).Subscribe({
      filters: ['topic~="^/tasks/(start|exit|oom)$",namespace==k8s.io'],
    }) as grpc.ClientReadableStream<{ topic: string; event: { type_url: string; value: Buffer } | null }>;
    stream.on('data', ({ topic, event }) => {
      const decode = event && this.#decodeTaskEvents[event.type_url.split('/').pop()!];
      if (!decode) return;
      const { containerId, id } = decode(event.value);
      // An exec's process has an id of its own: its end changes nothing for the container.
      if (id && id !== containerId) return;
      listener({ type: topic.slice('/tasks/'.length) as messages.TaskEvent['type'], containerId });
    });
    let over = false;
    const end = () => {
      if (!over) ended();
      over = true;
    };
    stream.on('error', end);
    stream.on('end', end);
    return () => {
      over = true;
      stream.cancel();
    };
  }

  close(): void {
    for (const client of [this.#runtime, this.#images, this.#events]) client.close();
  }

  #call<Answer>(client: grpc.Client, verb: string, request: object, deadlineMs?: number): Promise<Answer> {
    const limitMs = deadlineMs ?? (LONG_VERBS.has(verb) ? LONG_DEADLINE_MS : DEFAULT_DEADLINE_MS);
    return new Promise((resolve, reject) => {
      (client as any)[verb](
        request,
        { deadline: Date.now() + limitMs },
        (error: grpc.ServiceError | null, answer: Answer) => {
          if (error) reject(new CriError(verb, error.code, error.details));
          else resolve(answer);
        },
      );
    });
  }
}
