import type { Container, LifecycleHandler, Probe, SELinuxOptions } from '../../../api/generated/core-v1.ts';
import { type Check, containersNamed, containersOf, namesOf, quoted, setters, sorted } from './containers.ts';

/** The rules of the level `baseline`. Source: pod-security-admission's policy/, one function a check there. */
export const appArmorProfile: Check = (pod) => {
  const isAllowed = (type: string) => type === 'RuntimeDefault' || type === 'Localhost';
  const bad = new Set<string>();
  const isBad = (profile: { type: string } | undefined): boolean => {
    if (profile === undefined || isAllowed(profile.type)) return false;
    bad.add(profile.type);
    return true;
  };
  const podHas = isBad(pod.spec.securityContext?.appArmorProfile);
  const names = namesOf(pod, ({ securityContext }) => isBad(securityContext?.appArmorProfile));
  const annotations = Object.entries(pod.metadata.annotations ?? {})
    .filter(
      ([key, value]) =>
        key.startsWith('container.apparmor.security.beta.kubernetes.io/') &&
        value !== '' &&
        value !== 'runtime/default' &&
        !value.startsWith('localhost/'),
    )
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort();
  const who = [
    ...(podHas || names.length > 0 ? [setters(podHas, names)] : []),
    ...(annotations.length > 0 ? [annotations.length === 1 ? 'annotation' : 'annotations'] : []),
  ];
  if (who.length === 0) return undefined;
  const values = [...sorted(bad), ...annotations];
  return {
    reason: values.length === 1 ? 'forbidden AppArmor profile' : 'forbidden AppArmor profiles',
    detail: `${who.join(' and ')} must not set AppArmor profile type to ${quoted(values)}`,
  };
};

const defaultCapabilities = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

export const capabilities: Check = (pod) => {
  const added = ({ securityContext }: Container) =>
    (securityContext?.capabilities?.add ?? []).filter((name) => !defaultCapabilities.has(name));
  const names = namesOf(pod, (container) => added(container).length > 0);
  if (names.length === 0) return undefined;
  const bad = sorted(containersOf(pod).flatMap(added));
  return {
    reason: 'non-default capabilities',
    detail: `${containersNamed(names)} must not include ${quoted(bad)} in securityContext.capabilities.add`,
  };
};

export const hostNamespaces: Check = ({ spec }) => {
  const shared = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field] === true);
  if (shared.length === 0) return undefined;
  return { reason: 'host namespaces', detail: shared.map((field) => `${field}=true`).join(', ') };
};

export const hostPathVolumes: Check = ({ spec }) => {
  const names = (spec.volumes ?? []).filter(({ hostPath }) => hostPath !== undefined).map(({ name }) => name);
  if (names.length === 0) return undefined;
  return { reason: 'hostPath volumes', detail: `${names.length === 1 ? 'volume' : 'volumes'} ${quoted(names)}` };
};

export const hostPorts: Check = (pod) => {
  const taken = ({ ports }: Container) => (ports ?? []).filter(({ hostPort }) => hostPort).map((one) => one.hostPort!);
  const names = namesOf(pod, (container) => taken(container).length > 0);
  if (names.length === 0) return undefined;
  const ports = sorted(containersOf(pod).flatMap(taken).map(String));
  return {
    reason: 'hostPort',
    detail: `${containersNamed(names)} ${names.length === 1 ? 'uses' : 'use'} ${ports.length === 1 ? 'hostPort' : 'hostPorts'} ${ports.join(', ')}`,
  };
};

export const hostProbes: Check = (pod) => {
  const hosts = ({ livenessProbe, readinessProbe, startupProbe, lifecycle }: Container): string[] => {
    const handlers: (Probe | LifecycleHandler | undefined)[] = [
      livenessProbe,
      readinessProbe,
      startupProbe,
      lifecycle?.postStart,
      lifecycle?.preStop,
    ];
    return handlers
      .flatMap((handler) => [handler?.httpGet?.host, handler?.tcpSocket?.host])
      .filter((host): host is string => Boolean(host));
  };
  const names = sorted(namesOf(pod, (container) => hosts(container).length > 0));
  if (names.length === 0) return undefined;
  const bad = sorted(containersOf(pod).flatMap(hosts));
  return {
    reason: 'probe or lifecycle host',
    detail: `${containersNamed(names)} ${names.length === 1 ? 'uses' : 'use'} ${bad.length === 1 ? 'probe or lifecycle host' : 'probe or lifecycle hosts'} ${quoted(bad)}`,
  };
};

export const privilegedContainers: Check = (pod) => {
  const names = namesOf(pod, ({ securityContext }) => securityContext?.privileged === true);
  if (names.length === 0) return undefined;
  return { reason: 'privileged', detail: `${containersNamed(names)} must not set securityContext.privileged=true` };
};

