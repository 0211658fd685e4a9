import type { Pod } from '../../api/generated/core-v1.ts';
import type { ResourceClaim, ResourceClaimTemplate } from '../../api/generated/resource-v1.ts';
import type { GroupVersionResource } from '../../api/object.ts';
import { PODS } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import type { Controller, ControllerQueue } from '../../client/controller.ts';
import { keyOf, type ObjectKey } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { controllerOf, siblingKey } from '../common/owner.ts';
import { messageOf } from '../common/pod-template.ts';
import {
  claimNameOf,
  generateNameFor,
  isOwnedBy,
  isPodDone,
  POD_CLAIM_ANNOTATION,
  type PodClaim,
  podClaimsOf,
} from './claims-of-pod.ts';

const group = 'resource.k8s.io';
const CLAIMS: GroupVersionResource = { group, version: 'v1', resource: 'resourceclaims' };
const TEMPLATES: GroupVersionResource = { group, version: 'v1', resource: 'resourceclaimtemplates' };

/** On claims that were allocated; goes with the allocation. */
const FINALIZER = 'resource.kubernetes.io/delete-protection';
const mostReservations = 256;
const rememberedDeletions = 500;

/** A claim's key in the queue, where a pod's is its own. */
const claimKey = (key: ObjectKey): ObjectKey => `${key}/claim`;

/**
 * Makes the ResourceClaims that pods ask for by template, reserves allocated claims for pods that have a node already,
 * and takes reservations and generated claims away when their pods are done. Source: pkg/controller/resourceclaim.
 */
