import type { IncomingHttpHeaders } from 'node:http';
import { Agent, request } from 'node:https';
import { parse as parseYaml } from 'yaml';
import type { Endpoint } from '../http2-client.ts';

/** One request as it goes out; the path is the Kubernetes API's own. */
export interface Ask {
  method?: string;
  path: string;
  /** Objects are sent as JSON. */
  body?: string | Buffer | object;
  /** Content-Type; `application/json` for a body when absent, '' sends none. */
  type?: string;
  accept?: string;
  headers?: Record<string, string>;
  /** Without a client certificate. */
  anonymous?: boolean;
  /** Ends a watch that would go on; what came till then is the answer. */
  cutAfterMs?: number;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
  text: string;
  /** undefined when the body is no JSON. */
  json: any;
}

/**
 * Sends requests to one server over HTTP/1.1, as curl would: nothing is decoded or followed, and repeated is only what
 * met a connection that the server was just closing for want of use.
 */
export class HttpClient {
  readonly #endpoint: Endpoint;
  readonly #prefix: string;
  readonly #agents: { known: Agent; anonymous: Agent };

  constructor(endpoint: Endpoint, prefix: string) {
    const { caPem: ca, certificatePem: cert, keyPem: key } = endpoint;
    this.#endpoint = endpoint;
    this.#prefix = prefix;
    this.#agents = {
      known: new Agent({ keepAlive: true, ca, cert, key, maxSockets: 64 }),
      anonymous: new Agent({ keepAlive: true, ca, maxSockets: 8 }),
    };
  }

  close(): void {
    this.#agents.known.destroy();
    this.#agents.anonymous.destroy();
  }

  send(ask: Ask, isRepeated = false): Promise<Answer> {
    const { method = 'GET', path, body, accept, anonymous = false, cutAfterMs } = ask;
    const bytes =
      body === undefined
        ? undefined
        : Buffer.isBuffer(body)
          ? body
          : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    const headers: Record<string, string> = { 'user-agent': 'differential/1.0', ...ask.headers };
    const type = ask.type ?? (bytes === undefined ? '' : 'application/json');
    if (type !== '') headers['content-type'] = type;
    if (accept !== undefined) headers['accept'] = accept;
    if (bytes !== undefined) headers['content-length'] = String(bytes.length);
    return new Promise((resolve, reject) => {
      const { host, port } = this.#endpoint;
      const kept = anonymous ? this.#agents.anonymous : this.#agents.known;
      const agent = isRepeated ? new Agent({ ...kept.options, keepAlive: false }) : kept;
      const outgoing = request({
        host,
        port,
        method,
        path: escaped(this.#prefix + path),
        headers,
        agent,
        timeout: 600_000,
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer in ten minutes`)));
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        const wasIdle = outgoing.reusedSocket && error.code === 'ECONNRESET' && !isRepeated;
        if (wasIdle) this.send(ask, true).then(resolve, reject);
        else reject(error);
      });
      const answered = (status: number, given: IncomingHttpHeaders, whole: Buffer) =>
        resolve({
          status,
          headers: given,
          bytes: whole,
          text: whole.toString(),
          json: parse(whole, String(given['content-type'] ?? '')),
        });
      outgoing.on('upgrade', (response, socket) => {
        socket.destroy();
        answered(response.statusCode!, response.headers, Buffer.alloc(0));
      });
      outgoing.on('response', (response) => {
        const chunks: Buffer[] = [];
        const end = () => answered(response.statusCode!, response.headers, Buffer.concat(chunks));
        const cut =
          cutAfterMs === undefined
            ? undefined
            : setTimeout(() => {
                end();
                outgoing.destroy();
              }, cutAfterMs);
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', (error) => (cut === undefined ? reject(error) : undefined));
        response.on('end', () => {
          clearTimeout(cut);
          end();
        });
      });
      outgoing.end(bytes);
    });
  }
}

/** Node refuses to send what is no ASCII; servers do get it. */
const escaped = (path: string) => path.replaceAll(/[^\x21-\x7e]+/g, encodeURIComponent);

/** YAML is compared by what it means. */
function parse(bytes: Buffer, contentType: string): unknown {
  try {
    return contentType === 'application/yaml' ? parseYaml(bytes.toString()) : JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}
