import type { AnonymousConfiguration } from '../../api/authentication/configuration.ts';
import { unauthorized } from '../../api/status.ts';
import type { Filter } from '../chain.ts';
import { anonymous, type Identity, type TokenAuthenticator } from '../identity/identity.ts';
import type { RequestContext } from '../request-context.ts';

/** What a connection or a header says about the asker; made by `http/` before the chain. */
export interface Credentials {
  /** Of a client certificate: its identity, or `rejected` when it is not one of ours. */
  certificate?: Identity | 'rejected';
  bearerToken?: string;
}

/** Hears what came of asking who sends a request, for the metrics. `failure`: nothing was shown where something must be. */
export interface AuthenticationObserver {
  authenticated(result: 'success' | 'failure' | 'error', identity: Identity | undefined, durationMs: number): void;
}

/**
 * A certificate comes first, as upstream; a wrong one is refused even where a token or nothing would do. Who shows
 * nothing is `system:anonymous`: what that may do is up to the roles.
 */
export function authenticationFilter(
  credentialsOf: (context: RequestContext) => Credentials,
  tokens: TokenAuthenticator,
  /** undefined: strangers are anonymous everywhere. */
  strangersNow: () => AnonymousConfiguration | undefined = () => undefined,
  observer?: AuthenticationObserver,
  now: () => number = Date.now,
): Filter {
  const takesAnonymous = (path: string) => {
    const strangers = strangersNow();
    if (strangers === undefined) return true;
    const { enabled, conditions = [] } = strangers;
    return enabled && (conditions.length === 0 || conditions.some((one) => one.path === path));
  };

  // The handshake looked at the dates, once: a connection may outlive its certificate.
  const isOver = ({ validUntilMs }: Identity) => validUntilMs !== undefined && validUntilMs < now();

  /** undefined: the credentials are good for nothing. */
  const identify = (context: RequestContext, { certificate, bearerToken }: Credentials) => {
    if (certificate !== undefined) return certificate === 'rejected' || isOver(certificate) ? undefined : certificate;
    if (bearerToken !== undefined) return tokens.authenticate(bearerToken, context.info.tenantPrefix);
    return takesAnonymous(context.info.path) ? anonymous : undefined;
  };

  return async (context, next) => {
    const startedMs = performance.now();
    const credentials = credentialsOf(context);
    let identity: Identity | undefined;
    try {
      const pending = identify(context, credentials);
      identity = pending instanceof Promise ? await pending : pending;
    } finally {
      const isStranger = credentials.certificate === undefined && credentials.bearerToken === undefined;
      const result = identity !== undefined ? 'success' : isStranger ? 'failure' : 'error';
      observer?.authenticated(result, identity, performance.now() - startedMs);
    }
    if (identity === undefined) throw unauthorized();
    context.identity = identity;
    if (identity.secretToken?.warning !== undefined) context.warnings.push(identity.secretToken.warning);
    return next(context);
  };
}
