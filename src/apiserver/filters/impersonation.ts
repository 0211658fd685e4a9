import { badRequest } from '../../api/status.ts';
import { ALL_TENANTS } from '../../api/tenants.ts';
import { attributesOf } from '../authorization/attributes.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { Filter } from '../chain.ts';
import { impersonate } from '../impersonation/modes.ts';
import { wantedUser } from '../impersonation/wanted-user.ts';

/**
 * The identity becomes the one asked for, if the asker may impersonate it. Comes after tenant resolution: whoever asks,
 * the new identity is one of that tenant, and sees what its users see.
 */
export function impersonationFilter(authorizer: Authorizer): Filter {
  return async (context, next) => {
    const wanted = wantedUser(context.rawHeaders);
    if (wanted === undefined) return next(context);
    if (context.tenant === ALL_TENANTS) throw badRequest('nobody can be impersonated in all tenants at once');
    context.identity = await impersonate(authorizer, context.identity, wanted, attributesOf(context));
    context.showTenant = false;
    return next(context);
  };
}
