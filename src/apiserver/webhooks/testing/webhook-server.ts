import { createServer } from 'node:https';
import { connect } from 'node:net';
import type { Transport } from '../../../api/transport.ts';
import { listenLocally } from '../../../base/testing/local-server.ts';
import { CertificateAuthority } from '../../identity/certificate-authority.ts';

export interface Call {
  path: string;
  body: any;
  headers: NodeJS.Dict<string | string[]>;
  /** Cuts the connection. */
  cut(): void;
}

export interface WebhookServer {
  port: number;
  /** Base64 of its certificate authority's PEM. */
  caBundle: string;
  /** All calls so far. */
  calls: Call[];
  /** TCP connections so far. */
  connections(): number;
  /** What it answers to a path; unknown paths get 404. May be changed at any time. */
  handlers: Record<string, (call: Call) => unknown>;
  close(): Promise<void>;
}

/** What a handler gives to answer with more than JSON. */
export class RawAnswer {
  readonly code: number;
  readonly text: string;

  constructor(code: number, text: string) {
    this.code = code;
    this.text = text;
  }
}

/** A real HTTPS server with a certificate for `names`. */
export async function startWebhookServer(names: string[]): Promise<WebhookServer> {
  const authority = await CertificateAuthority.create();
  const { certificatePem, keyPem } = await authority.issueServing(names);
  const calls: Call[] = [];
  const handlers: WebhookServer['handlers'] = {};
  let connections = 0;
  const server = createServer({ cert: certificatePem, key: keyPem }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', async () => {
      const path = request.url!.split('?')[0]!;
      const call = {
        path: request.url!,
        body: JSON.parse(Buffer.concat(chunks).toString()),
        headers: request.headers,
        cut: () => void request.socket.destroy(),
      };
      calls.push(call);
      const answer = handlers[path] === undefined ? new RawAnswer(404, 'nothing here') : await handlers[path](call);
      if (request.socket.destroyed) return;
      if (answer instanceof RawAnswer) response.writeHead(answer.code).end(answer.text);
      else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
  });
  server.on('connection', () => connections++);
  server.on('tlsClientError', () => {});
  const port = await listenLocally(server);
  return {
    port,
    caBundle: Buffer.from(authority.certificatePem).toString('base64'),
    calls,
    connections: () => connections,
    handlers,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Dials a local port whatever pod is meant: what a host that carries the VPC does. */
export const localConnector = (portOf: () => number) =>
  ({
    dial: async () => {
      const socket = connect(portOf(), '127.0.0.1');
      await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
      return socket;
    },
  }) as never;

/** A service with one ready endpoint, so that it can be dialled. */
export async function exposeService(transport: Transport, tenant: string, namespace: string, name: string) {
  const at = (api: string, resource: string) => `/clusters/${tenant}${api}/namespaces/${namespace}/${resource}`;
  const post = (path: string, body: object) => transport.request({ method: 'POST', path, body });
  await post(at('/api/v1', 'pods'), {
    metadata: { name: `${name}-0` },
    spec: { containers: [{ name: 'hook', image: 'hook' }] },
  });
  await post(at('/api/v1', 'services'), { metadata: { name }, spec: { ports: [{ port: 443 }] } });
  await post(at('/apis/discovery.k8s.io/v1', 'endpointslices'), {
    metadata: { name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ port: 8443 }],
    endpoints: [{ addresses: ['10.128.0.9'], targetRef: { kind: 'Pod', name: `${name}-0` } }],
  });
}
