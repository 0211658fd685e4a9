import { join } from 'node:path';
import type { ContainerConfig, ContainerResources, PodSandboxConfig, SeccompProfile } from '../sandbox-runtime.ts';

/** What the runtime notes in CRI's annotations for itself; never shown to the agent. */
const NOTE_PREFIX = 'runtime.skypod.io/';
export const NOTES = {
  podUid: `${NOTE_PREFIX}pod-uid`,
  tenant: `${NOTE_PREFIX}tenant`,
  cgroupParent: `${NOTE_PREFIX}cgroup-parent`,
} as const;

/** Annotations without the runtime's notes. */
export function withoutNotes(annotations: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => !key.startsWith(NOTE_PREFIX)));
}

/** CRI's PodSandboxConfig. */
export function criSandboxConfig(config: PodSandboxConfig): object {
  return {
    metadata: {
      name: config.metadata.name,
      uid: config.metadata.uid,
      namespace: config.metadata.namespace,
      attempt: config.metadata.attempt,
    },
    hostname: config.hostname,
    logDirectory: config.logDirectory,
    dnsConfig: config.dns,
    labels: config.labels,
    annotations: {
      ...config.annotations,
      [NOTES.tenant]: config.metadata.tenant,
      [NOTES.cgroupParent]: config.cgroupParent,
    },
    linux: {
      cgroupParent: config.cgroupParent,
      sysctls: config.sysctls ?? {},
      securityContext: {
        namespaceOptions: sandboxNamespaces(config),
        privileged: config.privileged === true,
        runAsUser: optionalNumber(config.runAsUser),
        runAsGroup: optionalNumber(config.runAsGroup),
        supplementalGroups: config.supplementalGroups ?? [],
        seccomp: seccomp(config.seccompProfile ?? { type: 'RuntimeDefault' }),
      },
    },
  };
}

/** CRI's ContainerConfig. */
export function criContainerConfig(config: ContainerConfig, sandbox: PodSandboxConfig): object {
  const { security } = config;
  return {
    metadata: config.metadata,
    image: { image: config.image },
    command: config.command ?? [],
    args: config.args ?? [],
    workingDir: config.workingDir ?? '',
    envs: config.envs,
    mounts: config.mounts.map((mount) => ({
      containerPath: mount.containerPath,
      hostPath: mount.hostPath,
      readonly: mount.readonly,
      propagation: {
        private: 'PROPAGATION_PRIVATE',
        hostToContainer: 'PROPAGATION_HOST_TO_CONTAINER',
        bidirectional: 'PROPAGATION_BIDIRECTIONAL',
      }[mount.propagation],
    })),
    labels: config.labels,
    annotations: {
      ...config.annotations,
      [NOTES.podUid]: sandbox.metadata.uid,
      [NOTES.cgroupParent]: sandbox.cgroupParent,
    },
    logPath: config.logPath,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    tty: config.tty,
    linux: {
      resources: criResources(config.resources),
      securityContext: {
        capabilities: {
          addCapabilities: security.addCapabilities.map(withoutCapPrefix),
          dropCapabilities: security.dropCapabilities.map(withoutCapPrefix),
        },
        privileged: security.privileged,
        namespaceOptions: {
          ...sandboxNamespaces(sandbox),
          pid: security.pidNamespace === 'host' ? 'NODE' : security.pidNamespace.toUpperCase(),
        },
        runAsUser: optionalNumber(security.runAsUser),
        runAsGroup: optionalNumber(security.runAsGroup),
        runAsUsername: security.runAsUsername ?? '',
        readonlyRootfs: security.readonlyRootfs,
        supplementalGroups: security.supplementalGroups,
        noNewPrivs: security.noNewPrivileges,
        maskedPaths: security.maskedPaths ?? [],
        readonlyPaths: security.readonlyPaths ?? [],
        seccomp: security.privileged ? seccomp({ type: 'Unconfined' }) : seccomp(security.seccompProfile),
      },
    },
  };
}

export function criResources(resources: ContainerResources): object {
  return {
    cpuShares: resources.cpuShares ?? 0,
    cpuQuota: resources.cpuQuota ?? 0,
    cpuPeriod: resources.cpuPeriod ?? (resources.cpuQuota ? 100_000 : 0),
    memoryLimitInBytes: resources.memoryLimitBytes ?? 0,
    oomScoreAdj: resources.oomScoreAdj ?? 0,
  };
}

export function logPathOf(config: ContainerConfig, sandbox: PodSandboxConfig): string {
  return join(sandbox.logDirectory, config.logPath);
}

function sandboxNamespaces(config: PodSandboxConfig): object {
  return {
    // Without a prepared namespace the pod gets the machine's: only tests of runtimes without a network do that.
    network: config.networkNamespacePath === undefined ? 'NODE' : 'POD',
    pid: config.hostPID ? 'NODE' : config.shareProcessNamespace ? 'POD' : 'CONTAINER',
    ipc: config.hostIPC ? 'NODE' : 'POD',
  };
}

function seccomp(profile: SeccompProfile): object {
  return { profileType: profile.type, localhostRef: profile.localhostRef ?? '' };
}

function optionalNumber(value: number | undefined): { value: number } | undefined {
  return value === undefined ? undefined : { value };
}

/** Kubernetes writes NET_ADMIN, people write CAP_NET_ADMIN too; containerd adds the prefix itself. */
function withoutCapPrefix(capability: string): string {
  return capability.replace(/^CAP_/i, '').toUpperCase();
}
