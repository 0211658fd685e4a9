import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import type { KubeObject } from '../../api/object.ts';
import { badRequest, StatusError } from '../../api/status.ts';
import type { Answer } from '../answer.ts';
import type { Environment } from '../environment.ts';
import type { ResourceRequest } from '../verbs/scope.ts';
import { podAndConnector } from './containers.ts';

/** `[scheme:]name[:port]`, as in `services/https:web:443/proxy`. */
interface ProxyTarget {
  scheme: 'http' | 'https';
  name: string;
  port: string;
}

function parseTarget(text: string): ProxyTarget {
  const parts = text.split(':');
  if (parts.length === 3 && ['', 'http', 'https'].includes(parts[0]!)) {
    return { scheme: parts[0] === 'https' ? 'https' : 'http', name: parts[1]!, port: parts[2]! };
  }
  if (parts.length > 2) throw badRequest(`invalid service request ${JSON.stringify(text)}`);
  return { scheme: 'http', name: parts[0]!, port: parts[1] ?? '' };
}

export async function proxy(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { resource } = request.definition;
  if (resource === 'services') return serviceProxy(environment, request);
  if (resource === 'pods') return podProxy(environment, request);
  throw badRequest('no kubelet stands behind a virtual node');
}

/** `pods/NAME/proxy/PATH`: an HTTP request to a port of the pod, through a host that carries its VPC. */
async function podProxy(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const target = parseTarget(request.name);
  const { pod, connector } = await podAndConnector(environment, { ...request, name: target.name });
  const port = target.port === '' ? firstPort(pod) : numericPort(pod, target.port);
  return forward(request, target, () => connector.dial(pod, port));
}

function firstPort(pod: KubeObject): number {
  for (const container of pod['spec'].containers ?? []) {
    for (const port of container.ports ?? []) return port.containerPort;
  }
  return 80;
}

function numericPort(pod: KubeObject, text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  for (const container of pod['spec'].containers ?? []) {
    for (const port of container.ports ?? []) if (port.name === text) return port.containerPort;
  }
  throw badRequest(`no port named ${JSON.stringify(text)} in pod ${pod.metadata.name}`);
}

/** `services/NAME/proxy/PATH`: as above, to one of the service's ready endpoints. */
async function serviceProxy(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { tenant, namespace } = request;
  const target = parseTarget(request.name);
  return forward(request, target, () => environment.dialService({ ...target, tenant, namespace }));
}

/** Headers that belong to one connection, or to us. */
const ownHeaders = new Set(['connection', 'keep-alive', 'upgrade', 'transfer-encoding', 'te', 'host', 'authorization']);

/** Relative links of a page at `…/proxy` would lead elsewhere. Source: apimachinery's proxyRedirectsforRootPath. */
function toTrailingSlash({ context }: ResourceRequest): Answer {
  const { tenantPrefix, path } = context.info;
  const prefix = tenantPrefix === undefined ? '' : `/clusters/${encodeURIComponent(tenantPrefix)}`;
  const location = `${prefix}${path}/${context.rawQuery === '' ? '' : `?${context.rawQuery}`}`;
  return { type: 'bytes', code: 301, contentType: 'text/plain', bytes: '', headers: { location } };
}

async function forward(request: ResourceRequest, target: ProxyTarget, dial: () => Promise<Duplex>): Promise<Answer> {
  const { context } = request;
  const isRead = context.method === 'GET' || context.method === 'HEAD';
  if (isRead && context.info.rest === '' && !context.info.path.endsWith('/')) return toTrailingSlash(request);
  const body = isRead ? undefined : await context.readBody();
  const raw = await dial();
  // A pod's certificate is its own affair: the way there is ours.
  const socket = target.scheme === 'https' ? tlsConnect({ socket: raw, rejectUnauthorized: false }) : raw;
  const search = context.rawQuery === '' ? '' : `?${context.rawQuery}`;
  const headers: Record<string, string | string[]> = { host: target.name };
  for (const [name, value] of Object.entries(context.headers)) {
    const isOurs = ownHeaders.has(name) || name.startsWith(':') || name.startsWith('impersonate-');
    if (value !== undefined && !isOurs) headers[name] = value;
  }
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = httpRequest({
      method: context.method,
      path: `/${context.info.rest}${search}`,
      headers,
      createConnection: () => socket,
      signal: context.signal,
    });
    outgoing.on('response', resolve);
    outgoing.on('error', (error) => {
      raw.destroy();
      reject(new StatusError(503, 'ServiceUnavailable', `error trying to reach service: ${error.message}`));
    });
    outgoing.end(body?.type === 'bytes' ? body.bytes : undefined);
  });
  const answered: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined && !ownHeaders.has(name)) answered[name] = [value].flat().join(', ');
  }
  const { 'content-type': contentType = 'application/octet-stream', ...rest } = answered;
  return { type: 'stream', code: response.statusCode ?? 502, contentType, headers: rest, chunks: response };
}
