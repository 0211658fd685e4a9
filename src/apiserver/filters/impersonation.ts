import { badRequest } from '../../api/status.ts';
import { ALL_TENANTS } from '../../api/tenants.ts';
import { attributesOf } from '../authorization/attributes.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { Filter } from '../chain.ts';
import { impersonate } from '../impersonation/modes.ts';
import { type WantedUser, wantedUser } from '../impersonation/wanted-user.ts';
import type { RequestContext } from '../request-context.ts';

/**
 * The identity becomes the one asked for, if the asker may impersonate it. Comes after tenant resolution: whoever asks,
 * the new identity is one of that tenant, and sees what its users see.
 */
export function impersonationFilter(authorizer: Authorizer): Filter {
  return async (context, next) => {
    const wanted = readWanted(context);
    if (wanted === undefined) return next(context);
    try {
      if (context.tenant === ALL_TENANTS) throw badRequest('nobody can be impersonated in all tenants at once');
      context.identity = await impersonate(authorizer, context.identity, wanted, attributesOf(context));
    } catch (error) {
      throw refusal(context, error);
    }
    context.showTenant = false;
    return next(context);
  };
}

function readWanted(context: RequestContext): WantedUser | undefined {
  try {
    return wantedUser(context.rawHeaders);
  } catch (error) {
    throw refusal(context, error);
  }
}

/** What filters refuse says so too, as upstream. */
function refusal(context: RequestContext, error: unknown): unknown {
  context.responseHeaders = { ...context.responseHeaders, 'x-content-type-options': 'nosniff' };
  return error;
}
