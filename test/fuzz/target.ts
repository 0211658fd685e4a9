import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { startTestServer, type TestServer } from '../../src/apiserver/testing/test-server.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import type { Logger } from '../../src/base/log.ts';
import { openMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { Input } from './request-parts.ts';

export interface Answer {
  /** 0: the stream was cut. */
  code: number;
  contentType: string;
  body: Buffer;
  /** Processor time of the whole process until the answer was there, in milliseconds. */
  cpuMs: number;
}

interface Access {
  ca: string;
  cert: string;
  key: string;
}

/** A server in this process, asked over HTTP/2 and TLS as any client asks it, one request after the other. */
export class Target {
  readonly #server: TestServer;
  readonly #access: Access;
  readonly #url: string;
  #session: ClientHttp2Session | undefined;
  /** Errors the server logged since the last look. */
  readonly logged: string[];

  private constructor(server: TestServer, url: string, access: Access, logged: string[]) {
    this.#server = server;
    this.#url = url;
    this.#access = access;
    this.logged = logged;
  }

  static async start(): Promise<Target> {
    const logged: string[] = [];
    const logger: Logger = {
      debug() {},
      info() {},
      warn() {},
      error(fields: { error?: unknown }, message) {
        const { error } = fields;
        logged.push(`${message}: ${error instanceof Error ? error.stack : JSON.stringify(fields)}`);
      },
      child: () => logger,
    };
    // Waits of the server (for a revision that never comes, say) are cut short.
    const clock: Clock = {
      now: systemClock.now,
      schedule: (delayMs, callback) => systemClock.schedule(delayMs / 100, callback),
    };
    const server = await startTestServer(openMemoryStore(), { tenants: ['fuzz', 'other'], logger, clock });
    const { port } = await server.server.listen({ host: '127.0.0.1', port: 0 });
    const user = await server.authority.issueTenantUser('fuzz', 'fuzzer', ['system:masters']);
    const access = { ca: server.authority.certificatePem, cert: user.certificatePem, key: user.keyPem };
    await server.transport.request({
      method: 'POST',
      path: '/clusters/fuzz/api/v1/namespaces',
      body: { metadata: { name: 'fuzz-ns' } },
    });
    return new Target(server, `https://127.0.0.1:${port}`, access, logged);
  }

  async ask({ method, path, headers, body }: Input): Promise<Answer> {
    const session = await this.#connected();
    const before = process.cpuUsage();
    const isWatch = /[?&]watch(?:=|&|$)/.test(path) || path.includes('/watch/') || path.includes('follow=');
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let code = 0;
      let contentType = '';
      const finish = () => {
        const { user, system } = process.cpuUsage(before);
        resolve({ code, contentType, body: Buffer.concat(chunks), cpuMs: (user + system) / 1000 });
      };
      let stream: ReturnType<ClientHttp2Session['request']>;
      try {
        stream = session.request({ ...headers, ':method': method, ':path': path }, { endStream: body === undefined });
      } catch {
        // Node's client does not send this at all.
        code = -1;
        return finish();
      }
      stream.on('response', (given) => {
        code = Number(given[':status']);
        contentType = String(given['content-type'] ?? '');
        // A watch that has begun is left alone.
        if (isWatch && code === 200) stream.close();
      });
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', () => {});
      stream.on('close', finish);
      if (body !== undefined) stream.end(body);
    });
  }

  /** Requests and watches that are still there, as the server itself counts them. */
  async stillOpen(): Promise<number> {
    const { body } = await this.ask({ method: 'GET', path: '/metrics', headers: {}, body: undefined });
    const inflight = body.toString().matchAll(/^apiserver_current_inflight_requests\{.*\} (\d+)$/gm);
    return [...inflight].reduce((sum, [, count]) => sum + Number(count), 0);
  }

  async stop(): Promise<void> {
    this.#session?.destroy();
    await this.#server.close();
  }

  async #connected(): Promise<ClientHttp2Session> {
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed) return this.#session;
    const session = connect(this.#url, this.#access);
    session.on('error', () => {});
    await once(session, 'connect');
    this.#session = session;
    return session;
  }
}
