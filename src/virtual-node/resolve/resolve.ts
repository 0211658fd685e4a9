import type { Container, EphemeralContainer, Pod, PodSpec } from '../../api/generated/core-v1.ts';
import { CLUSTER_DOMAIN, type ContainerInstanceSpec, VPC_DNS_ADDRESS, VPC_SERVICE_CIDR } from '../../api/pool.ts';
import { containerEnvironment } from './environment.ts';
import { Budget, type Lookups, ResolveError } from './lookups.ts';
import { registryCredentials } from './registry-credentials.ts';
import { serviceEnvironment } from './service-environment.ts';
import { shapeOf } from './shape.ts';
import { volumeFiles } from './volumes.ts';

export interface Resolution {
  spec: ContainerInstanceSpec;
  /** By volume: what keeps the pod from starting (upstream's FailedMount). The spec is complete without them only when empty. */
  volumeErrors: Map<string, string>;
  /** imagePullSecrets that could not be used. */
  missingPullSecrets: string[];
}

/** A tenant's pod with nothing left to look up. Pure: everything outside the pod comes from `lookups`. */
export function resolvePod(pod: Pod, zone: string, lookups: Lookups): Resolution {
  const { metadata, spec } = pod;
  const { files, errors: volumeErrors } = resolveVolumes(pod, lookups);
  const { spec: resolvedPod, configErrors } = resolveContainers(pod, lookups);
  const { credentials, missing } = registryCredentials(pod, lookups);
  return {
    spec: {
      podRef: { namespace: metadata.namespace ?? '', name: metadata.name, uid: metadata.uid },
      zone,
      resources: shapeOf(spec),
      ...(metadata.generation !== undefined && { podGeneration: metadata.generation }),
      ...(metadata.labels !== undefined && { podLabels: metadata.labels }),
      ...(metadata.annotations !== undefined && { podAnnotations: metadata.annotations }),
      pod: resolvedPod,
      ...(Object.keys(files).length > 0 && { volumeFiles: files }),
      ...(credentials.length > 0 && { registryCredentials: credentials }),
      vpc: {
        serviceCidr: VPC_SERVICE_CIDR,
        dnsAddress: VPC_DNS_ADDRESS,
        clusterDomain: CLUSTER_DOMAIN,
        ...(lookups.nodeAddress !== undefined && { nodeAddress: lookups.nodeAddress }),
      },
      ...(Object.keys(configErrors).length > 0 && { configErrors }),
    },
    volumeErrors,
    missingPullSecrets: missing,
  };
}

/** Only the files: what changes while the pod runs. */
export function resolveVolumes(
  pod: Pod,
  lookups: Lookups,
): { files: NonNullable<ContainerInstanceSpec['volumeFiles']>; errors: Map<string, string> } {
  const files: NonNullable<ContainerInstanceSpec['volumeFiles']> = {};
  const errors = new Map<string, string>();
  const budget = new Budget('volumes');
  for (const volume of pod.spec.volumes ?? []) {
    try {
      const found = volumeFiles(pod, volume, lookups);
      if (found === undefined) continue;
      for (const { path, data } of found) budget.take(path.length + data.length);
      files[volume.name] = found;
    } catch (error) {
      if (!(error instanceof ResolveError)) throw error;
      errors.set(volume.name, error.message);
    }
  }
  return { files, errors };
}

export function resolveContainers(pod: Pod, lookups: Lookups): { spec: PodSpec; configErrors: Record<string, string> } {
  const configErrors: Record<string, string> = {};
  const linked = pod.spec.enableServiceLinks === false ? [] : lookups.services();
  const kubernetes = lookups.kubernetesService();
  const serviceVariables = serviceEnvironment(kubernetes === undefined ? linked : [...linked, kubernetes]);
  const budget = new Budget('environment');
  const resolve = <C extends Container | EphemeralContainer>(container: C): C => {
    const { env: _env, envFrom: _envFrom, ...rest } = container;
    try {
      const env = containerEnvironment(pod, container as Container, serviceVariables, lookups, budget);
      return { ...rest, ...(env.length > 0 && { env }) } as C;
    } catch (error) {
      if (!(error instanceof ResolveError)) throw error;
      configErrors[container.name] = error.message;
      return rest as C;
    }
  };
  const { initContainers, ephemeralContainers } = pod.spec;
  const spec: PodSpec = {
    ...pod.spec,
    containers: pod.spec.containers.map(resolve),
    ...(initContainers !== undefined && { initContainers: initContainers.map(resolve) }),
    ...(ephemeralContainers !== undefined && { ephemeralContainers: ephemeralContainers.map(resolve) }),
  };
  return { spec, configErrors };
}
