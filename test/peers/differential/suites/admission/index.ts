import type { Twin } from '../../twin.ts';
import { limits } from './limits.ts';
import { podPlugins } from './pods.ts';
import { quotas } from './quotas.ts';
import { podSecurity } from './security.ts';

/** What policies do that change objects, and with parameters. */
export { mutatingPolicies } from './mutating-policies.ts';
export { webhooks } from './webhooks.ts';

/** What the built-in plug-ins set, warn of and refuse. */
export async function admission(twin: Twin): Promise<void> {
  await podPlugins(twin);
  await limits(twin);
  await quotas(twin);
  await podSecurity(twin);
}
