import { badRequest, StatusError, unauthorized } from '../../api/status.ts';
import { ALL_TENANTS, SYSTEM_TENANT } from '../../api/tenants.ts';
import type { Answer } from '../answer.ts';
import type { Filter, Handler } from '../chain.ts';
import type { Identity } from '../identity/identity.ts';
import type { RequestContext } from '../request-context.ts';
import type { TenantBirth } from '../tenants/tenant-directory.ts';

/** So much may clocks of the machines differ that make tenants and their certificates. */
const clocksDifferMs = 60_000;

/** Whether a certificate was given out by another tenant of the name than the one there is. */
function isEarlier({ tenantUid, issuedMs }: Identity, birth: TenantBirth | undefined): boolean {
  if (birth === undefined) return false;
  return tenantUid === undefined ? issuedMs! + clocksDifferMs < birth.bornMs : tenantUid !== birth.uid;
}

const refused = (context: RequestContext, tenant: string) =>
  new StatusError(
    403,
    'Forbidden',
    `forbidden: User ${JSON.stringify(context.identity.name)} cannot use the API of tenant ${JSON.stringify(tenant)}`,
    {},
  );

/**
 * Which tenant's API is meant: the path's prefix, else the credential's tenant. A tenant's credential is good for its
 * own tenant only, whether the other one exists or not, so that nobody can probe for names.
 */
export function tenantResolutionFilter(
  exists: (tenant: string) => Promise<boolean> | boolean,
  birthOf?: (tenant: string) => TenantBirth | undefined,
): Filter {
  const enter = (context: RequestContext, next: Handler, isKnown: boolean): Promise<Answer> => {
    const { identity, tenant } = context;
    if (!isKnown) {
      throw new StatusError(404, 'NotFound', `tenants.tenancy.skypod.io ${JSON.stringify(tenant)} not found`, {
        name: tenant,
        group: 'tenancy.skypod.io',
        kind: 'tenants',
      });
    }
    // One of an earlier tenant of the name: what it gave out must not open the new one's API.
    if (identity.issuedMs !== undefined && isEarlier(identity, birthOf?.(tenant))) throw unauthorized();
    return next(context);
  };
  const enterAsStranger = async (context: RequestContext, next: Handler): Promise<Answer> => {
    const asked = context.info.tenantPrefix;
    // Nobody learns which tenants there are: an unknown one answers as one that gives strangers no more than all do.
    const known = asked !== undefined && asked !== ALL_TENANTS && (await exists(asked));
    context.tenant = known ? asked : '';
    return next(context);
  };
  // Every request passes here: without a promise of its own where there is nothing to wait for.
  return (context, next) => {
    const { identity, info } = context;
    const asked = info.tenantPrefix;
    if (identity.kind === 'anonymous') return enterAsStranger(context, next);
    if (identity.kind === 'tenant') {
      if (asked !== undefined && asked !== identity.tenant) throw refused(context, asked);
      context.tenant = identity.tenant!;
    } else if (identity.kind === 'host') {
      if (asked !== undefined && asked !== SYSTEM_TENANT) throw refused(context, asked);
      context.tenant = SYSTEM_TENANT;
    } else {
      context.tenant = asked ?? SYSTEM_TENANT;
      context.showTenant = asked !== undefined;
      if (asked === ALL_TENANTS) {
        const { verb, isResourceRequest } = info;
        if (isResourceRequest && verb !== 'list' && verb !== 'watch') {
          throw badRequest(`/clusters/${ALL_TENANTS} can only be listed and watched`);
        }
        return next(context);
      }
    }
    const known = exists(context.tenant);
    if (known instanceof Promise) return known.then((isKnown) => enter(context, next, isKnown));
    return enter(context, next, known);
  };
}
