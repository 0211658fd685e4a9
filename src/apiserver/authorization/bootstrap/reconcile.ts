import { deepEqual, semanticEqual } from '../../../api/equality.ts';
import type { KubeObject } from '../../../api/object.ts';
import type { Steps } from '../../../base/steps.ts';
import type { Environment } from '../../environment.ts';
import { platformIdentity } from '../../identity/identity.ts';
import { updateObject } from '../../verbs/objects/update-object.ts';
import { missingRules } from '../rbac/cover.ts';
import type { Subject } from '../rbac/subjects.ts';
import { type BootstrapObject, bootstrapObjects } from './policy.ts';

const AUTO_UPDATE = 'rbac.authorization.kubernetes.io/autoupdate';

/**
 * Gives back to the roles and bindings that tenants start with and have changed what was taken from them, unless they
 * say that they are not to be updated; what was added to them stays. Once at a start, as kube-apiserver, and beside
 * requests: a tenant's roles may be long. Source: pkg/registry/rbac/rest/storage_rbac.go and
 * component-helpers/auth/rbac/reconciliation.
 */
export async function reconcileDefaults(environment: Environment, isStopped: () => boolean): Promise<void> {
  const { objects, registry, logger } = environment;
  const identity = platformIdentity('skypod:rbac-defaults');
  for (const [qualified, defaults] of Object.entries(bootstrapObjects)) {
    const dot = qualified.indexOf('.');
    const resource = { group: qualified.slice(dot + 1), resource: qualified.slice(0, dot) };
    const definition = registry.definitions('').find((one) => isSame(one, resource));
    if (definition === undefined) continue;
    const expected = new Map(defaults.map((one) => [placeOf(one.metadata), one]));
    for (const { object, tenant, namespace, name } of [
      ...(await objects.cache(resource)).entries({ tenant: undefined }),
    ]) {
      const original = expected.get(placeOf({ namespace, name }));
      if (isStopped()) return;
      if (original === undefined) continue;
      try {
        const after = await inParts(reconciled(object, original));
        if (after === undefined) continue;
        const { resourceVersion } = object.metadata;
        await updateObject(environment, {
          definition,
          subresource: '',
          tenant,
          namespace,
          name,
          identity,
          dryRun: false,
          warnings: [],
          trusted: true,
          // Who changes it meanwhile has seen the defaults, or will be looked at with the next start.
          change: () => ({
            ...structuredClone(after),
            metadata: { ...after.metadata, resourceVersion: resourceVersion! },
          }),
        });
      } catch (error) {
        logger.warn({ error, tenant, resource: qualified, name }, 'a default was not reconciled');
      }
    }
  }
}

/** Others have their turns between the steps. */
async function inParts<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

const isSame = (one: { group: string; resource: string }, other: { group: string; resource: string }) =>
  one.group === other.group && one.resource === other.resource;

const placeOf = ({ namespace = '', name }: { namespace?: string; name: string }) => `${namespace}/${name}`;

/** What an object is to be; undefined where it may stay as it is. Pure. */
export function* reconciled(object: KubeObject, expected: BootstrapObject): Steps<KubeObject | undefined> {
  const { metadata } = object;
  if (metadata.annotations?.[AUTO_UPDATE] === 'false') return undefined;
  const kept: KubeObject = {
    ...object,
    metadata: {
      ...metadata,
      annotations: { ...expected.metadata.annotations, ...metadata.annotations },
      labels: { ...expected.metadata.labels, ...metadata.labels },
    },
  };
  const after = expected['roleRef'] === undefined ? yield* role(kept, expected) : binding(kept, expected);
  return deepEqual(after, object) ? undefined : after;
}

function* role(object: KubeObject, { rules, aggregationRule }: BootstrapObject): Steps<KubeObject> {
  // Rules of one that is made of others are the aggregation controller's work.
  const missing = aggregationRule === undefined ? yield* missingRules(object['rules'] ?? [], rules) : [];
  const after = missing.length === 0 ? object : { ...object, rules: [...(object['rules'] ?? []), ...missing] };
  const { aggregationRule: own, ...others } = after;
  if (aggregationRule === undefined) return own === undefined ? after : (others as KubeObject);
  const selectors: object[] = own?.clusterRoleSelectors ?? [];
  const lost = aggregationRule.clusterRoleSelectors.filter(
    (selector: object) => !selectors.some((known) => semanticEqual(known, selector)),
  );
  // Upstream finds none missing where there is no rule at all.
  if (own === undefined || own === null || lost.length === 0) return after;
  return { ...after, aggregationRule: { ...own, clusterRoleSelectors: [...selectors, ...lost] } };
}

function binding(object: KubeObject, { roleRef, subjects = [] }: BootstrapObject): KubeObject {
  // A binding of something else was put into its place: upstream makes it anew.
  if (!semanticEqual(object['roleRef'], roleRef)) return { ...object, roleRef, subjects };
  const own: Subject[] = object['subjects'] ?? [];
  const lost = subjects.filter((subject: Subject) => !own.some((known) => semanticEqual(known, subject)));
  return lost.length === 0 ? object : { ...object, subjects: [...own, ...lost] };
}
