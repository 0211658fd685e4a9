import type { AnonymousConfiguration } from '../../api/authentication/configuration.ts';
import { unauthorized } from '../../api/status.ts';
import type { Filter } from '../chain.ts';
import { anonymous, type Identity } from '../identity/identity.ts';
import type { RequestContext } from '../request-context.ts';

/** What a connection or a header says about the asker; made by `http/` before the chain. */
export interface Credentials {
  /** Of a client certificate: its identity, or `rejected` when it is not one of ours. */
  certificate?: Identity | 'rejected';
  bearerToken?: string;
}

export interface TokenAuthenticator {
  /**
   * The identity behind a bearer token that the API server itself is the audience of; undefined: not valid.
   * `tenantPrefix` is the tenant the path names, for tokens that do not say theirs.
   */
  authenticate(token: string, tenantPrefix: string | undefined): Promise<Identity | undefined>;
}

/**
 * A certificate comes first, as upstream; a wrong one is refused even where a token or nothing would do. Who shows
 * nothing is `system:anonymous`: what that may do is up to the roles.
 */
export function authenticationFilter(
  credentialsOf: (context: RequestContext) => Credentials,
  tokens: TokenAuthenticator,
  /** Absent: strangers are anonymous everywhere. */
  strangers?: AnonymousConfiguration,
): Filter {
  const takesAnonymous = (path: string) =>
    strangers === undefined ||
    (strangers.enabled &&
      ((strangers.conditions ?? []).length === 0 || strangers.conditions!.some((one) => one.path === path)));

  return async (context, next) => {
    const { certificate, bearerToken } = credentialsOf(context);
    if (certificate === 'rejected') throw unauthorized();
    if (certificate !== undefined) {
      context.identity = certificate;
    } else if (bearerToken !== undefined) {
      const identity = await tokens.authenticate(bearerToken, context.info.tenantPrefix);
      if (identity === undefined) throw unauthorized();
      context.identity = identity;
    } else {
      if (!takesAnonymous(context.info.path)) throw unauthorized();
      context.identity = anonymous;
    }
    return next(context);
  };
}
