import { semanticEqual } from '../../api/equality.ts';
import { isDns1123Subdomain } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import type { FieldError } from '../../api/status.ts';
import { deviceKey } from '../../api/strategies/resource-claims.ts';
import { denial, resourceAttributes } from '../authorization/attributes.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { Identity } from '../identity/identity.ts';
import type { StatusWriteScope } from './hooks.ts';

const claims = { group: 'resource.k8s.io', version: 'v1', resource: 'resourceclaims' };
const nodeNameKey = 'authentication.kubernetes.io/node-name';

type Attributes = ReturnType<typeof resourceAttributes>;

/**
 * Who may write the status of claims at all needs more for its parts: `binding` to change what is allocated or reserved,
 * and `driver` under the driver's name for what it tells of devices, by a verb that says whether the writer runs on the
 * claim's own node. Source: AuthorizedForBinding and AuthorizedForDeviceStatus in pkg/registry/resource (KEP-4817).
 */
export async function statusRights(
  authorizer: Authorizer,
  claim: KubeObject,
  old: KubeObject,
  scope: StatusWriteScope,
): Promise<FieldError[]> {
  if (scope.identity.kind === 'platform') return [];
  const now = claim['status'] ?? {};
  const before = old['status'] ?? {};
  const found: FieldError[] = [];
  if (!semanticEqual(now.allocation, before.allocation) || !semanticEqual(now.reservedFor, before.reservedFor)) {
    const { tenant, verb } = scope;
    const refusal = await refusalOf(
      authorizer,
      scope.identity,
      resourceAttributes(tenant, { ...claims, verb, subresource: 'binding' }),
    );
    if (refusal !== undefined) {
      const needed = `resource="resourceclaims/binding", verb="${verb}"`;
      const message = `changing status.allocation or status.reservedFor requires ${needed} permission: ${refusal}`;
      found.push(forbiddenField('status.allocation', message));
    }
  }
  // Without an allocation all that was told of devices goes.
  if (now.allocation !== undefined) found.push(...(await driverRights(authorizer, now, before, scope)));
  return found;
}

async function driverRights(authorizer: Authorizer, now: any, before: any, scope: StatusWriteScope) {
  const { identity, tenant, namespace, verb } = scope;
  const found: FieldError[] = [];
  const verbs = [`arbitrary-node:${verb}`];
  if (runsOn(identity, allocatedNode(now.allocation))) verbs.unshift(`associated-node:${verb}`);
  for (const driver of [...changedDrivers(now.devices ?? [], before.devices ?? [])].sort()) {
    let refusal: string | undefined;
    for (const one of verbs) {
      const attributes = { ...claims, verb: one, subresource: 'driver', namespace, name: driver };
      const why = await refusalOf(authorizer, identity, resourceAttributes(tenant, attributes));
      if (why === undefined) {
        refusal = undefined;
        break;
      }
      refusal ??= why;
    }
    if (refusal === undefined) continue;
    const needed = `resource="resourceclaims/driver", verb="[${verbs.join(' ')}]"`;
    found.push(forbiddenField('status.devices', `changing status.devices requires ${needed} permission: ${refusal}`));
  }
  return found;
}

const forbiddenField = (field: string, why: string): FieldError => ({
  reason: 'FieldValueForbidden',
  field,
  message: `Forbidden: ${why}`,
});

/** Why not; undefined when it is allowed. */
async function refusalOf(
  authorizer: Authorizer,
  identity: Identity,
  attributes: Attributes,
): Promise<string | undefined> {
  const { allowed, reason, error } = await authorizer.authorize(identity, attributes);
  if (allowed) return undefined;
  const why = error === undefined ? reason : reason === '' ? error : `${error}: ${reason}`;
  return denial(identity, attributes, why);
}

function changedDrivers(now: any[], before: any[]): Set<string> {
  const drivers = new Set<string>();
  const left = new Map(before.map((device) => [deviceKey(device), device]));
  for (const device of now) {
    const key = deviceKey(device);
    const known = left.get(key);
    left.delete(key);
    if (known === undefined || !semanticEqual(known, device)) drivers.add(device.driver ?? '');
  }
  for (const device of left.values()) drivers.add(device.driver ?? '');
  return drivers;
}

/** The one node that an allocation is for; '' where it is for several. */
function allocatedNode(allocation: any): string {
  const terms: any[] = allocation?.nodeSelector?.nodeSelectorTerms ?? [];
  const [{ matchExpressions = [], matchFields = [] } = {} as any] = terms;
  if (terms.length !== 1 || matchExpressions.length > 0 || matchFields.length !== 1) return '';
  const [{ key, operator, values = [] }] = matchFields;
  return key === 'metadata.name' && operator === 'In' && values.length === 1 ? values[0] : '';
}

/** Whether it is a service account whose token is bound to the node. */
function runsOn({ name, extra }: Identity, nodeName: string): boolean {
  if (nodeName === '' || !/^system:serviceaccount:[^:]+:[^:]+$/.test(name)) return false;
  const nodeNames = extra?.[nodeNameKey] ?? [];
  return nodeNames.length === 1 && nodeNames[0] === nodeName && isDns1123Subdomain(nodeName).length === 0;
}
