import type { Steps } from '../../../base/steps.ts';
import type { PodSpec, PodTemplateSpec } from '../../generated/core-v1.ts';
import { inclusiveRange, isDns1123Label, isDns1123Subdomain, isQualifiedName, isSearchPath } from '../../names.ts';
import type { Findings } from '../findings.ts';
import { validateAnnotations, validateLabels } from '../metadata.ts';
import { addressFindings } from '../networking/ip-address.ts';
import { validateVolumes } from '../volumes/volumes.ts';
import { validatePodAnnotations, validateProfilesMatch } from './annotations.ts';
import { validatePodClaims } from './claims.ts';
import {
  type PodContext,
  validateContainers,
  validateEphemeralContainers,
  validateInitContainers,
} from './containers.ts';
import { validateAffinity, validateTolerations, validateTopologySpread } from './scheduling.ts';
import { validatePodSecurity } from './security-context.ts';
import { validatePodParts } from './spec-parts.ts';

const LARGEST_INT32 = 2_147_483_647;
const restartPolicies = ['Always', 'OnFailure', 'Never'];
const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];

/** The spec of a pod or of a pod template, defaults applied. Source: ValidatePodSpec of pkg/apis/core/validation. */
export function* validatePodSpec(spec: PodSpec, path: string, findings: Findings, isPod = false): Steps<void> {
  if (spec.terminationGracePeriodSeconds === undefined) findings.required(`${path}.terminationGracePeriodSeconds`);
  const volumes = validateVolumes(spec.volumes, `${path}.volumes`, findings);
  validatePodClaims(spec.resourceClaims, `${path}.resourceClaims`, findings);
  const pod: PodContext = { spec, volumes, hostUsers: spec.hostUsers !== false };
  yield;
  yield* validateContainers(pod, `${path}.containers`, findings);
  if (spec.initContainers !== undefined) yield* validateInitContainers(pod, `${path}.initContainers`, findings);
  if (spec.ephemeralContainers !== undefined) {
    yield* validateEphemeralContainers(pod, `${path}.ephemeralContainers`, findings);
  }
  yield;
  if (spec.hostNetwork === true) validateHostNetworkPorts(spec, isPod, path, findings);
  findings.oneOf(spec.restartPolicy, `${path}.restartPolicy`, restartPolicies);
  findings.oneOf(spec.dnsPolicy, `${path}.dnsPolicy`, dnsPolicies);
  validateLabels(spec.nodeSelector, `${path}.nodeSelector`, findings);
  validatePodSecurity(spec.securityContext, spec, `${path}.securityContext`, findings);
  validateAffinity(spec.affinity, `${path}.affinity`, findings);
  validatePodParts(spec, path, findings);
  yield;
  validateDns(spec, `${path}.dnsConfig`, findings);
  validateTopologySpread(spec.topologySpreadConstraints, `${path}.topologySpreadConstraints`, findings);
  validateNames(spec, path, findings);
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > LARGEST_INT32)) {
    findings.invalid(`${path}.activeDeadlineSeconds`, deadline, inclusiveRange(1, LARGEST_INT32));
  }
  validateTolerations(spec.tolerations, `${path}.tolerations`, findings);
  spec.hostAliases?.forEach((alias, index) => {
    const at = `${path}.hostAliases[${index}]`;
    findings.invalidEach(`${at}.ip`, alias.ip, addressFindings(alias.ip ?? ''));
    alias.hostnames?.forEach((name, i) => {
      findings.invalidEach(`${at}.hostnames[${i}]`, name, isDns1123Subdomain(name));
    });
  });
  if (spec.preemptionPolicy !== undefined) {
    findings.oneOf(spec.preemptionPolicy, `${path}.preemptionPolicy`, ['PreemptLowerPriority', 'Never']);
  }
}

function validateNames(spec: PodSpec, path: string, findings: Findings): void {
  const subdomains = ['serviceAccountName', 'nodeName', 'priorityClassName', 'runtimeClassName'] as const;
  for (const field of subdomains) {
    const value = spec[field];
    // An empty class of its own is none.
    const isGiven = field === 'runtimeClassName' ? value !== undefined : Boolean(value);
    if (isGiven) findings.invalidEach(`${path}.${field}`, value, isDns1123Subdomain(value!));
  }
  for (const field of ['hostname', 'subdomain'] as const) {
    const value = spec[field];
    if (value) findings.invalidEach(`${path}.${field}`, value, isDns1123Label(value));
  }
  const gates = new Set<string>();
  spec.schedulingGates?.forEach(({ name }, index) => {
    findings.invalidEach(`${path}.schedulingGates[${index}]`, name ?? '', isQualifiedName(name ?? ''));
    if (gates.has(name)) findings.duplicate(`${path}.schedulingGates[${index}]`, name);
    gates.add(name);
  });
}

// A template may leave the host's port out: it is filled in when the pod is made.
function validateHostNetworkPorts(spec: PodSpec, isPod: boolean, path: string, findings: Findings): void {
  spec.containers?.forEach((container, index) => {
    container.ports?.forEach(({ hostPort = 0, containerPort }, i) => {
      if ((isPod || hostPort !== 0) && hostPort !== containerPort) {
        findings.invalid(
          `${path}.containers[${index}].ports[${i}].hostPort`,
          hostPort,
          'must match `containerPort` when `hostNetwork` is true',
        );
      }
    });
  });
}

const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARACTERS = 2048;

function validateDns({ dnsPolicy, dnsConfig }: PodSpec, path: string, findings: Findings): void {
  if (dnsPolicy === 'None') {
    if (dnsConfig === undefined) {
      findings.required(path, 'must provide `dnsConfig` when `dnsPolicy` is None');
      return;
    }
    if (!dnsConfig.nameservers?.length) {
      findings.required(`${path}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None');
      return;
    }
  }
  if (dnsConfig === undefined) return;
  const { nameservers = [], searches = [], options = [] } = dnsConfig;
  if (nameservers.length > MAX_NAMESERVERS) {
    findings.invalid(`${path}.nameservers`, nameservers, `must not have more than ${MAX_NAMESERVERS} nameservers`);
  }
  nameservers.forEach((address, index) => {
    findings.invalidEach(`${path}.nameservers[${index}]`, address, addressFindings(address));
  });
  if (searches.length > MAX_SEARCHES) {
    findings.invalid(`${path}.searches`, searches, `must not have more than ${MAX_SEARCHES} search paths`);
  }
  if (searches.join(' ').length > MAX_SEARCH_CHARACTERS) {
    findings.invalid(
      `${path}.searches`,
      searches,
      `must not have more than ${MAX_SEARCH_CHARACTERS} characters (including spaces) in the search list`,
    );
  }
  searches.forEach((search, index) => {
    if (search === '.') return;
    findings.invalidEach(`${path}.searches[${index}]`, search, isSearchPath(search.replace(/\.$/, '')));
  });
  options.forEach((option, index) => {
    if (!option.name) findings.required(`${path}.options[${index}]`, 'must not be empty');
  });
}

export function* validatePodTemplate(template: PodTemplateSpec, path: string, findings: Findings): Steps<void> {
  validateLabels(template.metadata?.labels, `${path}.labels`, findings);
  validateAnnotations(template.metadata?.annotations, `${path}.annotations`, findings);
  validatePodAnnotations(template.metadata?.annotations, template.spec, `${path}.annotations`, findings);
  yield* validatePodSpec(template.spec, `${path}.spec`, findings);
  validateProfilesMatch(template.metadata?.annotations, template.spec, `${path}.spec`, findings);
  if (template.spec.ephemeralContainers?.length) {
    findings.forbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template');
  }
}
