import type { Container, PodSpec, SecurityContext, WindowsSecurityContextOptions } from '../../generated/core-v1.ts';
import { isDns1123Subdomain } from '../../names.ts';
import type { Findings } from '../findings.ts';

const MAX_CREDENTIAL_KIB = 64;
const MAX_DOMAIN_CHARACTERS = 256;
const MAX_USER_CHARACTERS = 104;
const controlCharacters = /\p{Cc}/u;
const netBiosName = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const dnsName = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;

/** Source: validateWindowsSecurityContextOptions of pkg/apis/core/validation. */
export function validateWindowsOptions(
  options: WindowsSecurityContextOptions | undefined,
  path: string,
  findings: Findings,
): void {
  if (options === undefined) return;
  const { gmsaCredentialSpecName, gmsaCredentialSpec, runAsUserName } = options;
  if (gmsaCredentialSpecName !== undefined) {
    const at = `${path}.gmsaCredentialSpecName`;
    findings.invalidEach(at, gmsaCredentialSpecName, isDns1123Subdomain(gmsaCredentialSpecName));
  }
  if (gmsaCredentialSpec === '') {
    findings.invalid(`${path}.gmsaCredentialSpec`, '', 'gmsaCredentialSpec cannot be an empty string');
  } else if (gmsaCredentialSpec !== undefined && Buffer.byteLength(gmsaCredentialSpec) > MAX_CREDENTIAL_KIB * 1024) {
    const why = `gmsaCredentialSpec size must be under ${MAX_CREDENTIAL_KIB} KiB`;
    findings.invalid(`${path}.gmsaCredentialSpec`, gmsaCredentialSpec, why);
  }
  if (runAsUserName === undefined) return;
  for (const why of userNameFindings(runAsUserName)) findings.invalid(`${path}.runAsUserName`, runAsUserName, why);
}

