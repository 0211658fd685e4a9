import { readFileSync } from 'node:fs';
import {
  type ConfiguredAuthorizer,
  parseAuthorizationConfiguration,
} from '../apiserver/authorization/webhook/configuration-file.ts';
import { FileTokens } from '../apiserver/identity/token-file.ts';
import type { TokenIssuerOptions } from '../apiserver/identity/token-issuers.ts';
import { type ReviewServer, readReviewServer } from '../apiserver/webhooks/review-client.ts';
import { CommandError } from './command-error.ts';

/** Names as of kube-apiserver's flags. */
export interface AccessFlags {
  authorizationConfig?: string;
  tokenAuthFile?: string;
  authenticationTokenWebhookConfigFile?: string;
  authenticationTokenWebhookVersion?: string;
  authenticationTokenWebhookCacheTtl?: string;
  serviceAccountKeyFile?: string;
  serviceAccountIssuer?: string;
  serviceAccountJwksUri?: string;
  serviceAccountMaxTokenExpiration?: string;
  serviceAccountExtendTokenExpiration?: string;
  apiAudiences?: string;
}

export const accessFlags: [keyof AccessFlags, string, string, string?][] = [
  [
    'authorizationConfig',
    '--authorization-config <file>',
    "authorizers that are asked what tenants' users may do (AuthorizationConfiguration); Node and RBAC when absent",
  ],
  ['tokenAuthFile', '--token-auth-file <file>', 'users that every tenant knows by a token: token,user,uid,"groups"'],
  [
    'authenticationTokenWebhookConfigFile',
    '--authentication-token-webhook-config-file <file>',
    'kubeconfig of a server that says whose tokens are (TokenReview)',
  ],
  [
    'authenticationTokenWebhookVersion',
    '--authentication-token-webhook-version <version>',
    'of the TokenReviews it gets',
    'v1beta1',
  ],
  [
    'authenticationTokenWebhookCacheTtl',
    '--authentication-token-webhook-cache-ttl <time>',
    'how long an answer is good',
    '2m',
  ],
  [
    'serviceAccountKeyFile',
    '--service-account-key-file <files>',
    "PEM files of keys that signed service accounts' tokens before, with commas between",
  ],
  [
    'serviceAccountIssuer',
    '--service-account-issuer <urls>',
    "what issuers of service accounts' tokens begin with (then /clusters/TENANT), with commas between: the first signs, all are believed (default: https://kubernetes.default.svc.cluster.local)",
  ],
  [
    'serviceAccountJwksUri',
    '--service-account-jwks-uri <url>',
    "where the keys of service accounts' tokens are to be found (default: below the issuer)",
  ],
  [
    'serviceAccountMaxTokenExpiration',
    '--service-account-max-token-expiration <time>',
    "for how long service accounts' tokens are given at most (default: for as long as is asked)",
  ],
  [
    'serviceAccountExtendTokenExpiration',
    '--service-account-extend-token-expiration <bool>',
    'whether tokens that pods are given unasked are good for a year (default: true)',
  ],
  [
    'apiAudiences',
    '--api-audiences <list>',
    'what the API calls itself, with commas between (default: the issuers, and https://kubernetes.default.svc)',
  ],
];

/** Given several times, as kube-apiserver takes them, or once with commas between. */
export const repeatableFlags: ReadonlySet<string> = new Set(['serviceAccountKeyFile', 'serviceAccountIssuer']);

export interface AccessSettings {
  /** undefined: Node and RBAC, as kubeadm starts a kube-apiserver. */
  authorizers: ConfiguredAuthorizer[] | undefined;
  tokenFile: FileTokens | undefined;
  tokenWebhook: { server: ReviewServer; version: 'v1' | 'v1beta1'; cacheTtlMs: number } | undefined;
  formerTokenKeys: string[];
  tokenIssuers: TokenIssuerOptions;
}

