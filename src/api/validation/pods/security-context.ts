import type { AppArmorProfile, PodSecurityContext, SeccompProfile, SecurityContext } from '../../generated/core-v1.ts';
import { inclusiveRange } from '../../names.ts';
import type { Findings } from '../findings.ts';
import { goValueOf } from '../go-value.ts';
import { validateDescendingPath } from '../volumes/volumes.ts';
import { validateWindowsOptions } from './windows.ts';

const LARGEST_ID = 2_147_483_647;
const seccompTypes = ['Localhost', 'RuntimeDefault', 'Unconfined'];
const sysctlPattern = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
const sysctlText = '([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?';

function validateId(id: number | undefined, path: string, findings: Findings): void {
  if (id !== undefined && (id < 0 || id > LARGEST_ID)) findings.invalid(path, id, inclusiveRange(0, LARGEST_ID));
}

function validateSeccomp(profile: SeccompProfile | undefined, path: string, findings: Findings): void {
  if (profile === undefined) return;
  if (!profile.type) findings.required(`${path}.type`, 'type is required when seccompProfile is set');
  else findings.oneOf(profile.type, `${path}.type`, seccompTypes);
  if (profile.type === 'Localhost') {
    if (profile.localhostProfile === undefined) {
      findings.required(`${path}.localhostProfile`, 'must be set when seccomp type is Localhost');
    } else validateDescendingPath(profile.localhostProfile, `${path}.localhostProfile`, findings);
  } else if (profile.localhostProfile !== undefined) {
    findings.invalid(
      `${path}.localhostProfile`,
      goValueOf('io.k8s.api.core.v1.SeccompProfile', profile),
      'can only be set when seccomp type is Localhost',
    );
  }
}

const PATH_MAX = 4096;

function validateAppArmor(profile: AppArmorProfile | undefined, path: string, findings: Findings): void {
  if (profile === undefined) return;
  const { type, localhostProfile } = profile;
  const at = `${path}.localhostProfile`;
  if (type === 'Localhost') {
    const trimmed = localhostProfile?.trim();
    if (localhostProfile !== undefined && trimmed !== localhostProfile) {
      findings.invalid(at, localhostProfile, 'must not be padded with whitespace');
    } else if (!trimmed) findings.required(at, 'must be set when AppArmor type is Localhost');
    if ((localhostProfile?.length ?? 0) >= PATH_MAX) findings.tooLong(at, PATH_MAX - 1);
  } else if (!type) findings.required(`${path}.type`, 'type is required when appArmorProfile is set');
  else if (type !== 'RuntimeDefault' && type !== 'Unconfined') {
    findings.notSupported(`${path}.type`, type, ['Localhost', 'RuntimeDefault', 'Unconfined']);
  } else if (localhostProfile !== undefined) {
    findings.invalid(at, localhostProfile, 'can only be set when AppArmor type is Localhost');
  }
}

export function validateContainerSecurity(
  context: SecurityContext | undefined,
  hostUsers: boolean,
  path: string,
  findings: Findings,
): void {
  if (context === undefined) return;
  validateId(context.runAsUser, `${path}.runAsUser`, findings);
  validateId(context.runAsGroup, `${path}.runAsGroup`, findings);
  if (context.procMount !== undefined) {
    findings.optionalOneOf(context.procMount, `${path}.procMount`, ['Default', 'Unmasked']);
    if (hostUsers && context.procMount === 'Unmasked') {
      findings.invalid(`${path}.procMount`, context.procMount, '`hostUsers` must be false to use `Unmasked`');
    }
  }
  validateSeccomp(context.seccompProfile, `${path}.seccompProfile`, findings);
  validateAppArmor(context.appArmorProfile, `${path}.appArmorProfile`, findings);
  validateWindowsOptions(context.windowsOptions, `${path}.windowsOptions`, findings);
  if (context.allowPrivilegeEscalation !== false) return;
  if (context.privileged === true) {
    findings.invalid(
      path,
      shownContext(context),
      'cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
    );
  }
  if (context.capabilities?.add?.includes('CAP_SYS_ADMIN')) {
    findings.invalid(
      path,
      shownContext(context),
      'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN',
    );
  }
}

const shownContext = (context: SecurityContext) => goValueOf('io.k8s.api.core.v1.SecurityContext', context);

export function validatePodSecurity(
  context: PodSecurityContext | undefined,
  spec: { hostPID?: boolean; hostIPC?: boolean; shareProcessNamespace?: boolean; hostNetwork?: boolean },
  path: string,
  findings: Findings,
): void {
  if (spec.hostPID === true && spec.shareProcessNamespace === true) {
    findings.invalid(`${path}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled');
  }
  if (context === undefined) return;
  validateId(context.fsGroup, `${path}.fsGroup`, findings);
  validateId(context.runAsUser, `${path}.runAsUser`, findings);
  validateId(context.runAsGroup, `${path}.runAsGroup`, findings);
  context.supplementalGroups?.forEach((group, index) => {
    validateId(group, `${path}.supplementalGroups[${index}]`, findings);
  });
  findings.optionalOneOf(context.fsGroupChangePolicy, `${path}.fsGroupChangePolicy`, ['Always', 'OnRootMismatch']);
  findings.optionalOneOf(context.supplementalGroupsPolicy, `${path}.supplementalGroupsPolicy`, ['Merge', 'Strict']);
  validateSeccomp(context.seccompProfile, `${path}.seccompProfile`, findings);
  validateAppArmor(context.appArmorProfile, `${path}.appArmorProfile`, findings);
  validateWindowsOptions(context.windowsOptions, `${path}.windowsOptions`, findings);
  findings.optionalOneOf(context.seLinuxChangePolicy, `${path}.seLinuxChangePolicy`, ['Recursive']);
  const names = new Set<string>();
  context.sysctls?.forEach(({ name }, index) => {
    const at = `${path}.sysctls[${index}].name`;
    if (!name) findings.required(at);
    else if (name.length > 253 || !sysctlPattern.test(name)) {
      findings.invalid(at, name, `must have at most 253 characters and match regex ^${sysctlText}$`);
    } else if (names.has(name)) findings.duplicate(at, name);
    const namespace = namespaceOf(name ?? '');
    if (spec.hostNetwork === true && namespace === 'net') {
      findings.invalid(at, name, "may not be specified when 'hostNetwork' is true");
    } else if (spec.hostIPC === true && namespace === 'ipc') {
      findings.invalid(at, name, "may not be specified when 'hostIPC' is true");
    }
    names.add(name);
  });
}

/** Of which namespace a kernel parameter is; both ways to write one are taken. */
function namespaceOf(sysctl: string): 'ipc' | 'net' | undefined {
  const name = sysctl.replaceAll('/', '.');
  if (name.startsWith('net.')) return 'net';
  return /^(kernel\.(sem$|shm|msg)|fs\.mqueue\.)/.test(name) ? 'ipc' : undefined;
}
