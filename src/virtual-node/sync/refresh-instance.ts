import { deepEqual, semanticEqual } from '../../api/equality.ts';
import type { Container, EphemeralContainer, Pod } from '../../api/generated/core-v1.ts';
import type { ContainerInstance, ContainerInstanceSpec } from '../../api/pool.ts';
import { CONTAINER_INSTANCES } from '../../api/resources.ts';
import type { Clock } from '../../base/clock.ts';
import type { Client } from '../../client/client.ts';
import { resolveContainers, resolveVolumes } from '../resolve/resolve.ts';
import { gatherLookups } from './gather.ts';
import { asksForResize, shapeChanges } from './resize.ts';
import { heldTokens, issueTokens, TOKENS_DUE_ANNOTATION, tokensDueMs } from './tokens.ts';
import type { World } from './world.ts';

/**
 * Brings a running instance up to date with what may change under a pod: the content of its volumes, tokens that are
 * due, environments, and the few fields of a pod's spec that are mutable. A container takes its environment, or the
 * error that there is none, when it next starts, as on any node.
 * @param mayResize whether the host has room for the resources the pod asks for
 * @returns whether it wrote.
 */
export async function refreshInstance(
  pod: Pod,
  instance: ContainerInstance,
  world: World,
  client: Client,
  clock: Clock,
  mayResize: boolean,
): Promise<boolean> {
  const dueMs = tokensDueMs(instance);
  const held = heldTokens(pod, instance);
  const renewal = dueMs !== undefined && dueMs <= clock.now() ? await issueTokens(pod, client, clock) : undefined;
  const tokens = new Map([...held, ...(renewal?.tokens ?? [])]);
  const lookups = await gatherLookups(pod, world, client, tokens);

  const spec: Record<string, unknown> = {};
  // A source that went away leaves its files as they are.
  const { files } = resolveVolumes(pod, lookups);
  const changed = Object.entries(files).filter(([name, list]) => !deepEqual(instance.spec.volumeFiles?.[name], list));
  if (changed.length > 0) spec['volumeFiles'] = Object.fromEntries(changed);
  Object.assign(
    spec,
    containerChanges(pod, instance, mayResize, () => resolveContainers(pod, lookups)),
    mayResize && shapeChanges(pod, instance, clock.now()),
  );
  const { generation } = pod.metadata;
  if (generation !== undefined && generation !== instance.spec.podGeneration) spec['podGeneration'] = generation;

  const annotations = renewal?.dueMs !== undefined && {
    annotations: { [TOKENS_DUE_ANNOTATION]: new Date(renewal.dueMs).toISOString() },
  };
  if (Object.keys(spec).length === 0 && !annotations) return false;
  const { name, uid } = instance.metadata;
  await client
    .for(CONTAINER_INSTANCES, instance)
    .patch(name, 'merge', { metadata: { uid, ...annotations }, ...(Object.keys(spec).length > 0 && { spec }) });
  return true;
}

/** Does the pod's spec differ from the instance's in a field that may change while it runs? */
export function hasMutableChange(pod: Pod, instance: ContainerInstance, mayResize: boolean): boolean {
  const { generation } = pod.metadata;
  if (generation !== undefined && generation !== instance.spec.podGeneration) return true;
  return Object.keys(containerChanges(pod, instance, mayResize, undefined)).length > 0;
}

function containerChanges(
  pod: Pod,
  instance: ContainerInstance,
  mayResize: boolean,
  resolve: (() => { spec: ContainerInstanceSpec['pod']; configErrors: Record<string, string> }) | undefined,
): Record<string, unknown> {
  const now = instance.spec.pod;
  const podChanges: Record<string, unknown> = {};
  for (const field of ['activeDeadlineSeconds', 'terminationGracePeriodSeconds'] as const) {
    if (pod.spec[field] !== undefined && pod.spec[field] !== now[field]) podChanges[field] = pod.spec[field];
  }
  const isResized = mayResize && asksForResize(pod, instance);
  if (isResized && !semanticEqual(pod.spec.resources, now.resources))
    podChanges['resources'] = pod.spec.resources ?? null;
  const failed = instance.spec.configErrors ?? {};
  const added = (pod.spec.ephemeralContainers ?? []).filter(
    ({ name }) => !now.ephemeralContainers?.some((other) => other.name === name),
  );
  const errors: Record<string, string | null> = {};
  const resolved = resolve?.();
  for (const list of ['containers', 'initContainers'] as const) {
    const wanted = pod.spec[list] ?? [];
    let differs = false;
    const next = (now[list] ?? []).map((held) => {
      const asked = wanted.find(({ name }) => name === held.name);
      const image = asked?.image;
      let container = held;
      if (isResized && asked !== undefined && !semanticEqual(asked.resources, held.resources)) {
        container = { ...container, ...(asked.resources !== undefined && { resources: asked.resources }) };
      }
      if (resolved !== undefined) {
        const error = resolved.configErrors[held.name];
        if (error !== failed[held.name]) errors[held.name] = error ?? null;
        const env = resolved.spec[list]?.find(({ name }) => name === held.name)?.env;
        if (error === undefined && !deepEqual(env, held.env)) container = withEnvironment(container, env);
      }
      if (image !== undefined && image !== held.image) container = { ...container, image };
      differs ||= container !== held;
      return container;
    });
    if (differs) podChanges[list] = next;
  }
  if (added.length > 0) {
    const fresh: EphemeralContainer[] = added.map(
      ({ name }) => resolved?.spec.ephemeralContainers?.find((other) => other.name === name) ?? ({ name } as never),
    );
    podChanges['ephemeralContainers'] = [...(now.ephemeralContainers ?? []), ...fresh];
    for (const { name } of fresh) {
      const error = resolved?.configErrors[name];
      if (error !== undefined) errors[name] = error;
    }
  }
  return {
    ...(Object.keys(podChanges).length > 0 && { pod: podChanges }),
    ...(Object.keys(errors).length > 0 && { configErrors: errors }),
  };
}

function withEnvironment(container: Container, env: Container['env']): Container {
  const { env: _before, ...rest } = container;
  return env === undefined ? rest : { ...rest, env };
}