export const procMount: Check = (pod) => {
  const other = ({ securityContext }: Container): string | undefined =>
    securityContext?.procMount === 'Default' ? undefined : securityContext?.procMount;
  const names = namesOf(pod, (container) => other(container) !== undefined);
  if (names.length === 0) return undefined;
  const types = sorted(containersOf(pod).flatMap((container) => other(container) ?? []));
  return {
    reason: 'procMount',
    detail: `${containersNamed(names)} must not set securityContext.procMount to ${quoted(types)}`,
  };
};

/** Root in a user namespace of its own is nobody outside. */
export const inUserNamespace =
  (check: Check): Check =>
  (pod) =>
    pod.spec.hostUsers === false ? undefined : check(pod);

export const seLinuxOptions =
  (moreTypes: string[]): Check =>
  (pod) => {
    const allowed = new Set(['', 'container_t', 'container_init_t', 'container_kvm_t', ...moreTypes]);
    const types = new Set<string>();
    let [setsUser, setsRole] = [false, false];
    const isBad = (options: SELinuxOptions | undefined): boolean => {
      if (options === undefined) return false;
      const { type = '', user, role } = options;
      if (!allowed.has(type)) types.add(type);
      if (user) setsUser = true;
      if (role) setsRole = true;
      return !allowed.has(type) || Boolean(user) || Boolean(role);
    };
    const podHas = isBad(pod.spec.securityContext?.seLinuxOptions);
    const names = namesOf(pod, ({ securityContext }) => isBad(securityContext?.seLinuxOptions));
    if (!podHas && names.length === 0) return undefined;
    const data = [
      ...(types.size > 0 ? [`${types.size === 1 ? 'type' : 'types'} ${quoted(sorted(types))}`] : []),
      ...(setsUser ? ['user may not be set'] : []),
      ...(setsRole ? ['role may not be set'] : []),
    ];
    return {
      reason: 'seLinuxOptions',
      detail: `${setters(podHas, names)} set forbidden securityContext.seLinuxOptions: ${data.join('; ')}`,
    };
  };

export const isSeccompAllowed = (type: string): boolean => type === 'Localhost' || type === 'RuntimeDefault';

/** Before the field there were annotations. */
export const seccompAnnotations: Check = (pod) => {
  const annotations = pod.metadata.annotations ?? {};
  const isAllowed = (value: string) =>
    value === 'runtime/default' || value === 'docker/default' || value.startsWith('localhost/');
  const keys = [
    'seccomp.security.alpha.kubernetes.io/pod',
    ...containersOf(pod).map(({ name }) => `container.seccomp.security.alpha.kubernetes.io/${name}`),
  ];
  const bad = sorted(
    keys
      .filter((key) => annotations[key] !== undefined && !isAllowed(annotations[key]))
      .map((key) => `${key}=${JSON.stringify(annotations[key])}`),
  );
  if (bad.length === 0) return undefined;
  return {
    reason: 'seccompProfile',
    detail: `forbidden ${bad.length === 1 ? 'annotation' : 'annotations'} ${bad.join(', ')}`,
  };
};

export const seccompProfile: Check = (pod) => {
  const bad = new Set<string>();
  const isBad = (profile: { type: string } | undefined): boolean => {
    if (profile === undefined || isSeccompAllowed(profile.type)) return false;
    bad.add(profile.type);
    return true;
  };
  const podHas = isBad(pod.spec.securityContext?.seccompProfile);
  const names = namesOf(pod, ({ securityContext }) => isBad(securityContext?.seccompProfile));
  if (!podHas && names.length === 0) return undefined;
  return {
    reason: 'seccompProfile',
    detail: `${setters(podHas, names)} must not set securityContext.seccompProfile.type to ${quoted(sorted(bad))}`,
  };
};

export const sysctls =
  (moreNames: string[]): Check =>
  ({ spec }) => {
    const allowed = new Set([
      'kernel.shm_rmid_forced',
      'net.ipv4.ip_local_port_range',
      'net.ipv4.tcp_syncookies',
      'net.ipv4.ping_group_range',
      'net.ipv4.ip_unprivileged_port_start',
      ...moreNames,
    ]);
    const bad = (spec.securityContext?.sysctls ?? []).map(({ name }) => name).filter((name) => !allowed.has(name));
    return bad.length === 0 ? undefined : { reason: 'forbidden sysctls', detail: bad.join(', ') };
  };

export const windowsHostProcess: Check = (pod) => {
  const podHas = pod.spec.securityContext?.windowsOptions?.hostProcess === true;
  const names = namesOf(pod, ({ securityContext }) => securityContext?.windowsOptions?.hostProcess === true);
  if (!podHas && names.length === 0) return undefined;
  return {
    reason: 'hostProcess',
    detail: `${setters(podHas, names)} must not set securityContext.windowsOptions.hostProcess=true`,
  };
};
