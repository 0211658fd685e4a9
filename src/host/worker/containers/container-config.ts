import type { Container, PodSpec } from '../../../api/generated/core-v1.ts';
import type { PodAddress } from '../../../api/pod-network.ts';
import type { ContainerInstance } from '../../../api/pool.ts';
import type { ContainerConfig, ImageStatus, Mount, PodSandboxConfig } from '../../../runtime/sandbox-runtime.ts';
import { type ExpansionBudget, expandReferences, expansionBudget } from './environment.ts';
import { containerResources, podResources } from './resources.ts';
import { containerSecurity, type SecurityPolicy } from './security.ts';

/** Labels the kubelet puts on sandboxes and containers; crictl and log collectors read them. */
export const labels = {
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
  tenant: 'skypod.io/tenant',
} as const;

const annotations = {
  restartCount: 'io.kubernetes.container.restartCount',
  messagePath: 'io.kubernetes.container.terminationMessagePath',
  messagePolicy: 'io.kubernetes.container.terminationMessagePolicy',
  gracePeriod: 'io.kubernetes.pod.terminationGracePeriod',
} as const;

export interface ContainerConfigInput {
  instance: ContainerInstance;
  container: Container;
  attempt: number;
  image: ImageStatus;
  address: PodAddress;
  mounts: Mount[];
  hostMemoryBytes: number;
  policy: SecurityPolicy;
}

const podLabels = (instance: ContainerInstance) => ({
  [labels.podName]: instance.spec.podRef.name,
  [labels.podNamespace]: instance.spec.podRef.namespace,
  [labels.podUid]: instance.spec.podRef.uid,
  [labels.tenant]: instance.metadata.namespace ?? '',
});

/** Everything the runtime needs to make one container. Throws ContainerStartError (CreateContainerConfigError). */
export function containerConfig(input: ContainerConfigInput): ContainerConfig {
  const { instance, container, attempt, image, address } = input;
  const pod = instance.spec.pod;
  const budget = expansionBudget();
  const envs = environment(container, instance, address, budget);
  const values = new Map(envs.map(({ key, value }) => [key, value]));
  const expand = (words: string[] | undefined) => words?.map((word) => expandReferences(word, values, budget));
  const command = expand(container.command);
  const args = expand(container.args);
  return {
    metadata: { name: container.name, attempt },
    image: image.id,
    ...(command !== undefined && command.length > 0 && { command }),
    ...(args !== undefined && args.length > 0 && { args }),
    ...(container.workingDir !== undefined && { workingDir: container.workingDir }),
    envs,
    mounts: input.mounts,
    labels: { ...podLabels(instance), [labels.containerName]: container.name },
    annotations: {
      [annotations.restartCount]: String(attempt),
      [annotations.messagePath]: container.terminationMessagePath ?? '/dev/termination-log',
      [annotations.messagePolicy]: container.terminationMessagePolicy ?? 'File',
      [annotations.gracePeriod]: String(pod.terminationGracePeriodSeconds ?? 30),
    },
    logPath: `${container.name}/${attempt}.log`,
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    resources: containerResources(container, pod, input.hostMemoryBytes),
    security: containerSecurity(container, pod, image, input.policy),
  };
}

/** Values that only the host knows; everything else was resolved before (see ContainerInstanceSpec.pod). */
function hostField(path: string, instance: ContainerInstance, address: PodAddress): string | undefined {
  switch (path) {
    case 'status.podIP':
    case 'status.podIPs':
      return address.ip;
    case 'status.hostIP':
    case 'status.hostIPs':
      return address.hostIp;
    case 'spec.nodeName':
      return instance.spec.pod.nodeName ?? '';
    default:
      return undefined;
  }
}

export function environment(
  container: Container,
  instance: ContainerInstance,
  address: PodAddress,
  budget: ExpansionBudget = expansionBudget(),
): { key: string; value: string }[] {
  const values = new Map<string, string>();
  for (const { name, value, valueFrom } of container.env ?? []) {
    const path = valueFrom?.fieldRef?.fieldPath;
    if (path === undefined) values.set(name, expandReferences(value ?? '', values, budget));
    else values.set(name, hostField(path, instance, address) ?? '');
  }
  return [...values].map(([key, value]) => ({ key, value }));
}

