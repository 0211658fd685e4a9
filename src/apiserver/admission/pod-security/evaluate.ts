import * as baseline from './baseline.ts';
import type { Check, CheckedPod, Violation } from './containers.ts';
import type { LevelVersion } from './policy.ts';
import * as restricted from './restricted.ts';

interface VersionedCheck {
  /** What newer rules replace. */
  id: string;
  /** From which minor version on each form applies, oldest first. */
  versions: [minor: number, check: Check][];
  /** A rule of `baseline` that this one makes needless, wherever it applies. */
  overrides?: string;
}

const sysctlsOf127 = ['net.ipv4.ip_local_reserved_ports'];
const sysctlsOf129 = [
  ...sysctlsOf127,
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
];
const sysctlsOf132 = [...sysctlsOf129, 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'];

/** In the order in which violations are told. */
const baselineChecks: VersionedCheck[] = [
  { id: 'appArmorProfile', versions: [[0, baseline.appArmorProfile]] },
  { id: 'capabilities_baseline', versions: [[0, baseline.capabilities]] },
  { id: 'hostNamespaces', versions: [[0, baseline.hostNamespaces]] },
  { id: 'hostPathVolumes', versions: [[0, baseline.hostPathVolumes]] },
  { id: 'hostPorts', versions: [[0, baseline.hostPorts]] },
  { id: 'hostProbesAndHostLifecycle', versions: [[34, baseline.hostProbes]] },
  { id: 'privileged', versions: [[0, baseline.privilegedContainers]] },
  {
    id: 'procMount',
    versions: [
      [0, baseline.procMount],
      [35, baseline.inUserNamespace(baseline.procMount)],
    ],
  },
  {
    id: 'seLinuxOptions',
    versions: [
      [0, baseline.seLinuxOptions([])],
      [31, baseline.seLinuxOptions(['container_engine_t'])],
    ],
  },
  {
    id: 'seccompProfile_baseline',
    versions: [
      [0, baseline.seccompAnnotations],
      [19, baseline.seccompProfile],
    ],
  },
  {
    id: 'sysctls',
    versions: [
      [0, baseline.sysctls([])],
      [27, baseline.sysctls(sysctlsOf127)],
      [29, baseline.sysctls(sysctlsOf129)],
      [32, baseline.sysctls(sysctlsOf132)],
    ],
  },
  { id: 'windowsHostProcess', versions: [[0, baseline.windowsHostProcess]] },
];

const restrictedChecks: VersionedCheck[] = [
  {
    id: 'allowPrivilegeEscalation',
    versions: [
      [8, restricted.allowPrivilegeEscalation],
      [25, restricted.unlessWindows(restricted.allowPrivilegeEscalation)],
    ],
  },
  {
    id: 'capabilities_restricted',
    overrides: 'capabilities_baseline',
    versions: [
      [22, restricted.capabilitiesDropped],
      [25, restricted.unlessWindows(restricted.capabilitiesDropped)],
    ],
  },
  { id: 'procMount_restricted', overrides: 'procMount', versions: [[35, baseline.procMount]] },
  { id: 'restrictedVolumes', overrides: 'hostPathVolumes', versions: [[0, restricted.volumeTypes]] },
  {
    id: 'runAsNonRoot',
    versions: [
      [0, restricted.runAsNonRoot],
      [35, baseline.inUserNamespace(restricted.runAsNonRoot)],
    ],
  },
  {
    id: 'runAsUser',
    versions: [
      [23, restricted.runAsUser],
      [35, baseline.inUserNamespace(restricted.runAsUser)],
    ],
  },
  {
    id: 'seccompProfile_restricted',
    overrides: 'seccompProfile_baseline',
    versions: [
      [19, restricted.seccompRequired],
      [25, restricted.unlessWindows(restricted.seccompRequired)],
    ],
  },
];

const formAt = ({ versions }: VersionedCheck, minor: number): Check | undefined =>
  versions.findLast(([from]) => from <= minor)?.[1];

/** Everything a pod has against a level. */
export function violations({ level, minor = Number.POSITIVE_INFINITY }: LevelVersion, pod: CheckedPod): Violation[] {
  if (level === 'privileged') return [];
  const checks: VersionedCheck[] = [];
  if (level === 'baseline') checks.push(...baselineChecks);
  else {
    const applying = restrictedChecks.filter((check) => formAt(check, minor) !== undefined);
    const overridden = new Set(applying.map(({ overrides }) => overrides));
    checks.push(...baselineChecks.filter(({ id }) => !overridden.has(id)), ...applying);
  }
  return checks.flatMap((check) => formAt(check, minor)?.(pod) ?? []);
}

export const printReasons = (found: Violation[]): string => found.map(({ reason }) => reason).join(', ');
export const printDetails = (found: Violation[]): string =>
  found.map(({ reason, detail }) => (detail === '' ? reason : `${reason} (${detail})`)).join(', ');
