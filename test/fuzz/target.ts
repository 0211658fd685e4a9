import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { startTestServer, type TestServer } from '../../src/apiserver/testing/test-server.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import type { Logger } from '../../src/base/log.ts';
import { openMemoryStore } from '../../src/store/memory/memory-store.ts';
import { tokenPlaceholder } from './deep-inputs.ts';
import type { Input } from './request-parts.ts';
import { echoingConnector, furnish, guardedNamespace } from './surroundings.ts';
import { startTenantServer, type TenantServer } from './tenant-server.ts';

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

const quietMs = 25;
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
  - { level: RequestResponse, resources: [{ group: "", resources: [pods, pods/*, configmaps] }] }
  - { level: Request, verbs: [patch, delete] }
  - { level: Metadata }
`;

/** A server in this process, asked over HTTP/2 and TLS as any client asks it, one request after the other. */
export class Target {
  readonly #server: TestServer;
  readonly #access: Access;
  readonly #port: number;
  readonly #token: string;
  readonly #tenantServer: TenantServer;
  readonly #directory: string;
  readonly #sessions = new Map<boolean, ClientHttp2Session>();
  /** Errors the server logged since the last look. */
  readonly logged: string[];

  private constructor(made: {
    server: TestServer;
    port: number;
    access: Access;
    logged: string[];
    token: string;
    tenantServer: TenantServer;
    directory: string;
  }) {
    this.#server = made.server;
    this.#port = made.port;
    this.#access = made.access;
    this.logged = made.logged;
    this.#token = made.token;
    this.#tenantServer = made.tenantServer;
    this.#directory = made.directory;
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
    const directory = mkdtempSync(join(tmpdir(), 'skypod-fuzz-'));
    const policyFile = join(directory, 'audit.yaml');
    writeFileSync(policyFile, auditPolicy);
    const audit = { policyFile, logPath: join(directory, 'audit.log'), logMaxSize: 1, logMaxBackup: 1 };
    const server = await startTestServer(openMemoryStore(), { tenants: ['fuzz', 'other'], logger, clock, audit });
    const tenantServer = await startTenantServer(`hook.${guardedNamespace}.svc`);
    server.server.setConnector(echoingConnector(tenantServer));
    const { port } = await server.server.listen({ host: '127.0.0.1', port: 0 });
    const user = await server.authority.issueTenantUser('fuzz', 'fuzzer', ['system:masters']);
    const access = { ca: server.authority.certificatePem, cert: user.certificatePem, key: user.keyPem };
    await server.transport.request({
      method: 'POST',
      path: '/clusters/fuzz/api/v1/namespaces',
      body: { metadata: { name: 'fuzz-ns' } },
    });
    const token = await furnish(server.transport, tenantServer);
    return new Target({ server, port, access, logged, token, tenantServer, directory });
  }

  /** `number` is the input's: what the tenant's own server says follows from it. */
  async ask({ method, path, headers, body }: Input, number = 0): Promise<Answer> {
    this.#tenantServer.turnTo(number);
    if (method === 'RAW') return this.#say(body!);
    const given = { ...headers };
    const { authorization } = given;
    // Who has a certificate is whom that says.
    const session = await this.#connected(authorization?.includes(tokenPlaceholder) !== true);
    if (authorization !== undefined) given['authorization'] = authorization.replaceAll(tokenPlaceholder, this.#token);
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
        stream = session.request({ ...given, ':method': method, ':path': path }, { endStream: body === undefined });
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
      // The client's own library does not send it.
      stream.on('frameError', () => (code = -1));
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
    for (const session of this.#sessions.values()) session.destroy();
    await this.#server.close();
    await this.#tenantServer.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Bytes on a connection of their own, until it is quiet for a moment. */
  async #say(bytes: Buffer): Promise<Answer> {
    const before = process.cpuUsage();
    const socket = connectTls({ host: '127.0.0.1', port: this.#port, ...this.#access, ALPNProtocols: ['http/1.1'] });
    const chunks: Buffer[] = [];
    await new Promise<void>((resolve) => {
      socket.on('error', () => {});
      socket.on('close', () => resolve());
      let quiet: NodeJS.Timeout | undefined;
      const wait = () => {
        clearTimeout(quiet);
        quiet = setTimeout(() => socket.destroy(), quietMs);
      };
      socket.on('secureConnect', () => {
        socket.write(bytes);
        wait();
      });
      socket.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        wait();
      });
    });
    const { user, system } = process.cpuUsage(before);
    const code = Number(/^HTTP\/1\.[01] (\d{3})/.exec(Buffer.concat(chunks).toString('latin1'))?.[1] ?? -1);
    return { code, contentType: '', body: Buffer.concat(chunks), cpuMs: (user + system) / 1000 };
  }

  async #connected(hasCertificate: boolean): Promise<ClientHttp2Session> {
    const known = this.#sessions.get(hasCertificate);
    if (known !== undefined && !known.closed && !known.destroyed) return known;
    const { ca } = this.#access;
    const session = connect(`https://127.0.0.1:${this.#port}`, hasCertificate ? this.#access : { ca });
    session.on('error', () => {});
    await once(session, 'connect');
    this.#sessions.set(hasCertificate, session);
    return session;
  }
}
