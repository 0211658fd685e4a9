import { notAcceptable, pageNotFound } from '../../api/status.ts';
import type { Aggregation } from '../aggregation/index.ts';
import { type Answer, objectAnswer } from '../answer.ts';
import type { Handler } from '../chain.ts';
import type { ServiceAccountTokens } from '../identity/service-account-tokens.ts';
import type { ResourceRegistry } from '../registry.ts';
import type { RequestContext } from '../request-context.ts';
import { methodNotAllowedHere } from '../verbs/scope.ts';
import { createDiscovery } from './handler.ts';
import { checksOf, type HealthCheck, HealthRecord, health } from './health.ts';

/** GET /version. Source: apimachinery's version.Info. */
export interface VersionInfo {
  major: string;
  minor: string;
  emulationMajor: string;
  emulationMinor: string;
  minCompatibilityMajor: string;
  minCompatibilityMinor: string;
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
  /** `10.0.0.1:6443` */
  serverAddress: string;
  /** In Prometheus' text format. */
  metrics(context: RequestContext): Promise<string> | string;
  openApi(context: RequestContext): Answer | Promise<Answer>;
}

/** Every path that names no resource. */
export function createNonResourceHandler(options: NonResourceOptions): Handler {
  const discovery = createDiscovery(options.registry, options.aggregation, options.serverAddress);
  const record = new HealthRecord();
  const rootAnswer = (context: RequestContext) => objectAnswer({ paths: rootPaths(options, context) });
  return async (context) => {
    const { path } = context.info;
    switch (path.split('/', 2)[1]) {
      case '':
        if (path === '/') return rootAnswer(context);
        throw pageNotFound();
      case 'index.html':
        if (path === '/index.html') return rootAnswer(context);
        throw pageNotFound();
      case 'api':
      case 'apis':
        return discovery(context);
      case 'version':
        if (path !== '/version' && path !== '/version/') throw pageNotFound();
        if (context.method !== 'GET') throw methodNotAllowedHere();
        checkVersionRoute(context.accept);
        return objectAnswer(options.version);
      case 'healthz':
      case 'livez':
      case 'readyz':
        return health(context, options.checks, record);
      case 'metrics':
        if (path === '/metrics') return metricsAnswer(await options.metrics(context));
        if (path === '/metrics/slis') return metricsAnswer(record.text());
        throw pageNotFound();
      case 'openapi':
        return options.openApi(context);
      case 'openid':
        if (path === '/openid/v1/jwks' && options.tokens.issuers.discovery(context.tenant) !== undefined)
          return publicDocument('application/jwk-set+json', options.tokens.keySet);
        throw pageNotFound();
      case '.well-known':
        if (path === '/.well-known/openid-configuration') {
          const found = options.tokens.issuers.discovery(context.tenant);
          if (found !== undefined) return publicDocument('application/json', openIdConfiguration(found));
        }
        throw pageNotFound();
      default:
        throw pageNotFound();
    }
  };
}

/** Source: apiserver's routes.Index. */
function rootPaths({ registry, aggregation, checks }: NonResourceOptions, { tenant }: RequestContext): string[] {
  const served = [...registry.definitions(tenant), ...aggregation.remoteVersions(tenant)];
  const paths = served.flatMap(({ group, version }) =>
    group === '' ? [] : [`/apis/${group}`, `/apis/${group}/${version}`],
  );
  for (const root of ['healthz', 'livez', 'readyz']) {
    paths.push(`/${root}`, ...checksOf(root, checks).map(({ name }) => `/${root}/${name}`));
  }
  return [...new Set([...plainPaths, ...paths])].sort();
}

const plainPaths = [
  '/.well-known/openid-configuration',
  '/api',
  '/api/v1',
  '/apis',
  '/apis/',
  '/metrics',
  '/metrics/slis',
  '/openapi/v2',
  '/openapi/v3',
  '/openapi/v3/',
  '/openid/v1/jwks',
  '/version',
];

function checkVersionRoute(accept: string): void {
  if (accept === '') return;
  const types = accept.split(',').map((part) => part.split(';', 1)[0]!.trim());
  if (types.some((type) => type === '*/*' || type === 'application/json')) return;
  throw notAcceptable('406: Not Acceptable\n\nAvailable representations: application/json', {});
}

function metricsAnswer(text: string): Answer {
  return { type: 'bytes', code: 200, contentType: 'text/plain; version=0.0.4; charset=utf-8', bytes: text };
}

/** Any verifier may keep these for an hour, as upstream's. */
function publicDocument(contentType: string, document: object): Answer {
  const headers = { 'cache-control': 'public, max-age=3600' };
  return { type: 'bytes', code: 200, contentType, bytes: JSON.stringify(document), headers };
}

function openIdConfiguration({ issuer, jwksUri }: { issuer: string; jwksUri: string }): object {
  return {
    issuer,
    jwks_uri: jwksUri,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  };
}
