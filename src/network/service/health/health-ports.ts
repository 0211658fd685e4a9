import { createServer, type Server as HttpServer } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { VpcService } from '../../../api/pool.ts';
import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/log.ts';
import { healthAnswer } from './answer.ts';
import type { openPorts } from './port-opener.ts';

/** Of one VPC on one host; services beyond are left without. */
const MOST_PORTS = 256;
const MOST_CONNECTIONS = 64;
/** A check takes one request; who takes longer is cut. */
const CONNECTION_MS = 5_000;
const RETRY_MS = 5_000;

export interface HealthPortsOptions {
  namespacePath: string;
  open: typeof openPorts;
  isProxyHealthy(): boolean;
  clock: Clock;
  logger: Logger;
}

/**
 * The health check ports of one VPC's load-balanced services: sockets in its namespace, where every virtual node's
 * address is local, so the address a connection came to says which node is asked.
 */
export class HealthPorts {
  readonly #options: HealthPortsOptions;
  /** By names of VpcServices. */
  readonly #services = new Map<string, VpcService>();
  readonly #byPort = new Map<number, VpcService>();
  readonly #open = new Map<number, Server>();
  readonly #http: HttpServer;
  readonly #sockets = new Set<Socket>();
  #started = false;
  #closed = false;
  #working: Promise<void> | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(options: HealthPortsOptions) {
    this.#options = options;
    this.#http = createServer({ maxHeaderSize: 8192 }, (request, response) => {
      const { localAddress = '', localPort = 0 } = request.socket;
      const service = this.#byPort.get(localPort);
      response.setHeader('connection', 'close');
      if (service === undefined) return void response.writeHead(503).end();
      const { code, headers, body } = healthAnswer(service, localAddress, options.isProxyHealthy());
      response.writeHead(code, headers).end(body);
    });
  }

  set(service: VpcService): void {
    const { name } = service.metadata;
    const known = this.#services.get(name);
    if (service.spec.healthCheck === undefined) {
      if (known !== undefined) this.delete(name);
      return;
    }
    this.#services.set(name, service);
    this.#advance();
  }

  delete(name: string): void {
    if (this.#services.delete(name)) this.#advance();
  }

  /** All services there are have been set. */
  start(): void {
    this.#started = true;
    this.#advance();
  }

  async settled(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRetry?.();
    await this.settled();
    for (const port of [...this.#open.keys()]) this.#end(port);
    for (const socket of this.#sockets) socket.destroy();
    this.#http.close();
  }

  #advance(): void {
    if (!this.#started || this.#closed) return;
    this.#byPort.clear();
    for (const service of this.#services.values()) {
      const { port } = service.spec.healthCheck!;
      if (isPort(port) && this.#byPort.size < MOST_PORTS) this.#byPort.set(port, service);
    }
    for (const port of this.#open.keys()) if (!this.#byPort.has(port)) this.#end(port);
    if (this.#working !== undefined || this.#cancelRetry !== undefined) return;
    if (this.#missing().length === 0) return;
    this.#working = this.#listen().finally(() => {
      this.#working = undefined;
      this.#advance();
    });
  }

  #missing(): number[] {
    return [...this.#byPort.keys()].filter((port) => !this.#open.has(port));
  }

  async #listen(): Promise<void> {
    // Services come in bursts: whatever arrives in this turn of the loop goes along.
    await new Promise((resolve) => setImmediate(resolve));
    const { namespacePath, open, clock, logger } = this.#options;
    let failure: object | undefined;
    try {
      const { servers, errors } = await open(namespacePath, this.#missing());
      for (const [port, server] of servers) this.#serve(port, server);
      if (errors.size > 0) failure = { errors: Object.fromEntries(errors) };
    } catch (error) {
      failure = { error };
    }
    if (failure === undefined || this.#closed) return;
    logger.warn(failure, 'health check ports of services could not be opened; it will be tried again');
    this.#cancelRetry = clock.schedule(RETRY_MS, () => {
      this.#cancelRetry = undefined;
      this.#advance();
    });
  }

  #serve(port: number, server: Server): void {
    server.maxConnections = MOST_CONNECTIONS;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      const cut = setTimeout(() => socket.destroy(), CONNECTION_MS);
      socket.once('close', () => {
        clearTimeout(cut);
        this.#sockets.delete(socket);
      });
      this.#http.emit('connection', socket);
    });
    this.#open.set(port, server);
  }

  #end(port: number): void {
    this.#open.get(port)?.close();
    this.#open.delete(port);
  }
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port < 65536;
}
