import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import { badRequest, StatusError } from '../../api/status.ts';
import { ALL_TENANTS } from '../../api/tenants.ts';
import type { Answer } from '../answer.ts';
import { forward } from '../connect/forward.ts';
import { rewritten } from '../connect/proxy.ts';
import type { ServiceDialer } from '../connect/service-dialer.ts';
import { isLongRunning, requestTimeoutMs } from '../filters/request-deadline.ts';
import type { RequestContext } from '../request-context.ts';
import { isAvailable } from './api-service.ts';
import type { ApiServiceCatalog } from './catalog.ts';
import { type FrontProxy, remoteUserHeaders, tlsOptions } from './front-proxy.ts';

export interface RemoteHandlerOptions {
  catalog: ApiServiceCatalog;
  pass(context: RequestContext, service: APIService): Promise<Answer>;
  /** Built-in groups and versions stay the server's own, whatever a tenant registers. */
  isOwn(group: string, version: string): boolean;
}

/** Answers what belongs to a tenant's own API servers; undefined: it is not theirs. */
export type RemoteHandler = (context: RequestContext) => Promise<Answer> | undefined;

export function createRemoteHandler({ catalog, pass, isOwn }: RemoteHandlerOptions): RemoteHandler {
  return (context) => {
    const { tenant, info } = context;
    if (tenant === ALL_TENANTS || !info.path.startsWith('/apis/')) return undefined;
    const [, , group = '', version = ''] = info.path.split('/', 4);
    if (version === '') return undefined;
    const service = catalog.remote(tenant, group, version);
    if (service === undefined || isOwn(group, version)) return undefined;
    // Its own server would read one segment as several, and so as something that nobody was asked about.
    const { namespace, resource, name, subresource } = info;
    if ([namespace, resource, name, subresource].some((segment) => segment.includes('/'))) {
      throw badRequest(`encoded slashes are not allowed in ${JSON.stringify(info.rawPath)}`);
    }
    return pass(context, service);
  };
}

/** The request, in its user's name, to the server behind an APIService. Source: kube-aggregator's proxyHandler. */
export async function passToServer(
  context: RequestContext,
  service: APIService,
  dialService: ServiceDialer,
  frontProxy: FrontProxy,
  answerWithinMs = requestTimeoutMs,
): Promise<Answer> {
  if (!isAvailable(service)) return failed(context, 'service unavailable');
  const { info, identity, tenant, rawQuery } = context;
  const { name = '', namespace = '', port = 443 } = service.spec.service!;
  const prefix = info.tenantPrefix === undefined ? '' : `/clusters/${encodeURIComponent(info.tenantPrefix)}`;
  const requestHost = String(context.headers['host'] ?? context.headers[':authority'] ?? '');
  return forward(context, {
    dial: () => dialService({ tenant, namespace, name, port: String(port) }),
    tls: await tlsOptions(service, frontProxy, tenant),
    path: `${info.rawPath}${rawQuery === '' ? '' : `?${rawQuery}`}`,
    headers: { ...remoteUserHeaders(identity), 'x-forwarded-uri': `${prefix}${info.rawPath}` },
    ...(!isLongRunning(info) && { answerWithinMs }),
    onFailure: (error) =>
      failed(
        context,
        error instanceof StatusError ? 'service unavailable' : `error trying to reach service: ${error.message}`,
      ),
    onResponse: (response, headers) => rewritten(response, headers, { prefix, requestHost }),
  });
}

/** As Go's http.Error writes it; components of this process get the error itself. */
function failed(context: RequestContext, text: string): Answer {
  if (context.inProcess) throw new StatusError(503, 'ServiceUnavailable', text);
  return {
    type: 'bytes',
    code: 503,
    contentType: 'text/plain; charset=utf-8',
    bytes: `${text}\n`,
    headers: { 'x-content-type-options': 'nosniff' },
  };
}