/** `parseDuration`: of a flag's text, in milliseconds. */
export function parseAccess(
  given: AccessFlags,
  parseDuration: (option: string, text: string) => number,
): AccessSettings {
  const read = <T>(option: string, path: string | undefined, parse: (path: string) => T): T | undefined => {
    if (path === undefined) return undefined;
    try {
      return parse(path);
    } catch (error) {
      throw new CommandError(`${option} ${path}: ${(error as Error).message}`);
    }
  };
  const text = (path: string) => readFileSync(path, 'utf8');
  const server = read(
    '--authentication-token-webhook-config-file',
    given.authenticationTokenWebhookConfigFile,
    readReviewServer,
  );
  const version = given.authenticationTokenWebhookVersion ?? 'v1beta1';
  if (version !== 'v1' && version !== 'v1beta1') {
    throw new CommandError(
      `--authentication-token-webhook-version ${version}: unsupported authentication webhook version, supported versions are "v1", "v1beta1"`,
    );
  }
  const cacheTtlMs = parseDuration(
    '--authentication-token-webhook-cache-ttl',
    given.authenticationTokenWebhookCacheTtl ?? '2m',
  );
  const keyFiles = (given.serviceAccountKeyFile ?? '').split(',').filter((path) => path !== '');
  return {
    authorizers: read('--authorization-config', given.authorizationConfig, (path) =>
      parseAuthorizationConfiguration(text(path)),
    ),
    tokenFile: read('--token-auth-file', given.tokenAuthFile, (path) => FileTokens.parse(text(path))),
    tokenWebhook: server === undefined ? undefined : { server, version, cacheTtlMs },
    formerTokenKeys: keyFiles.map((path) => read('--service-account-key-file', path, text)!),
    tokenIssuers: parseTokenIssuers(given, parseDuration),
  };
}

const shortestMaximumMs = 3_600_000;
const longestMaximumMs = 2 ** 32 * 1000;

/** Source of the bounds and of the words: Validate and completeServiceAccountOptions of kube-apiserver's options. */
function parseTokenIssuers(
  given: AccessFlags,
  parseDuration: (option: string, text: string) => number,
): TokenIssuerOptions {
  const options: { -readonly [Name in keyof TokenIssuerOptions]: TokenIssuerOptions[Name] } = {};
  if (given.serviceAccountIssuer !== undefined) {
    const issuers = given.serviceAccountIssuer.split(',');
    for (const [index, issuer] of issuers.entries()) {
      const named = `--service-account-issuer ${JSON.stringify(issuer)}`;
      if (issuer === '') throw new CommandError('--service-account-issuer should not be an empty string');
      if (issuer.includes(':') && !URL.canParse(issuer)) {
        throw new CommandError(`${named} contained a ':' but was not a valid URL`);
      }
      if (issuers.indexOf(issuer) < index) throw new CommandError(`${named} is already specified`);
    }
    options.serviceAccountIssuers = issuers;
  }
  const { serviceAccountJwksUri: uri, serviceAccountMaxTokenExpiration: maximum, apiAudiences } = given;
  if (uri !== undefined) {
    if (!URL.canParse(uri)) throw new CommandError(`--service-account-jwks-uri ${uri} must be a valid URL`);
    if (new URL(uri).protocol !== 'https:') {
      throw new CommandError(`--service-account-jwks-uri requires https scheme, parsed as: ${uri}`);
    }
    options.jwksUri = uri;
  }
  if (maximum !== undefined) {
    const maximumMs = parseDuration('--service-account-max-token-expiration', maximum);
    if (maximumMs < shortestMaximumMs || maximumMs > longestMaximumMs) {
      throw new CommandError('the --service-account-max-token-expiration must be between 1 hour and 2^32 seconds');
    }
    options.maxExpirationSeconds = Math.floor(maximumMs / 1000);
  }
  const extend = given.serviceAccountExtendTokenExpiration ?? 'true';
  if (extend !== 'true' && extend !== 'false') {
    throw new CommandError(`--service-account-extend-token-expiration ${extend}: true or false`);
  }
  options.extendExpiration = extend === 'true';
  if (apiAudiences !== undefined) {
    options.apiAudiences = apiAudiences.split(',').filter((audience) => audience !== '');
    if (options.apiAudiences.length === 0) throw new CommandError('--api-audiences names none');
  }
  return options;
}
