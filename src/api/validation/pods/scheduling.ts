import type {
  Affinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  Toleration,
  TopologySpreadConstraint,
  WeightedPodAffinityTerm,
} from '../../generated/core-v1.ts';
import { isDns1123Subdomain, isLabelValue, isQualifiedName, nameIsDnsLabel } from '../../names.ts';
import type { Findings } from '../findings.ts';
import { validateLabelSelector } from '../metadata.ts';
import { validateLabelKeys } from './spec-parts.ts';

export const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

/** The same for tolerations that are equal, and for these only. */
export const tolerationText = ({ key, operator, value, effect, tolerationSeconds }: Toleration): string =>
  JSON.stringify([key ?? null, operator ?? null, value ?? null, effect ?? null, tolerationSeconds ?? null]);

export function validateTolerations(tolerations: Toleration[] | undefined, path: string, findings: Findings): void {
  tolerations?.forEach((toleration, index) => {
    const at = `${path}[${index}]`;
    const { key, operator, value = '', effect, tolerationSeconds } = toleration;
    if (key) findings.invalidEach(`${at}.key`, key, isQualifiedName(key));
    else if (operator !== 'Exists') {
      findings.invalid(
        `${at}.operator`,
        operator ?? '',
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      );
    }
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      findings.invalid(`${at}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set");
    }
    if (operator === undefined || operator === 'Equal') {
      const details = isLabelValue(value);
      if (details.length > 0) findings.invalid(`${at}.operator`, value, details.join(';'));
    } else if (operator === 'Exists') {
      if (value) findings.invalid(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'");
    } else findings.notSupported(`${at}.operator`, operator, ['Equal', 'Exists']);
    if (effect) findings.optionalOneOf(effect, `${at}.effect`, taintEffects);
  });
}

function validateNodeSelectorRequirement(
  requirement: NodeSelectorRequirement,
  path: string,
  findings: Findings,
  allowsAnyValue = false,
): void {
  const { key, operator, values = [] } = requirement;
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0) {
      findings.required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'");
    }
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0) {
      findings.forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    }
  } else if (operator === 'Gt' || operator === 'Lt') {
    if (values.length !== 1) {
      findings.required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'");
    }
  } else findings.invalid(`${path}.operator`, operator, 'not a valid selector operator');
  findings.invalidEach(`${path}.key`, key, isQualifiedName(key));
  if (allowsAnyValue) return;
  values.forEach((value, index) => {
    findings.invalidEach(`${path}.values[${index}]`, value, isLabelValue(value));
  });
}

function validateNodeSelectorTerm(
  term: NodeSelectorTerm,
  path: string,
  findings: Findings,
  allowsAnyValue = false,
): void {
  term.matchExpressions?.forEach((requirement, index) => {
    validateNodeSelectorRequirement(requirement, `${path}.matchExpressions[${index}]`, findings, allowsAnyValue);
  });
  term.matchFields?.forEach(({ key, operator, values = [] }, index) => {
    const at = `${path}.matchFields[${index}]`;
    if (operator !== 'In' && operator !== 'NotIn') {
      findings.invalid(`${at}.operator`, operator, 'not a valid selector operator');
    } else if (values.length !== 1) {
      findings.required(
        `${at}.values`,
        "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
      );
    }
    if (key !== 'metadata.name') findings.invalid(`${at}.key`, key, 'not a valid field selector key');
    else
      values.forEach((value, i) => {
        findings.invalidEach(`${at}.values[${i}]`, value, isDns1123Subdomain(value));
      });
  });
}

export function validateNodeSelector(selector: NodeSelector, path: string, findings: Findings): void {
  if (!selector.nodeSelectorTerms?.length) {
    findings.required(`${path}.nodeSelectorTerms`, 'must have at least one node selector term');
  }
  selector.nodeSelectorTerms?.forEach((term, index) => {
    validateNodeSelectorTerm(term, `${path}.nodeSelectorTerms[${index}]`, findings);
  });
}

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';

export function validateAffinity(affinity: Affinity | undefined, path: string, findings: Findings): void {
  if (affinity === undefined) return;
  const node = affinity.nodeAffinity;
  if (node !== undefined) {
    const at = `${path}.nodeAffinity`;
    if (node[REQUIRED] !== undefined) validateNodeSelector(node[REQUIRED], `${at}.${REQUIRED}`, findings);
    node[PREFERRED]?.forEach(({ weight, preference }, index) => {
      const term = `${at}.${PREFERRED}[${index}]`;
      validateWeight(weight, `${term}.weight`, findings);
      // What is only preferred may be nonsense, as upstream.
      validateNodeSelectorTerm(preference ?? {}, `${term}.preference`, findings, true);
    });
  }
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    const pod = affinity[kind];
    pod?.[REQUIRED]?.forEach((term: PodAffinityTerm, index: number) => {
      validatePodAffinityTerm(term, `${path}.${kind}.${REQUIRED}[${index}]`, findings);
    });
    pod?.[PREFERRED]?.forEach(({ weight, podAffinityTerm }: WeightedPodAffinityTerm, index: number) => {
      const term = `${path}.${kind}.${PREFERRED}[${index}]`;
      validateWeight(weight, `${term}.weight`, findings);
      validatePodAffinityTerm(podAffinityTerm, `${term}.podAffinityTerm`, findings);
    });
  }
}

function validateWeight(weight: number, path: string, findings: Findings): void {
  if (weight <= 0 || weight > 100) findings.invalid(path, weight, 'must be in the range 1-100');
}

function validatePodAffinityTerm(term: PodAffinityTerm, path: string, findings: Findings): void {
  validateLabelSelector(term.labelSelector, `${path}.labelSelector`, findings);
  validateLabelSelector(term.namespaceSelector, `${path}.namespaceSelector`, findings);
  for (const namespace of term.namespaces ?? []) {
    findings.invalidEach(`${path}.namespace`, namespace, nameIsDnsLabel(namespace, false));
  }
  validateLabelKeys(term.matchLabelKeys, term.labelSelector, `${path}.matchLabelKeys`, findings);
  validateLabelKeys(term.mismatchLabelKeys, term.labelSelector, `${path}.mismatchLabelKeys`, findings);
  if (!term.topologyKey) findings.required(`${path}.topologyKey`, 'can not be empty');
  findings.invalidEach(`${path}.topologyKey`, term.topologyKey, isQualifiedName(term.topologyKey));
}

export function validateTopologySpread(
  constraints: TopologySpreadConstraint[] | undefined,
  path: string,
  findings: Findings,
): void {
  const seen = new Map<string, number>();
  constraints?.forEach((constraint, index) => {
    const at = `${path}[${index}]`;
    const { maxSkew, topologyKey, whenUnsatisfiable, minDomains } = constraint;
    if (maxSkew <= 0) findings.invalid(`${at}.maxSkew`, maxSkew, 'must be greater than zero');
    if (!topologyKey) findings.required(`${at}.topologyKey`, 'can not be empty');
    findings.optionalOneOf(whenUnsatisfiable, `${at}.whenUnsatisfiable`, ['DoNotSchedule', 'ScheduleAnyway']);
    const pair = `{${topologyKey}, ${whenUnsatisfiable}}`;
    // Upstream points at the first of two.
    if (!seen.has(pair)) seen.set(pair, index);
    else findings.duplicate(`${path}[${seen.get(pair)}].{topologyKey, whenUnsatisfiable}`, pair);
    if (minDomains !== undefined) {
      if (minDomains <= 0) findings.invalid(`${at}.minDomains`, minDomains, 'must be greater than zero');
      if (whenUnsatisfiable !== 'DoNotSchedule') {
        findings.invalid(
          `${at}.minDomains`,
          minDomains,
          `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`,
        );
      }
    }
    findings.optionalOneOf(constraint.nodeAffinityPolicy, `${at}.nodeAffinityPolicy`, ['Honor', 'Ignore']);
    findings.optionalOneOf(constraint.nodeTaintsPolicy, `${at}.nodeTaintsPolicy`, ['Honor', 'Ignore']);
    validateLabelSelector(constraint.labelSelector, `${at}.labelSelector`, findings);
    validateLabelKeys(constraint.matchLabelKeys, constraint.labelSelector, `${at}.matchLabelKeys`, findings);
  });
}