export function createResourceClaimController(dependencies: ControllerDependencies): Controller {
  const { informers, client } = dependencies;
  const recorder = dependencies.recorder('resource_claim');
  const pods = informers.informer<Pod>(PODS, {
    tenant: ALL_TENANTS,
    indexes: {
      'resource-claim': (pod) =>
        podClaimsOf(pod).flatMap((claim) => {
          const name = claimNameOf(pod, claim);
          return name === undefined || name === 'none' ? [] : [siblingKey(pod, name)];
        }),
      'resource-claim-template': (pod) =>
        podClaimsOf(pod).flatMap(({ resourceClaimTemplateName: name }) =>
          name === undefined ? [] : [siblingKey(pod, name)],
        ),
    },
  });
  const claims = informers.informer<ResourceClaim>(CLAIMS, {
    tenant: ALL_TENANTS,
    indexes: { owner: (claim) => [controllerOf(claim)?.uid ?? ''] },
  });
  const templates = informers.informer<ResourceClaimTemplate>(TEMPLATES, { tenant: ALL_TENANTS });
  /** Uids of pods seen to go, so that not each of their reservations asks the server. */
  const deletedPods = new Set<string>();
  /** Made here and not in the cache yet, by pod uid and the pod's name for it. */
  const created = new Map<string, ResourceClaim>();

  const wakePod = (pod: Pod, queue: ControllerQueue) => {
    if (podClaimsOf(pod).length === 0) return;
    queue.add(keyOf(pod));
    if (isPodDone(pod)) wakeClaims(pod, queue);
  };
  const wakeClaims = (pod: Pod, queue: ControllerQueue) => {
    for (const claim of podClaimsOf(pod)) {
      const name = claimNameOf(pod, claim);
      if (name !== undefined && name !== 'none') queue.add(claimKey(siblingKey(pod, name)));
    }
  };
  const wakeUsers = (index: string, object: { metadata: ResourceClaim['metadata'] }, queue: ControllerQueue) => {
    for (const pod of pods.byIndex(index, keyOf(object))) wakePod(pod, queue);
  };
  const createdKey = (pod: Pod, claim: PodClaim) => `${pod.metadata.uid}/${claim.name}`;

  /** The claim made for the pod earlier, which its status does not tell of yet. */
  function generated(pod: Pod, podClaim: PodClaim): ResourceClaim | undefined {
    const isFor = ({ metadata }: ResourceClaim) => metadata.annotations?.[POD_CLAIM_ANNOTATION] === podClaim.name;
    const known = claims.byIndex('owner', pod.metadata.uid).find(isFor);
    const key = createdKey(pod, podClaim);
    if (known !== undefined) created.delete(key);
    return known ?? created.get(key);
  }

  /** @returns the name of the claim that the pod's status is to tell of; undefined when it says it all already */
  async function ensureClaim(pod: Pod, podClaim: PodClaim): Promise<string | undefined> {
    const name = claimNameOf(pod, podClaim);
    const templateName = podClaim.resourceClaimTemplateName;
    if (name === 'none' || templateName === undefined) return undefined;
    if (name !== undefined) {
      const claim = claims.get(siblingKey(pod, name)) ?? created.get(createdKey(pod, podClaim));
      if (claim?.metadata.name === name && isOwnedBy(claim, pod)) return undefined;
    }
    const found = generated(pod, podClaim);
    if (found !== undefined) return found.metadata.name;
    const template = templates.get(siblingKey(pod, templateName));
    if (template === undefined) {
      const missing = `resourceclaimtemplate.resource.k8s.io ${JSON.stringify(templateName)} not found`;
      throw new Error(`resource claim template ${JSON.stringify(templateName)}: ${missing}`);
    }
    const { clusterName, namespace, name: podName, uid } = pod.metadata;
    const { metadata, spec } = template.spec;
    const claim = await client.resource<ResourceClaim>(clusterName!, CLAIMS, namespace).create({
      metadata: {
        generateName: generateNameFor(podName, podClaim.name),
        ...(metadata?.labels !== undefined && { labels: metadata.labels }),
        annotations: { ...metadata?.annotations, [POD_CLAIM_ANNOTATION]: podClaim.name },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: podName, uid, controller: true }],
      },
      spec,
    } as Parameters<ReturnType<typeof client.resource<ResourceClaim>>['create']>[0]);
    created.set(createdKey(pod, podClaim), claim);
    return claim.metadata.name;
  }

  async function syncPod(pod: Pod): Promise<void> {
    if (pod.metadata.deletionTimestamp !== undefined || isPodDone(pod)) return;
    const names = new Map<string, string>();
    for (const podClaim of podClaimsOf(pod)) {
      try {
        const name = await ensureClaim(pod, podClaim);
        if (name !== undefined) names.set(podClaim.name, name);
      } catch (error) {
        const target = { apiVersion: 'v1', kind: 'Pod', metadata: pod.metadata };
        const message = `PodResourceClaim ${podClaim.name}: ${messageOf(error)}`;
        recorder.event(target, 'Warning', 'FailedResourceClaimCreation', message);
        throw error;
      }
    }
    const { name: podName, uid } = pod.metadata;
    if (names.size > 0) {
      const kept = (pod.status?.resourceClaimStatuses ?? []).filter(({ name }) => !names.has(name));
      const made = [...names].map(([name, resourceClaimName]) => ({ name, resourceClaimName }));
      const status = { resourceClaimStatuses: [...kept, ...made] };
      await client.for(PODS, pod).patch(podName, 'merge', { metadata: { uid }, status }, 'status');
    }
    // Of a pod without a node the scheduler takes care.
    if (!pod.spec?.nodeName) return;
    for (const podClaim of podClaimsOf(pod)) {
      const name = names.get(podClaim.name) ?? claimNameOf(pod, podClaim);
      const claim = name === undefined ? undefined : claims.get(siblingKey(pod, name));
      if (claim?.status?.allocation === undefined) continue;
      if (podClaim.resourceClaimTemplateName !== undefined && !isOwnedBy(claim, pod)) continue;
      const reservedFor = claim.status.reservedFor ?? [];
      if (reservedFor.some((consumer) => consumer.uid === uid) || reservedFor.length >= mostReservations) continue;
      const consumer = { resource: 'pods', name: podName, uid };
      await writeStatus(claim, { ...claim.status, reservedFor: [...reservedFor, consumer] });
    }
  }

  const writeStatus = (claim: ResourceClaim, status: ResourceClaim['status']): Promise<ResourceClaim> =>
    client
      .for<ResourceClaim>(CLAIMS, claim)
      .updateStatus({ ...claim, apiVersion: `${group}/v1`, kind: 'ResourceClaim', status: status! });

  async function removeFinalizer(claim: ResourceClaim): Promise<void> {
    const rest = (claim.metadata.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
    const { uid, resourceVersion, name } = claim.metadata;
    const metadata = { uid, resourceVersion, finalizers: rest.length === 0 ? null : rest };
    await client.for<ResourceClaim>(CLAIMS, claim).patch(name, 'merge', { metadata });
  }

  async function isGone(claim: ResourceClaim, consumer: { name: string; uid: string }): Promise<boolean> {
    if (deletedPods.has(consumer.uid)) return true;
    const known = pods.get(siblingKey(claim, consumer.name));
    if (known !== undefined) return known.metadata.uid !== consumer.uid || isPodDone(known);
    const { clusterName, namespace } = claim.metadata;
    try {
      // It may not be in the cache yet: only the server's word takes a reservation away.
      const pod = await client.resource<Pod>(clusterName!, PODS, namespace).get(consumer.name);
      return pod.metadata.uid !== consumer.uid;
    } catch (error) {
      if (isNotFound(error)) return true;
      throw error;
    }
  }

  async function syncClaim(claim: ResourceClaim): Promise<void> {
    const { clusterName, name, uid, finalizers = [], deletionTimestamp } = claim.metadata;
    const hasFinalizer = finalizers.includes(FINALIZER);
    const reservedFor = claim.status?.reservedFor ?? [];
    const remaining: typeof reservedFor = [];
    for (const consumer of reservedFor) {
      const isPod = !consumer.apiGroup && consumer.resource === 'pods';
      if (!isPod || !(await isGone(claim, consumer))) remaining.push(consumer);
    }
    const { allocation, reservedFor: _, ...rest } = claim.status ?? {};
    const isUnused = remaining.length === 0;
    // The last one to use a claim gives the devices back.
    const keepsAllocation = allocation !== undefined && !(isUnused && hasFinalizer);
    const goes = deletionTimestamp !== undefined && isUnused && hasFinalizer;
    let current = claim;
    if (remaining.length < reservedFor.length || (goes && allocation !== undefined)) {
      const written = await writeStatus(claim, {
        ...rest,
        ...(keepsAllocation && { allocation }),
        ...(remaining.length > 0 && { reservedFor: remaining }),
      });
      current = { ...written, metadata: { ...written.metadata, clusterName: clusterName! } };
    }
    const isFreed = remaining.length < reservedFor.length && current.status?.allocation === undefined;
    if (hasFinalizer && (goes || isFreed)) await removeFinalizer(current);
    if (!isUnused || deletionTimestamp !== undefined) return;
    const owner = controllerOf(claim);
    if (owner?.kind !== 'Pod' || owner.apiVersion !== 'v1') return;
    const pod = pods.get(siblingKey(claim, owner.name));
    // One that is not known may be about to be; the garbage collector sees to it when it is truly gone.
    if (pod === undefined || (pod.metadata.uid === owner.uid && !isPodDone(pod))) return;
    try {
      await client.for(CLAIMS, claim).delete(name, { preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  return {
    name: 'resource-claim-controller',
    workers: 4,
    watches: [
      {
        informer: pods,
        handlers: (queue) => ({
          added: (pod: Pod) => wakePod(pod, queue),
          updated: (_: Pod, pod: Pod) => wakePod(pod, queue),
          deleted: (pod: Pod) => {
            if (podClaimsOf(pod).length === 0) return;
            deletedPods.add(pod.metadata.uid);
            if (deletedPods.size > rememberedDeletions) deletedPods.delete(deletedPods.values().next().value!);
            for (const podClaim of podClaimsOf(pod)) created.delete(createdKey(pod, podClaim));
            wakeClaims(pod, queue);
          },
        }),
      },
      {
        informer: claims,
        handlers: (queue) => {
          const wake = (claim: ResourceClaim) => {
            queue.add(claimKey(keyOf(claim)));
            wakeUsers('resource-claim', claim, queue);
          };
          return {
            added: wake,
            updated: (_: ResourceClaim, claim: ResourceClaim) => wake(claim),
            deleted: (claim: ResourceClaim) => {
              const owner = controllerOf(claim)?.uid;
              created.delete(`${owner}/${claim.metadata.annotations?.[POD_CLAIM_ANNOTATION]}`);
              wakeUsers('resource-claim', claim, queue);
            },
          };
        },
      },
      {
        informer: templates,
        handlers: (queue) => {
          const wake = (template: ResourceClaimTemplate) => wakeUsers('resource-claim-template', template, queue);
          return {
            added: wake,
            updated: (_: ResourceClaimTemplate, template: ResourceClaimTemplate) => wake(template),
          };
        },
      },
    ],
    async reconcile(key) {
      const [tenant, namespace, name, kind] = key.split('/');
      const objectKey = `${tenant}/${namespace}/${name}`;
      if (kind === 'claim') {
        const claim = claims.get(objectKey);
        if (claim !== undefined) await syncClaim(claim);
        return;
      }
      const pod = pods.get(objectKey);
      if (pod !== undefined) await syncPod(pod);
    },
  };
}
