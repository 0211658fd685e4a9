import { Agent, type ClientRequestArgs } from 'node:http';
import type { Duplex } from 'node:stream';
import { checkServerIdentity, createSecureContext, type SecureContext, connect as tlsConnect } from 'node:tls';

/** Where one kind of webhook calls go, and whom they must find there. */
export interface Destination {
  /** Connections of one key are shared: tenant, address and certificate authority. */
  poolKey: string;
  /** Name the certificate must bear: a DNS name or an address. */
  serverName: string;
  isAddress: boolean;
  /** PEM; undefined: the well-known authorities. */
  ca: string | undefined;
  dial(signal: AbortSignal): Promise<Duplex>;
}

const connectionsLimit = 32;
const idleConnectionsLimit = 4;
const idleMs = 20_000;
const handshakeTimeoutMs = 10_000;
const contextsLimit = 256;

/** Keep-alive connections to webhooks, TLS over whatever `dial` gives. Idle ones end by themselves after 20 s. */
export class WebhookConnections extends Agent {
  readonly #contexts = new Map<string, SecureContext>();

  constructor() {
    super({
      keepAlive: true,
      maxSockets: connectionsLimit,
      maxFreeSockets: idleConnectionsLimit,
      scheduling: 'lifo',
      timeout: idleMs,
    });
  }

  override getName(options: ClientRequestArgs & { destination?: Destination }): string {
    return options.destination!.poolKey;
  }

  override createConnection(
    options: ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const { destination, until } = options as ClientRequestArgs & { destination: Destination; until: AbortSignal };
    this.#connect(destination, until).then(
      (stream) => callback!(null, stream),
      (error) => callback!(error, undefined as never),
    );
  }

  async #connect(destination: Destination, asked: AbortSignal): Promise<Duplex> {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(new Error('i/o timeout')), handshakeTimeoutMs);
    const signal = AbortSignal.any([asked, limit.signal]);
    try {
      const raw = await destination.dial(signal);
      return await this.#secure(raw, destination, signal);
    } finally {
      clearTimeout(timer);
    }
  }

  #secure(raw: Duplex, destination: Destination, signal: AbortSignal): Promise<Duplex> {
    const { serverName, isAddress, ca } = destination;
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        raw.destroy();
        reject(error);
      };
      const socket = tlsConnect({
        socket: raw,
        host: serverName,
        ...(!isAddress && { servername: serverName }),
        ...(ca !== undefined && { secureContext: this.#context(ca) }),
        // As upstream: over HTTP/2 all calls would go to one of a service's endpoints.
        ALPNProtocols: ['http/1.1'],
        checkServerIdentity(name, certificate) {
          if (!certificate.subjectaltname) {
            return new Error('x509: certificate relies on legacy Common Name field, use SANs instead');
          }
          return checkServerIdentity(name, certificate);
        },
      });
      const giveUp = () => socket.destroy(new Error('net/http: TLS handshake timeout'));
      signal.addEventListener('abort', giveUp, { once: true });
      if (signal.aborted) giveUp();
      raw.on('error', fail);
      raw.once('close', () => fail(new Error('EOF')));
      socket.on('error', fail);
      socket.once('secureConnect', () => {
        signal.removeEventListener('abort', giveUp);
        resolve(socket);
      });
    });
  }

  /** Certificate authorities are parsed once, not at every connection. */
  #context(ca: string): SecureContext {
    let context = this.#contexts.get(ca);
    if (context === undefined) {
      if (this.#contexts.size >= contextsLimit) this.#contexts.clear();
      this.#contexts.set(ca, (context = createSecureContext({ ca })));
    }
    return context;
  }
}
