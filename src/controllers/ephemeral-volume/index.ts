import type { PersistentVolumeClaim, Pod } from '../../api/generated/core-v1.ts';
import { PERSISTENT_VOLUME_CLAIMS, PODS } from '../../api/resources.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import type { Controller } from '../../client/controller.ts';
import { keyOf } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { controllerOf, controllerReference, siblingKey } from '../common/owner.ts';
import { isNamespaceTerminating, messageOf } from '../common/pod-template.ts';

type Volume = NonNullable<Pod['spec']['volumes']>[number];

const hasEphemeral = ({ spec }: Pod): boolean => (spec.volumes ?? []).some(({ ephemeral }) => ephemeral !== undefined);

/** Makes the claims of pods' generic ephemeral volumes; they are the pod's and go with it. */
export function createEphemeralVolumeController(dependencies: ControllerDependencies): Controller {
  const { informers, client } = dependencies;
  const pods = informers.informer<Pod>(PODS, { tenant: ALL_TENANTS });
  const claims = informers.informer<PersistentVolumeClaim>(PERSISTENT_VOLUME_CLAIMS, { tenant: ALL_TENANTS });
  const recorder = dependencies.recorder('ephemeral-volume-controller');

  async function makeClaim(pod: Pod, { name: volumeName, ephemeral }: Volume): Promise<void> {
    const name = `${pod.metadata.name}-${volumeName}`;
    const known = claims.get(siblingKey(pod, name));
    if (known !== undefined) {
      if (controllerOf(known)?.uid === pod.metadata.uid) return;
      const { namespace } = pod.metadata;
      throw new Error(
        `PVC ${namespace}/${name} was not created for pod ${namespace}/${pod.metadata.name} (pod is not owner)`,
      );
    }
    const { metadata, spec } = ephemeral!.volumeClaimTemplate!;
    try {
      await client.for(PERSISTENT_VOLUME_CLAIMS, pod as never).create({
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: {
          name,
          ...(metadata?.annotations !== undefined && { annotations: metadata.annotations }),
          ...(metadata?.labels !== undefined && { labels: metadata.labels }),
          ownerReferences: [controllerReference(pod, 'v1', 'Pod')],
        },
        spec,
      } as never);
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      throw new Error(`create PVC ${name}: ${messageOf(error)}`, { cause: error });
    }
  }

  return {
    name: 'ephemeral-volume-controller',
    workers: 4,
    watches: [
      {
        informer: pods,
        handlers: (queue) => ({
          added: (pod: Pod) => {
            if (hasEphemeral(pod) && pod.metadata.deletionTimestamp === undefined) queue.add(keyOf(pod));
          },
        }),
      },
      {
        informer: claims,
        handlers: (queue) => ({
          // The pod may have to wait until a claim of another owner is gone.
          deleted: (claim: PersistentVolumeClaim) => {
            const { clusterName, namespace, name } = claim.metadata;
            for (let dash = name.indexOf('-'); dash >= 0; dash = name.indexOf('-', dash + 1)) {
              const key = `${clusterName}/${namespace}/${name.slice(0, dash)}`;
              const pod = pods.get(key);
              if (pod !== undefined && hasEphemeral(pod)) queue.add(key);
            }
          },
        }),
      },
    ],
    async reconcile(key) {
      const pod = pods.get(key);
      if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return;
      for (const volume of pod.spec.volumes ?? []) {
        if (volume.ephemeral === undefined) continue;
        try {
          await makeClaim(pod, volume);
        } catch (error) {
          const message = `ephemeral volume ${volume.name}: ${messageOf(error)}`;
          const target = { apiVersion: 'v1', kind: 'Pod', metadata: pod.metadata };
          recorder.event(target, 'Warning', 'FailedBinding', message);
          throw error;
        }
      }
    },
  };
}
