import { readFileSync } from 'node:fs';
import {
  type ConfiguredAuthorizer,
  parseAuthorizationConfiguration,
} from '../apiserver/authorization/webhook/configuration-file.ts';
import { FileTokens } from '../apiserver/identity/token-file.ts';
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
}

export const accessFlags: [keyof AccessFlags, string, string, string?][] = [
  [
    'authorizationConfig',
    '--authorization-config <file>',
    "authorizers that are asked what tenants' users may do (AuthorizationConfiguration); roles alone when absent",
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
];

export interface AccessSettings {
  /** undefined: roles alone. */
  authorizers: ConfiguredAuthorizer[] | undefined;
  tokenFile: FileTokens | undefined;
  tokenWebhook: { server: ReviewServer; version: 'v1' | 'v1beta1'; cacheTtlMs: number } | undefined;
  formerTokenKeys: string[];
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
  };
}
