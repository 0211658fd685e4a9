import { CONTAINER_INSTANCES } from '../../api/resources.ts';
import { ALL_TENANTS, SYSTEM_TENANT } from '../../api/tenants.ts';
import type { Answer } from '../answer.ts';
import type { Filter, Handler } from '../chain.ts';
import type { Scheduler } from '../fairness/scheduler.ts';
import type { RequestContext } from '../request-context.ts';

/**
 * What components of this process write for a tenant is the tenant's to wait for: a thousand Deployments at once must
 * not hold the loop for their thousand replica sets while another tenant asks for a pod. The write takes one slice of
 * the tenant's, and another what its writer does upon the answer. Costs nothing while tenants are not there together.
 */
export function backgroundWorkFilter(scheduler: Scheduler): Filter {
  const writeFor = async (account: string, context: RequestContext, next: Handler): Promise<Answer> => {
    const before = scheduler.background(account);
    if (before !== undefined) await before;
    const answer = await next(context);
    const after = scheduler.background(account);
    if (after !== undefined) await after;
    return answer;
  };
  return (context, next) => {
    const account = context.method === 'GET' ? undefined : accountOf(context);
    return account === undefined ? next(context) : writeFor(account, context, next);
  };
}

/** Container instances are the system's, and stand in a namespace named for the tenant whose pods they are. */
function accountOf({ tenant, info }: RequestContext): string | undefined {
  if (tenant === ALL_TENANTS) return undefined;
  if (tenant !== SYSTEM_TENANT) return tenant;
  const isInstance = info.group === CONTAINER_INSTANCES.group && info.resource === CONTAINER_INSTANCES.resource;
  return isInstance && info.namespace !== '' ? info.namespace : undefined;
}
