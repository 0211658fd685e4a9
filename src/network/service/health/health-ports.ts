import { createServer, type Server as HttpServer } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { VpcService } from '../../../api/pool.ts';
import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/log.ts';
import { RetriedWork } from '../retried-work.ts';
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
  readonly #opening: RetriedWork;

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
    this.#opening = new RetriedWork({
      isDue: () => this.#missing().length > 0,
      attempt: () => this.#listen(),
      onFailure: (error) =>
        options.logger.warn({ error }, 'health check ports of services could not be opened; it will be tried again'),
      retryMs: RETRY_MS,
      clock: options.clock,
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
    this.#choosePorts();
    this.#opening.start();
  }

  settled(): Promise<void> {
    return this.#opening.settled();
  }

  async close(): Promise<void> {
    await this.#opening.close();
    for (const port of [...this.#open.keys()]) this.#end(port);
    for (const socket of this.#sockets) socket.destroy();
    this.#http.close();
  }

  #advance(): void {
    if (!this.#opening.isRunning) return;
    this.#choosePorts();
    this.#opening.advance();
  }

  #choosePorts(): void {
    this.#byPort.clear();
    for (const service of this.#services.values()) {
      const { port } = service.spec.healthCheck!;
      if (isPort(port) && this.#byPort.size < MOST_PORTS) this.#byPort.set(port, service);
    }
    for (const port of this.#open.keys()) if (!this.#byPort.has(port)) this.#end(port);
  }

  #missing(): number[] {
    return [...this.#byPort.keys()].filter((port) => !this.#open.has(port));
  }

  async #listen(): Promise<void> {
    const { servers, errors } = await this.#options.open(this.#options.namespacePath, this.#missing());
    for (const [port, server] of servers) {
      // Its service may have gone meanwhile.
      if (this.#byPort.has(port)) this.#serve(port, server);
      else server.close();
    }
    if (errors.size > 0) throw new Error([...errors].map(([port, reason]) => `port ${port}: ${reason}`).join(', '));
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
