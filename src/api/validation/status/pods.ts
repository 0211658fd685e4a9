import { semanticEqual } from '../../equality.ts';
import type { ContainerStatus, Pod } from '../../generated/core-v1.ts';
import { isDns1123Subdomain, isQualifiedName } from '../../names.ts';
import { FIELD_IS_IMMUTABLE, type Findings } from '../findings.ts';
import { addressFindings, ipFamilyOf } from '../networking/ip-address.ts';
import { validatePodAnnotationsUpdate } from '../pods/annotations.ts';

const ownConditions = ['PodScheduled', 'Ready', 'Initialized'];
const NONNEGATIVE = 'must be a non-negative integer';

/** Source: ValidatePodStatusUpdate of pkg/apis/core/validation. */
export function validatePodStatusUpdate(pod: Pod, old: Pod, findings: Findings): void {
  const status = pod.status ?? {};
  const before = old.status ?? {};
  validatePodAnnotationsUpdate(pod, old, findings);
  status.conditions?.forEach(({ type = '', observedGeneration = 0 }, index) => {
    const path = `status.conditions[${index}]`;
    if (observedGeneration < 0) findings.invalid(`${path}.observedGeneration`, observedGeneration, NONNEGATIVE);
    if (!ownConditions.includes(type)) findings.invalidEach(`${path}.Type`, type, isQualifiedName(type));
  });
  const { nominatedNodeName = '', observedGeneration = 0 } = status;
  if (nominatedNodeName !== '' && nominatedNodeName !== before.nominatedNodeName) {
    const path = 'status.nominatedNodeName';
    findings.invalidEach(path, nominatedNodeName, isDns1123Subdomain(nominatedNodeName));
    if (old.spec.nodeName) findings.forbidden(path, 'may not be set on pods that are already bound to a node');
  }
  if (observedGeneration < 0) findings.invalid('status.observedGeneration', observedGeneration, NONNEGATIVE);
  if ((status.qosClass ?? '') !== (before.qosClass ?? '')) {
    findings.invalid('status.qosClass', status.qosClass ?? '', FIELD_IS_IMMUTABLE);
  }
  validateStates(status.containerStatuses, before.containerStatuses, 'containerStatuses', old, findings);
  validateStates(status.initContainerStatuses, before.initContainerStatuses, 'initContainerStatuses', old, findings);
  validateClaims(pod, findings);
  validateAddresses(status.podIPs, before.podIPs, 'podIPs', findings);
  const { hostIPs } = status;
  if (hostIPs?.length && (status.hostIP ?? '') !== (hostIPs[0]!.ip ?? '')) {
    findings.invalid('status.hostIPs[0].ip', hostIPs[0]!.ip, 'must be equal to `hostIP`');
  }
  validateAddresses(hostIPs, before.hostIPs, 'hostIPs', findings);
}

/** What has ended, and would not be started again, stays so. */
function validateStates(
  statuses: ContainerStatus[] | undefined,
  before: ContainerStatus[] | undefined,
  field: 'containerStatuses' | 'initContainerStatuses',
  { spec }: Pod,
  findings: Findings,
): void {
  const containers = field === 'containerStatuses' ? spec.containers : (spec.initContainers ?? []);
  // One that may restart all the others takes every container back.
  const all = [...spec.containers, ...(spec.initContainers ?? [])];
  const rules = all.flatMap(({ restartPolicyRules = [] }: any) => restartPolicyRules as { action: string }[]);
  if (rules.some(({ action }) => action === 'RestartAllContainers')) return;
  const nowByName = byName(statuses);
  const containersByName = byName(containers);
  before?.forEach(({ name, state }, index) => {
    if (!state?.terminated) return;
    const now = nowByName.get(name);
    if (now === undefined || now.state?.terminated) return;
    const container = containersByName.get(name);
    if (container !== undefined && mayRestart(container, spec.restartPolicy, state.terminated.exitCode)) return;
    findings.forbidden(`status.${field}[${index}].state`, 'may not be transitioned to non-terminated state');
  });
}

/** The first of each name. */
function byName<T extends { name: string }>(list: T[] | undefined): Map<string, T> {
  const found = new Map<string, T>();
  for (const one of list ?? []) if (!found.has(one.name)) found.set(one.name, one);
  return found;
}

function mayRestart(container: any, ofPod: string | undefined, exitCode: number): boolean {
  for (const { action, exitCodes } of container.restartPolicyRules ?? []) {
    const isIn = exitCodes?.values?.includes(exitCode) ?? false;
    if (action === 'Restart' && exitCodes && (exitCodes.operator === 'In') === isIn) return true;
  }
  const policy = container.restartPolicy ?? ofPod ?? 'Always';
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

function validateClaims({ spec, status }: Pod, findings: Findings): void {
  const seen = new Set<string>();
  const claims = byName(spec.resourceClaims);
  status?.resourceClaimStatuses?.forEach(({ name, resourceClaimName }, index) => {
    const path = `status.resourceClaimStatuses[${index}]`;
    if (!claims.has(name)) {
      findings.invalid(`${path}.name`, name, 'must match the name of an entry in `spec.resourceClaims`');
    }
    if (seen.has(name)) findings.duplicate(`${path}.name`, name);
    seen.add(name);
    if (resourceClaimName !== undefined) {
      findings.invalidEach(`${path}.resourceClaimName`, resourceClaimName, isDns1123Subdomain(resourceClaimName));
    }
  });
}

function validateAddresses(
  addresses: { ip?: string }[] | undefined,
  before: { ip?: string }[] | undefined,
  field: string,
  findings: Findings,
): void {
  if (!addresses?.length || semanticEqual(addresses, before)) return;
  const known = new Set(before?.map(({ ip = '' }) => ip));
  addresses.forEach(({ ip = '' }, index) => {
    findings.invalidEach(`status.${field}[${index}]`, ip, addressFindings(ip, known));
  });
  const families = new Set(addresses.map(({ ip = '' }) => ipFamilyOf(ip)));
  if (addresses.length > 1 && families.size < addresses.length) {
    findings.invalid(`status.${field}`, addresses, 'may specify no more than one IP for each IP family');
  }
}