export interface SandboxConfigInput {
  instance: ContainerInstance;
  attempt: number;
  address: PodAddress;
  logDirectory: string;
  cgroupParent: string;
  policy: SecurityPolicy;
}

export function sandboxConfig({
  instance,
  attempt,
  address,
  logDirectory,
  cgroupParent,
  policy,
}: SandboxConfigInput): PodSandboxConfig {
  const pod = instance.spec.pod;
  const { namespace, name } = instance.spec.podRef;
  const security = pod.securityContext ?? {};
  const sysctls = Object.fromEntries(
    (security.sysctls ?? []).map((entry) => [entry.name.replaceAll('/', '.'), entry.value]),
  );
  return {
    metadata: { tenant: instance.metadata.namespace ?? '', namespace, name, uid: instance.metadata.name, attempt },
    hostname: hostnameOf(instance),
    logDirectory,
    dns: dnsConfig(instance),
    labels: podLabels(instance),
    annotations: instance.spec.podAnnotations ?? {},
    cgroupParent,
    ...(address.namespacePath !== undefined && { networkNamespacePath: address.namespacePath }),
    ...(policy.allowPrivileged && hasPrivileged(pod) && { privileged: true }),
    ...(pod.shareProcessNamespace === true && { shareProcessNamespace: true }),
    ...(Object.keys(sysctls).length > 0 && { sysctls }),
    ...(security.runAsUser !== undefined && { runAsUser: security.runAsUser }),
    ...(security.runAsUser !== undefined && security.runAsGroup !== undefined && { runAsGroup: security.runAsGroup }),
    ...(security.supplementalGroups !== undefined && { supplementalGroups: security.supplementalGroups }),
    seccompProfile: { type: 'RuntimeDefault' },
    // What was written before handlers were looked up went by the name of the class.
    runtimeHandler: instance.spec.runtimeHandler ?? pod.runtimeClassName ?? '',
    resources: podResources(pod),
  };
}

const hasPrivileged = ({ containers, initContainers = [] }: PodSpec): boolean =>
  [...initContainers, ...containers].some(({ securityContext }) => securityContext?.privileged === true);

const LONGEST_HOSTNAME = 63;

/**
 * The pod's name or `hostname`, cut to what the kernel takes; the whole domain name with setHostnameAsFQDN; the node's on
 * its network; `hostnameOverride` before all.
 */
export function hostnameOf({ spec }: ContainerInstance): string {
  const { pod, podRef, vpc } = spec;
  const cut = (name: string) => name.slice(0, LONGEST_HOSTNAME).replace(/[-.]+$/, '');
  if (pod.hostnameOverride) return cut(pod.hostnameOverride);
  if (pod.hostNetwork === true && pod.nodeName) return cut(pod.nodeName);
  const short = cut(pod.hostname || podRef.name);
  if (pod.setHostnameAsFQDN !== true || !pod.subdomain) return short;
  return `${short}.${pod.subdomain}.${podRef.namespace}.svc.${vpc.clusterDomain}`;
}

/** /etc/resolv.conf by dnsPolicy and dnsConfig. The VPC's DNS stands in for a node's, which a tenant never sees. */
export function dnsConfig({ spec }: ContainerInstance): PodSandboxConfig['dns'] {
  const { pod, podRef, vpc } = spec;
  const policy = pod.dnsPolicy ?? 'ClusterFirst';
  const clusterFirst = policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && pod.hostNetwork !== true);
  const servers = policy === 'None' ? [] : [vpc.dnsAddress];
  const domain = vpc.clusterDomain;
  const searches = clusterFirst ? [`${podRef.namespace}.svc.${domain}`, `svc.${domain}`, domain] : [];
  const options = new Map<string, string | undefined>(clusterFirst ? [['ndots', '5']] : []);
  for (const { name, value } of pod.dnsConfig?.options ?? []) if (name !== undefined) options.set(name, value);
  return {
    servers: [...new Set([...servers, ...(pod.dnsConfig?.nameservers ?? [])])].slice(0, 3),
    searches: [...new Set([...searches, ...(pod.dnsConfig?.searches ?? [])])].slice(0, 32),
    options: [...options].map(([name, value]) => (value === undefined || value === '' ? name : `${name}:${value}`)),
  };
}
