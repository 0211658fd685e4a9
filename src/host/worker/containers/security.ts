import type { Container, PodSpec } from '../../../api/generated/core-v1.ts';
import type { ContainerConfig, ImageStatus, SeccompProfile } from '../../../runtime/sandbox-runtime.ts';
import { ContainerStartError } from './container-start-error.ts';

/** What containerd hides and protects by default (procMount Default). */
const maskedPaths = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

export interface SecurityPolicy {
  /** A privileged container is root on the machine: only for tenants whom the operator trusts with it. */
  allowPrivileged: boolean;
}

/** The container's security settings; throws ContainerStartError for what may not run. */
export function containerSecurity(
  container: Container,
  pod: PodSpec,
  image: ImageStatus,
  policy: SecurityPolicy,
): ContainerConfig['security'] {
  const own = container.securityContext ?? {};
  const shared = pod.securityContext ?? {};
  const privileged = own.privileged === true;
  const refuse = (message: string) => new ContainerStartError('CreateContainerConfigError', message);
  if (privileged && !policy.allowPrivileged) throw refuse('privileged containers are not allowed on this platform');
  if (own.procMount === 'Unmasked' && !policy.allowPrivileged) {
    throw refuse('procMount Unmasked is not allowed on this platform');
  }
  const runAsUser = own.runAsUser ?? shared.runAsUser;
  const runAsGroup = own.runAsGroup ?? shared.runAsGroup;
  if (own.runAsNonRoot ?? shared.runAsNonRoot) verifyNonRoot(container, runAsUser, image);
  const groups = new Set(shared.supplementalGroups ?? []);
  if (shared.fsGroup !== undefined) groups.add(shared.fsGroup);
  return {
    ...(runAsUser !== undefined ? { runAsUser } : imageUser(image)),
    ...(runAsGroup !== undefined && { runAsGroup }),
    supplementalGroups: [...groups],
    privileged,
    readonlyRootfs: own.readOnlyRootFilesystem === true,
    noNewPrivileges: own.allowPrivilegeEscalation === false && !privileged,
    addCapabilities: own.capabilities?.add ?? [],
    dropCapabilities: own.capabilities?.drop ?? [],
    seccompProfile: seccomp(own.seccompProfile ?? shared.seccompProfile, privileged, policy),
    ...(!privileged && own.procMount !== 'Unmasked' && { maskedPaths, readonlyPaths }),
    pidNamespace: pod.shareProcessNamespace === true ? 'pod' : 'container',
  };
}

function imageUser({ uid, username }: ImageStatus) {
  if (uid !== undefined) return { runAsUser: uid };
  return username === undefined || username === '' ? {} : { runAsUsername: username };
}

function verifyNonRoot(container: Container, runAsUser: number | undefined, { uid, username }: ImageStatus): void {
  const where = `container: ${container.name}`;
  const refuse = (message: string) => new ContainerStartError('CreateContainerConfigError', message);
  if (runAsUser !== undefined) {
    if (runAsUser === 0) throw refuse(`container's runAsUser breaks non-root policy (${where})`);
    return;
  }
  if (uid === 0 || (uid === undefined && (username === undefined || username === '' || username === 'root'))) {
    throw refuse(`container has runAsNonRoot and image will run as root (${where})`);
  }
  if (uid === undefined) {
    throw refuse(
      `container has runAsNonRoot and image has non-numeric user (${username}), cannot verify user is non-root (${where})`,
    );
  }
}

function seccomp(
  profile: { type: string; localhostProfile?: string } | undefined,
  privileged: boolean,
  policy: SecurityPolicy,
): SeccompProfile {
  if (privileged) return { type: 'Unconfined' };
  if (profile?.type === 'Unconfined' && policy.allowPrivileged) return { type: 'Unconfined' };
  if (profile?.type === 'Localhost') {
    throw new ContainerStartError(
      'CreateContainerConfigError',
      'seccompProfile Localhost is not available: tenants have no files on the hosts',
    );
  }
  // Tenants share kernels: Unconfined and nothing at all both get the runtime's profile.
  return { type: 'RuntimeDefault' };
}

/** Namespaced sysctls that cannot harm other pods; k8s.io/kubernetes/pkg/kubelet/sysctl. */
const safeSysctls = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
]);

/** Why the pod as a whole may not run; such a pod fails for good, as one the kubelet does not admit. */
export function podRefusal(pod: PodSpec): { reason: string; message: string } | undefined {
  const unsafe = pod.securityContext?.sysctls
    ?.map(({ name }) => name.replaceAll('/', '.'))
    .find((name) => !safeSysctls.has(name));
  if (unsafe !== undefined) {
    return { reason: 'SysctlForbidden', message: `forbidden sysctl: "${unsafe}" not allowlisted` };
  }
  // containerd 1.6 always adds the groups that the image gives the user: better not at all than with more than asked for.
  if (pod.securityContext?.supplementalGroupsPolicy === 'Strict') {
    const message = 'SupplementalGroupsPolicy=Strict is not supported in this node';
    return { reason: 'SupplementalGroupsPolicyNotSupported', message };
  }
  for (const field of ['hostPID', 'hostIPC'] as const) {
    if (pod[field] === true) {
      return {
        reason: 'HostNamespaceForbidden',
        message: `${field} is not available: no machine stands behind a virtual node`,
      };
    }
  }
  return undefined;
}