function userNameFindings(name: string): string[] {
  if (name === '') return ['runAsUserName cannot be an empty string'];
  if (controlCharacters.test(name)) return ['runAsUserName cannot contain control characters'];
  const parts = name.split('\\');
  if (parts.length > 2) return ['runAsUserName cannot contain more than one backslash'];
  const [domain, user] = parts.length === 2 ? [parts[0]!, parts[1]!] : [undefined, parts[0]!];
  const found: string[] = [];
  if (domain !== undefined && domain.length >= MAX_DOMAIN_CHARACTERS) {
    found.push(`runAsUserName's Domain length must be under ${MAX_DOMAIN_CHARACTERS} characters`);
  }
  if (domain !== undefined && !netBiosName.test(domain) && !dnsName.test(domain)) {
    found.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
  }
  if (user === '') found.push("runAsUserName's User cannot be empty");
  else if (user.length > MAX_USER_CHARACTERS) {
    found.push(`runAsUserName's User length must not be longer than ${MAX_USER_CHARACTERS} characters`);
  }
  if (/^[. ]+$/.test(user)) found.push("runAsUserName's User cannot contain only periods or spaces");
  if (/["/\\:;|=,+*?<>@[\]]/.test(user)) {
    found.push(`runAsUserName's User cannot contain the following characters: "/\\:;|=,+*?<>@[]`);
  }
  return found;
}

/** Every container of a pod with its path, as upstream visits them. */
function visitContainers(spec: PodSpec, path: string, visit: (container: Container, path: string) => void): void {
  for (const list of ['initContainers', 'containers', 'ephemeralContainers'] as const) {
    spec[list]?.forEach((container, index) => {
      visit(container as Container, `${path}.${list}[${index}]`);
    });
  }
}

/** Windows' containers that are processes of the host: all of a pod's or none. Source: validateWindowsHostProcessPod. */
export function validateHostProcesses(spec: PodSpec, path: string, findings: Findings): void {
  const ofPod = spec.securityContext?.windowsOptions?.hostProcess;
  let [all, ofHost] = [0, 0];
  visitContainers(spec, path, ({ securityContext }, at) => {
    const own = securityContext?.windowsOptions?.hostProcess;
    all++;
    if (ofPod !== undefined && own !== undefined && own !== ofPod) {
      const why = `pod hostProcess value must be identical if both are specified, was ${ofPod}`;
      findings.invalid(`${at}.securityContext.windowsOptions.hostProcess`, own, why);
    }
    if (own ?? ofPod) ofHost++;
  });
  if (ofHost === 0) return;
  if (ofHost !== all) {
    const why = 'If pod contains any hostProcess containers then all containers must be HostProcess containers';
    findings.invalid(path, '', why);
  }
  if (spec.hostNetwork !== true) {
    const why = 'hostNetwork must be true if pod contains any hostProcess containers';
    findings.invalid(`${path}.hostNetwork`, false, why);
  }
}

/** Who has users of its own has the other namespaces too. Source: validateHostUsers. */
export function validateHostUsers(spec: PodSpec, path: string, findings: Findings): void {
  if (spec.hostUsers !== false) return;
  const why = 'when `hostUsers` is false';
  if (spec.hostNetwork === true) findings.forbidden(`${path}.hostNetwork`, why);
  // Upstream's own spelling.
  if (spec.hostPID === true) findings.forbidden(`${path}.HostPID`, why);
  if (spec.hostIPC === true) findings.forbidden(`${path}.HostIPC`, why);
  visitContainers(spec, path, ({ volumeDevices }, at) => {
    if (volumeDevices?.length) findings.forbidden(`${at}.volumeDevices`, why);
  });
}

const notOnWindows = {
  pod: [
    'appArmorProfile',
    'seLinuxOptions',
    '.hostUsers',
    '.hostPID',
    '.hostIPC',
    'seccompProfile',
    'fsGroup',
    'fsGroupChangePolicy',
    'sysctls',
    '.shareProcessNamespace',
    'runAsUser',
    'runAsGroup',
    'supplementalGroups',
    'supplementalGroupsPolicy',
    'seLinuxChangePolicy',
  ],
  container: [
    'appArmorProfile',
    'seLinuxOptions',
    'seccompProfile',
    'capabilities',
    'readOnlyRootFilesystem',
    'privileged',
    'allowPrivilegeEscalation',
    'procMount',
    'runAsUser',
    'runAsGroup',
  ],
};
/** What Go keeps no pointer to says nothing unless it says something. */
const saysNothing = (field: string, value: any): boolean =>
  value === undefined ||
  ((field === '.hostPID' || field === '.hostIPC') && value !== true) ||
  (field === 'sysctls' && value.length === 0);

/** What a pod may say of one operating system alone. Source: validateOS, validateLinux and validateWindows. */
export function validateOperatingSystem(spec: PodSpec, path: string, findings: Findings): void {
  if (spec.os === undefined) return;
  const { name } = spec.os;
  if (!name) {
    findings.required(`${path}.os.name`);
    return;
  }
  if (name === 'linux') {
    const why = 'windows options cannot be set for a linux pod';
    const check = (context: { windowsOptions?: unknown } | undefined, at: string) => {
      if (context?.windowsOptions !== undefined) findings.forbidden(`${at}.securityContext.windowsOptions`, why);
    };
    check(spec.securityContext, path);
    visitContainers(spec, path, ({ securityContext }, at) => check(securityContext, at));
    return;
  }
  if (name !== 'windows') {
    findings.notSupported(`${path}.os`, name, ['linux', 'windows']);
    return;
  }
  const why = 'cannot be set for a windows pod';
  for (const field of notOnWindows.pod) {
    const isOfSpec = field.startsWith('.');
    const value = isOfSpec ? (spec as any)[field.slice(1)] : (spec.securityContext as any)?.[field];
    if (!saysNothing(field, value))
      findings.forbidden(isOfSpec ? path + field : `${path}.securityContext.${field}`, why);
  }
  visitContainers(spec, path, ({ securityContext }, at) => {
    for (const field of notOnWindows.container) {
      if (securityContext?.[field as keyof SecurityContext] !== undefined) {
        findings.forbidden(`${at}.securityContext.${field}`, why);
      }
    }
  });
}
