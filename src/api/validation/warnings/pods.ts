import type { Steps } from '../../../base/steps.ts';
import type {
  Container,
  ContainerPort,
  EphemeralContainer,
  PersistentVolumeClaimSpec,
  PodAffinityTerm,
  PodSpec,
  PodTemplateSpec,
} from '../../generated/core-v1.ts';
import type { ObjectMeta } from '../../object.ts';
import { canonicalQuantity, parseQuantity } from '../../quantity.ts';
import { warnOfAddress } from './addresses.ts';
import { deprecatedNodeLabel, warnOfNodeSelectorTerm } from './node-labels.ts';
import { warnOfOverlappingPaths } from './volume-paths.ts';

const deprecatedAnnotations = [
  ['scheduler.alpha.kubernetes.io/critical-pod', 'non-functional in v1.16+; use the "priorityClassName" field instead'],
  ['security.alpha.kubernetes.io/sysctls', 'non-functional in v1.11+; use the "sysctls" field instead'],
  ['security.alpha.kubernetes.io/unsafe-sysctls', 'non-functional in v1.11+; use the "sysctls" field instead'],
] as const;

const deprecatedVolumes = [
  ['photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['gitRepo', 'deprecated in v1.11, and disabled by default in v1.33+'],
  ['scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['flocker', 'deprecated in v1.22, non-functional in v1.25+'],
  ['storageos', 'deprecated in v1.22, non-functional in v1.25+'],
  ['quobyte', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['rbd', 'deprecated in v1.28, non-functional in v1.31+'],
] as const;

const SECCOMP = 'use the "seccompProfile" field instead';
const APP_ARMOR = 'deprecated since v1.30; use the "appArmorProfile" field instead';

/** `path` is that of the template, '' for a pod. Source: pkg/api/pod/warnings.go upstream, whose order is kept. */
export function* warnOfPod(
  template: PodTemplateSpec | undefined | null,
  path: string,
  warnings: string[],
): Steps<void> {
  const spec = template?.spec;
  if (spec === undefined || spec === null) return;
  const metadata = (template?.metadata ?? {}) as Partial<ObjectMeta>;
  const prefix = path === '' ? '' : `${path}.`;
  const at = `${prefix}spec`;
  const annotation = (key: string) => `${prefix}metadata.annotations[${key}]`;
  const annotations = metadata.annotations ?? {};

  warnOfPlacement(spec, at, warnings);
  for (const [key, why] of deprecatedAnnotations) if (key in annotations) warnings.push(`${annotation(key)}: ${why}`);
  warnOfVolumes(spec, at, warnings);
  warnOfRepeated(spec.hostAliases, 'ip', `${at}.hostAliases`, warnings);
  warnOfRepeated(spec.imagePullSecrets, 'name', `${at}.imagePullSecrets`, warnings);
  spec.imagePullSecrets?.forEach(({ name }, index) => {
    if (!name) warnings.push(`${at}.imagePullSecrets[${index}].name: invalid empty name ""`);
  });
  warnOfFractions(spec.overhead, `${at}.overhead`, warnings);

  const seccompPod = 'seccomp.security.alpha.kubernetes.io/pod';
  if (!spec.securityContext?.seccompProfile && seccompPod in annotations) {
    warnings.push(`${annotation(seccompPod)}: non-functional in v1.27+; ${SECCOMP}`);
  }
  const containers = containersOf(spec, at);
  // There may be ten thousands: no texts are made for what is not there.
  const isAnnotated = template?.metadata?.annotations !== undefined;
  if (containers.length > lookedAtAtOnce) yield;
  let count = 0;
  for (const { container, at: own } of containers) {
    if (++count % lookedAtAtOnce === 0) yield;
    const { resources, securityContext } = container;
    const seccomp = isAnnotated ? `container.seccomp.security.alpha.kubernetes.io/${container.name}` : '';
    if (isAnnotated && !securityContext?.seccompProfile && seccomp in annotations) {
      warnings.push(`${annotation(seccomp)}: non-functional in v1.27+; ${SECCOMP}`);
    }
    const appArmor = isAnnotated ? `container.apparmor.security.beta.kubernetes.io/${container.name}` : '';
    if (isAnnotated && path !== '' && !securityContext?.appArmorProfile && appArmor in annotations) {
      warnings.push(`${annotation(appArmor)}: ${APP_ARMOR}`);
    }
    for (const name of ['memory', 'ephemeral-storage']) {
      for (const kind of ['limits', 'requests'] as const) {
        const value = resources?.[kind]?.[name];
        if (value !== undefined) warnOfFraction(value, `${own}.resources.${kind}[${name}]`, warnings);
      }
    }
    warnOfHiddenVariables(container, own, warnings);
  }
  yield* warnOfPorts(containers, warnings);
  yield* warnOfPortNames(containers, warnings);
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) {
    const why = 'must be >= 0; negative values are invalid and will be treated as 1';
    warnings.push(`${at}.terminationGracePeriodSeconds: ${why}`);
  }
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    warnOfAffinity(spec.affinity?.[kind], `${at}.affinity.${kind}`, warnings);
  }
  spec.dnsConfig?.nameservers?.forEach((server, index) => {
    warnOfAddress(`${at}.dnsConfig.nameservers[${index}]`, server, warnings);
  });
  spec.hostAliases?.forEach(({ ip }, index) => {
    warnOfAddress(`${at}.hostAliases[${index}].ip`, ip, warnings);
  });
}

const NO_MATCH = 'a null labelSelector results in matching no pod';

function warnOfPlacement(spec: PodSpec, at: string, warnings: string[]): void {
  for (const key in spec.nodeSelector) {
    const why = deprecatedNodeLabel(key);
    if (why !== undefined) warnings.push(`${at}.nodeSelector[${key}]: ${why}`);
  }
  const { requiredDuringSchedulingIgnoredDuringExecution: required, preferredDuringSchedulingIgnoredDuringExecution } =
    spec.affinity?.nodeAffinity ?? {};
  const path = `${at}.affinity.nodeAffinity`;
  required?.nodeSelectorTerms?.forEach((term, index) => {
    const where = `${path}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[${index}]`;
    warnOfNodeSelectorTerm(term, false, where, warnings);
  });
  preferredDuringSchedulingIgnoredDuringExecution?.forEach(({ preference }, index) => {
    const where = `${path}.preferredDuringSchedulingIgnoredDuringExecution[${index}].preference`;
    warnOfNodeSelectorTerm(preference, true, where, warnings);
  });
  spec.topologySpreadConstraints?.forEach(({ topologyKey, labelSelector }, index) => {
    const where = `${at}.topologySpreadConstraints[${index}]`;
    const why = deprecatedNodeLabel(topologyKey);
    if (why !== undefined) warnings.push(`${where}.topologyKey: ${topologyKey} is ${why}`);
    if (!labelSelector) warnings.push(`${where}.labelSelector: ${NO_MATCH}`);
  });
}

function warnOfVolumes(spec: PodSpec, at: string, warnings: string[]): void {
  spec.volumes?.forEach((volume, index) => {
    const where = `${at}.volumes[${index}]`;
    for (const [plugin, why] of deprecatedVolumes) {
      // Upstream's own spelling.
      const shown = plugin === 'storageos' ? 'storageOS' : plugin;
      if (volume[plugin]) warnings.push(`${where}.${shown}: ${why}`);
    }
    const claim = volume.ephemeral?.volumeClaimTemplate?.spec;
    if (claim) warnOfClaimSpec(claim, `${where}.ephemeral.volumeClaimTemplate.spec`, warnings);
  });
  warnOfOverlappingPaths(spec.volumes ?? [], warnings);
}

function warnOfRepeated(
  items: Record<string, any>[] | undefined,
  field: string,
  path: string,
  warnings: string[],
): void {
  const seen = new Set<string>();
  items?.forEach((item, index) => {
    const value: string = item[field] ?? '';
    if (seen.has(value)) warnings.push(`${path}[${index}].${field}: duplicate ${field} ${JSON.stringify(value)}`);
    seen.add(value);
  });
}

/** Of bytes there are no parts. */
function warnOfFraction(value: string | undefined, path: string, warnings: string[]): void {
  if (value === undefined || parseQuantity(value).nanos % 1_000_000_000n === 0n) return;
  const shown = JSON.stringify(canonicalQuantity(value));
  warnings.push(`${path}: fractional byte value ${shown} is invalid, must be an integer`);
}

function warnOfFractions(resources: Record<string, string> | undefined, path: string, warnings: string[]): void {
  for (const name of ['memory', 'ephemeral-storage']) warnOfFraction(resources?.[name], `${path}[${name}]`, warnings);
}

export function warnOfClaimSpec({ resources }: PersistentVolumeClaimSpec, path: string, warnings: string[]): void {
  for (const kind of ['requests', 'limits'] as const) {
    warnOfFraction(resources?.[kind]?.['storage'], `${path}.resources.${kind}[storage]`, warnings);
  }
}

/** Containers, or their ports. */
const lookedAtAtOnce = 128;
const noPorts: ContainerPort[] = [];

interface Placed {
  container: Container | EphemeralContainer;
  at: string;
}

function containersOf(spec: PodSpec, at: string): Placed[] {
  const placed: Placed[] = [];
  for (const field of ['initContainers', 'containers', 'ephemeralContainers'] as const) {
    const list = spec[field] ?? [];
    for (let index = 0; index < list.length; index++) {
      placed.push({ container: list[index]!, at: `${at}.${field}[${index}]` });
    }
  }
  return placed;
}

/** A repeated name is fine only where the new value builds on the old one. */
function warnOfHiddenVariables({ env }: Container | EphemeralContainer, at: string, warnings: string[]): void {
  if (env === undefined) return;
  const seen = new Set<string>();
  env.forEach(({ name, value = '', valueFrom }, index) => {
    if (!seen.has(name)) {
      seen.add(name);
      return;
    }
    const reference = `$(${name})`;
    if (!valueFrom && value !== reference && value.includes(reference)) return;
    const why = `hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`;
    warnings.push(`${at}.env[${index}]: ${why}`);
  });
}

/** More than an answer's headers hold. */
const mostWarnings = 1000;
/** Ports of one number that the next are compared with: ten thousands, each with each, would take minutes. */
const comparedPorts = 32;

function* warnOfPorts(containers: Placed[], warnings: string[]): Steps<void> {
  let count = 0;
  const known = new Map<string, { at: string; port: ContainerPort }[]>();
  for (const { container, at } of containers) {
    if (++count % lookedAtAtOnce === 0) yield;
    for (const [index, port] of (container.ports ?? noPorts).entries()) {
      if (++count % lookedAtAtOnce === 0) yield;
      if (warnings.length >= mostWarnings) return;
      const where = `${at}.ports[${index}]`;
      const { name = '', hostPort = 0, hostIP = '', containerPort, protocol } = port;
      if (hostIP !== '' && hostPort === 0) {
        const shown = `{Name:${name} HostPort:0 ContainerPort:${containerPort} Protocol:${protocol} HostIP:${hostIP}}`;
        warnings.push(`${where}: hostIP set without hostPort: ${shown}`);
      }
      const key = `${containerPort}/${protocol}`;
      let others = known.get(key);
      if (others === undefined) known.set(key, (others = []));
      for (const other of others) {
        if (warnings.length >= mostWarnings) return;
        const { hostPort: otherPort = 0, hostIP: otherIP = '' } = other.port;
        if (hostIP === otherIP && hostPort === otherPort) {
          warnings.push(`${where}: duplicate port definition with ${other.at}`);
        } else if (hostPort === 0 || otherPort === 0) {
          warnings.push(`${where}: overlapping port definition with ${other.at}`);
        } else if (hostPort === otherPort && (hostIP === '') !== (otherIP === '')) {
          warnings.push(`${where}: dangerously ambiguous port definition with ${other.at}`);
        }
      }
      if (others.length < comparedPorts) others.push({ at: where, port });
    }
  }
}

function* warnOfPortNames(containers: Placed[], warnings: string[]): Steps<void> {
  const known = new Map<string, string>();
  let count = 0;
  for (const { container, at } of containers) {
    if (++count % lookedAtAtOnce === 0) yield;
    for (const [index, { name }] of (container.ports ?? noPorts).entries()) {
      if (++count % lookedAtAtOnce === 0) yield;
      if (!name) continue;
      const other = known.get(name);
      const where = `${at}.ports[${index}]`;
      if (other === undefined) known.set(name, where);
      else {
        const use = `services and probes that select ports by name will use ${other}`;
        warnings.push(`${where}: duplicate port name ${JSON.stringify(name)} with ${other}, ${use}`);
      }
    }
  }
}

interface Affinity {
  requiredDuringSchedulingIgnoredDuringExecution?: PodAffinityTerm[];
  preferredDuringSchedulingIgnoredDuringExecution?: { podAffinityTerm: PodAffinityTerm }[];
}

function warnOfAffinity(affinity: Affinity | undefined, path: string, warnings: string[]): void {
  affinity?.requiredDuringSchedulingIgnoredDuringExecution?.forEach(({ labelSelector }, index) => {
    const at = `${path}.requiredDuringSchedulingIgnoredDuringExecution[${index}].labelSelector`;
    if (!labelSelector) warnings.push(`${at}: ${NO_MATCH}`);
  });
  affinity?.preferredDuringSchedulingIgnoredDuringExecution?.forEach(({ podAffinityTerm }, index) => {
    const at = `${path}.preferredDuringSchedulingIgnoredDuringExecution[${index}].podAffinityTerm.labelSelector`;
    if (!podAffinityTerm?.labelSelector) warnings.push(`${at}: ${NO_MATCH}`);
  });
}
