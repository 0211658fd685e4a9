import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { WebSocket } from 'ws';
import { type Status, StatusError, serviceUnavailable } from '../../api/status.ts';
import { REMOTE_COMMAND_PROTOCOL } from '../../base/remote-command.ts';

export interface HostCredentials {
  /** Authority of the hosts' certificates. */
  caPem: string;
  /** The platform's client certificate, which hosts ask for. */
  certificatePem: string;
  keyPem: string;
}

/** Where a host's streaming server is; `name` is what its certificate must say. */
export interface HostAddress {
  name: string;
  address: string;
  port: number;
}

const CONNECT_TIMEOUT_MS = 10_000;
const MAX_FRAME_BYTES = 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;

/** Speaks to hosts' streaming servers by mutual TLS. Rejections are the host's own Status, or 503 when it is not reached. */
export class HostClient {
  readonly #tls: { ca: string; cert: string; key: string };
  readonly #agent: Agent;

  constructor({ caPem, certificatePem, keyPem }: HostCredentials) {
    this.#tls = { ca: caPem, cert: certificatePem, key: keyPem };
    this.#agent = new Agent({ ...this.#tls, keepAlive: true });
  }

  /** The answer's body, as it comes. */
  get(host: HostAddress, path: string, signal?: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const outgoing = request({
        agent: this.#agent,
        host: host.address,
        port: host.port,
        servername: host.name,
        path,
        timeout: CONNECT_TIMEOUT_MS,
        ...(signal !== undefined && { signal }),
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error('it did not answer in time')));
      outgoing.on('error', (error) => reject(unreachable(host, error)));
      outgoing.on('response', (response) => {
        outgoing.setTimeout(0);
        if (response.statusCode === 200) resolve(response);
        else readStatus(response).then(reject, reject);
      });
      outgoing.end();
    });
  }

  async json<T>(host: HostAddress, path: string, signal?: AbortSignal): Promise<T> {
    const chunks: Buffer[] = [];
    for await (const chunk of await this.get(host, path, signal)) chunks.push(chunk);
    return JSON.parse(Buffer.concat(chunks).toString());
  }

  /** An open WebSocket; paused, so that nothing is lost before its user listens: call `resume`. */
  open(host: HostAddress, path: string): Promise<WebSocket> {
    const authority = host.address.includes(':') ? `[${host.address}]` : host.address;
    // ws hands what it does not know to tls.connect; its types leave that out.
    const tls: object = { ...this.#tls, servername: host.name };
    const socket = new WebSocket(`wss://${authority}:${host.port}${path}`, [REMOTE_COMMAND_PROTOCOL], {
      ...tls,
      handshakeTimeout: CONNECT_TIMEOUT_MS,
      maxPayload: MAX_FRAME_BYTES,
      perMessageDeflate: false,
    });
    return new Promise((resolve, reject) => {
      socket.once('open', () => {
        socket.pause();
        resolve(socket);
      });
      socket.once('unexpected-response', (outgoing, response) => {
        readStatus(response)
          .then(reject, reject)
          .finally(() => outgoing.destroy());
      });
      socket.on('error', (error) => reject(unreachable(host, error)));
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

async function readStatus(response: IncomingMessage): Promise<StatusError> {
  let text = '';
  for await (const chunk of response) {
    text += chunk;
    if (text.length > MAX_ERROR_BYTES) break;
  }
  try {
    return StatusError.fromStatus(JSON.parse(text) as Partial<Status>);
  } catch {
    return new StatusError(response.statusCode ?? 502, '', text.trim() || 'the host gave no message');
  }
}

const unreachable = (host: HostAddress, error: Error): StatusError =>
  serviceUnavailable(`host ${host.name} cannot be reached: ${error.message}`);
