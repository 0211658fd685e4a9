import { pathNotFound } from '../../api/status.ts';
import type { Aggregation } from '../aggregation/index.ts';
import { type Answer, objectAnswer } from '../answer.ts';
import type { Handler } from '../chain.ts';
import type { ServiceAccountTokens } from '../identity/service-account-tokens.ts';
import { issuerOf } from '../identity/service-account-tokens.ts';
import type { ResourceRegistry } from '../registry.ts';
import type { RequestContext } from '../request-context.ts';
import { createDiscovery } from './handler.ts';
import { type HealthCheck, health } from './health.ts';

/** GET /version. Source: apimachinery's version.Info. */
export interface VersionInfo {
  major: string;
  minor: string;
  gitVersion: string;
  gitCommit: string;
  gitTreeState: string;
  buildDate: string;
  goVersion: string;
  compiler: string;
  platform: string;
}

export interface NonResourceOptions {
  aggregation: Aggregation;
  registry: ResourceRegistry;
  tokens: ServiceAccountTokens;
  version: VersionInfo;
  checks: HealthCheck[];
  /** In Prometheus' text format. */
  metrics(context: RequestContext): Promise<string> | string;
  openApi(context: RequestContext): Answer | Promise<Answer>;
}

/** Every path that names no resource. */
export function createNonResourceHandler(options: NonResourceOptions): Handler {
  const discovery = createDiscovery(options.registry, options.aggregation);
  return async (context) => {
    const { path } = context.info;
    switch (path.split('/', 2)[1]) {
      case '':
        if (path === '/') return objectAnswer({ paths: rootPaths });
        throw pathNotFound();
      case 'api':
      case 'apis':
        return discovery(context);
      case 'version':
        return objectAnswer(options.version);
      case 'healthz':
      case 'livez':
      case 'readyz':
        return health(context, options.checks);
      case 'metrics':
        if (path === '/metrics') return metricsAnswer(await options.metrics(context));
        throw pathNotFound();
      case 'openapi':
        return options.openApi(context);
      case 'openid':
        if (path === '/openid/v1/jwks') return publicDocument('application/jwk-set+json', options.tokens.keySet);
        throw pathNotFound();
      case '.well-known':
        if (path === '/.well-known/openid-configuration') {
          return publicDocument('application/json', openIdConfiguration(context.tenant));
        }
        throw pathNotFound();
      default:
        throw pathNotFound();
    }
  };
}

const rootPaths = [
  '/.well-known/openid-configuration',
  '/api',
  '/api/v1',
  '/apis',
  '/healthz',
  '/livez',
  '/metrics',
  '/openapi/v2',
  '/openapi/v3',
  '/openid/v1/jwks',
  '/readyz',
  '/version',
];

function metricsAnswer(text: string): Answer {
  return { type: 'bytes', code: 200, contentType: 'text/plain; version=0.0.4; charset=utf-8', bytes: text };
}

/** Any verifier may keep these for an hour, as upstream's. */
function publicDocument(contentType: string, document: object): Answer {
  const headers = { 'cache-control': 'public, max-age=3600' };
  return { type: 'bytes', code: 200, contentType, bytes: JSON.stringify(document), headers };
}

function openIdConfiguration(tenant: string): object {
  const issuer = issuerOf(tenant);
  return {
    issuer,
    jwks_uri: `${issuer}/openid/v1/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  };
}
