import { createDeflateRaw, createGunzip, createGzip, createInflateRaw } from 'node:zlib';
import type { KubeObject } from '../../api/object.ts';
import { badRequest, notFound, StatusError, serviceUnavailable } from '../../api/status.ts';
import { type Answer, objectAnswer } from '../answer.ts';
import type { Environment } from '../environment.ts';
import type { ResourceRequest } from '../verbs/scope.ts';
import { podAndConnector } from './containers.ts';
import { type ForwardTarget, forward, upgradeOf } from './forward.ts';
import { nodeProxy } from './node-proxy.ts';
import { joinPaths, type LinkRewriting, linkRewriter, rewriteUrl } from './rewrite-links.ts';

/** `[scheme:]name[:port]`, as in `services/https:web:443/proxy`. */
interface ProxyTarget {
  scheme: 'http' | 'https';
  name: string;
  port: string;
}

/** Source: apimachinery's SplitSchemeNamePort. */
function parseTarget(text: string, kind: 'pod' | 'service'): ProxyTarget {
  const parts = text.split(':');
  const [first = '', second = '', third = ''] = parts;
  const refused = () => badRequest(`invalid ${kind} request ${JSON.stringify(text)}`);
  if (parts.length > 3) throw refused();
  if (parts.length === 3) {
    if (!['', 'http', 'https'].includes(first) || second === '') throw refused();
    return { scheme: first === 'https' ? 'https' : 'http', name: second, port: third };
  }
  if (first === '') throw refused();
  return { scheme: 'http', name: first, port: second };
}

/** `pods/NAME/proxy/PATH`, `services/…`, `nodes/…`: a request passed on into the tenant's VPC. */
export async function proxy(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { resource } = request.definition;
  if (resource === 'services') return serviceProxy(environment, request);
  if (resource === 'pods') return podProxy(environment, request);
  return nodeProxy(environment, request);
}

/** To a port of the pod, through a host that carries its VPC. */
async function podProxy(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const target = parseTarget(request.name, 'pod');
  const { pod, connector } = await podAndConnector(environment, { ...request, name: target.name });
  const port = target.port === '' ? firstPort(pod) : numericPort(pod, target.port);
  const address = pod['status']?.podIP;
  if (!address) throw badRequest('address not allowed');
  return pass(request, target, { dial: () => connector.dial(pod, port), sourceHost: `${address}:${port}` });
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

/** As above, to one of the service's ready endpoints. */
async function serviceProxy(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { tenant, namespace } = request;
  const target = parseTarget(request.name, 'service');
  // Before it is looked where a page's links would lead.
  const service = await environment.objects.get(request.definition, tenant, namespace, target.name);
  if (service === undefined) throw notFound(request.definition, target.name);
  return pass(request, target, { dial: () => environment.dialService({ ...target, tenant, namespace }) });
}

/** The path as the client sent it, up to and with `proxy`: what leads a page's links back here. */
function prefixOf({ context }: ResourceRequest): string {
  const { tenantPrefix, rawPath: path, rest } = context.info;
  const own = rest === '' ? path.replace(/\/$/, '') : path.slice(0, path.length - rest.length - 1);
  return tenantPrefix === undefined ? own : `/clusters/${encodeURIComponent(tenantPrefix)}${own}`;
}

/** Relative links of a page at `…/proxy` would lead elsewhere. Source: apimachinery's proxyRedirectsforRootPath. */
function toTrailingSlash(request: ResourceRequest): Answer {
  const { rawQuery } = request.context;
  const location = `${prefixOf(request)}/${rawQuery === '' ? '' : `?${rawQuery}`}`;
  return { type: 'bytes', code: 301, contentType: 'text/plain', bytes: '', headers: { location } };
}

async function pass(
  request: ResourceRequest,
  { scheme }: ProxyTarget,
  server: Pick<ForwardTarget, 'dial'> & { sourceHost?: string },
): Promise<Answer> {
  const { context } = request;
  const { rest, path } = context.info;
  const isRead = context.method === 'GET' || context.method === 'HEAD';
  if (isRead && rest === '' && !path.endsWith('/') && upgradeOf(context) === undefined) return toTrailingSlash(request);
  const prefix = prefixOf(request);
  const requestHost = String(context.headers['host'] ?? context.headers[':authority'] ?? '');
  const rewriting: LinkRewriting = { prefix, sourceHost: server.sourceHost, requestHost };
  return forward(context, {
    dial: server.dial,
    // A pod's certificate is its own affair: the way there is ours.
    ...(scheme === 'https' && { tls: { rejectUnauthorized: false } }),
    path: `/${rest}${context.rawQuery === '' ? '' : `?${context.rawQuery}`}`,
    headers: { 'x-forwarded-uri': joinPaths(prefix, `/${rest}`) },
    onFailure(error) {
      const status =
        error instanceof StatusError ? error : serviceUnavailable(`error trying to reach service: ${error.message}`);
      return objectAnswer(status.toStatus(), status.code);
    },
    onResponse: (response, headers) => rewritten(response, headers, rewriting),
  });
}

/** Redirects and pages lead through the proxy again; everything else passes as it is. */
export const rewritten: NonNullable<RewriteResponse> = (response, headers, rewriting) => {
  const { location } = headers;
  if (typeof location === 'string') {
    return { headers: { ...headers, location: rewriteUrl(location, rewriting) }, body: response };
  }
  const contentType = String(headers['content-type'] ?? '')
    .split(';', 1)[0]!
    .trim();
  const encoding = String(headers['content-encoding'] ?? '');
  if (contentType !== 'text/html' || !['', 'gzip', 'deflate'].includes(encoding)) return { headers, body: response };
  const { 'content-length': _length, ...others } = headers;
  const rewriter = linkRewriter(rewriting);
  const stages =
    encoding === 'gzip'
      ? [createGunzip(), rewriter, createGzip()]
      : encoding === 'deflate'
        ? [createInflateRaw(), rewriter, createDeflateRaw()]
        : [rewriter];
  const failed = (error: Error) => {
    for (const stage of stages) stage.destroy(error);
    response.destroy();
  };
  let body: import('node:stream').Readable = response;
  response.on('error', failed);
  for (const stage of stages) {
    stage.on('error', failed);
    body = body.pipe(stage);
  }
  // Whoever reads the end of the chain and leaves has left the server too.
  body.on('close', () => response.destroy());
  return { headers: others, body };
};

type RewriteResponse = (
  response: Parameters<NonNullable<ForwardTarget['onResponse']>>[0],
  headers: Record<string, string | string[]>,
  rewriting: LinkRewriting,
) => ReturnType<NonNullable<ForwardTarget['onResponse']>>;
