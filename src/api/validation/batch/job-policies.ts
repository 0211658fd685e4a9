import type { JobSpec, PodFailurePolicyRule, SuccessPolicyRule } from '../../generated/batch-v1.ts';
import { isQualifiedName } from '../../names.ts';
import type { Findings } from '../findings.ts';
import { goValueOf } from '../go-value.ts';

const MAX_FAILURE_RULES = 20;
const MAX_SUCCESS_RULES = 20;
const MAX_EXIT_CODES = 255;
const MAX_CONDITIONS = 20;
const MAX_INDEXES_BYTES = 64 * 1024;
const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const operators = ['In', 'NotIn'];
const statuses = ['False', 'True', 'Unknown'];
/** As Go prints a list of strings. */
const listed = (values: string[]): string => `valid values: [${values.map((one) => `"${one}"`).join(' ')}]`;

/** Source: validatePodFailurePolicy of pkg/apis/batch/validation. */
export function validateFailurePolicy(spec: JobSpec, path: string, findings: Findings): void {
  if (spec.podFailurePolicy === undefined) return;
  const rules = spec.podFailurePolicy.rules ?? [];
  if (rules.length > MAX_FAILURE_RULES) findings.tooMany(`${path}.rules`, rules.length, MAX_FAILURE_RULES);
  const { containers = [], initContainers = [] } = spec.template.spec;
  const names = new Set([...containers, ...initContainers].map(({ name }) => name));
  rules.forEach((rule, index) => {
    const at = `${path}.rules[${index}]`;
    if (!rule.action) findings.required(`${at}.action`, listed(actions));
    else if (rule.action === 'FailIndex' && spec.backoffLimitPerIndex === undefined) {
      findings.invalid(`${at}.action`, rule.action, 'requires the backoffLimitPerIndex to be set');
    } else findings.optionalOneOf(rule.action, `${at}.action`, actions);
    validateExitCodes(rule, names, `${at}.onExitCodes`, findings);
    validateConditions(rule, `${at}.onPodConditions`, findings);
    const [onCodes, onConditions] = [rule.onExitCodes !== undefined, Boolean(rule.onPodConditions?.length)];
    if (onCodes && onConditions) {
      findings.invalidWithoutValue(at, 'specifying both OnExitCodes and OnPodConditions is not supported');
    }
    if (!onCodes && !onConditions) {
      findings.invalidWithoutValue(at, 'specifying one of OnExitCodes and OnPodConditions is required');
    }
  });
}

function validateConditions({ onPodConditions }: PodFailurePolicyRule, path: string, findings: Findings): void {
  if ((onPodConditions?.length ?? 0) > MAX_CONDITIONS) {
    findings.tooMany(path, onPodConditions!.length, MAX_CONDITIONS);
  }
  onPodConditions?.forEach(({ type = '', status }, index) => {
    const at = `${path}[${index}]`;
    findings.invalidEach(`${at}.type`, type, isQualifiedName(type));
    if (!status) findings.required(`${at}.status`, listed(statuses));
    else findings.optionalOneOf(status, `${at}.status`, statuses);
  });
}

function validateExitCodes(
  { onExitCodes }: PodFailurePolicyRule,
  names: Set<string>,
  path: string,
  findings: Findings,
): void {
  if (onExitCodes === undefined) return;
  const { operator, containerName, values = [] } = onExitCodes;
  if (!operator) findings.required(`${path}.operator`, listed(operators));
  else findings.optionalOneOf(operator, `${path}.operator`, operators);
  if (containerName !== undefined && !names.has(containerName)) {
    findings.invalid(
      `${path}.containerName`,
      containerName,
      'must be one of the container or initContainer names in the pod template',
    );
  }
  if (values.length === 0) findings.invalid(`${path}.values`, onExitCodes.values, 'at least one value is required');
  else if (values.length > MAX_EXIT_CODES) findings.tooMany(`${path}.values`, values.length, MAX_EXIT_CODES);
  const seen = new Set<number>();
  values.forEach((value, index) => {
    const at = `${path}.values[${index}]`;
    if (operator === 'In' && value === 0) findings.invalid(at, value, 'must not be 0 for the In operator');
    if (seen.has(value)) findings.duplicate(at, value);
    seen.add(value);
  });
  if (values.some((value, index) => index > 0 && values[index - 1]! > value)) {
    findings.invalid(`${path}.values`, values, 'must be ordered');
  }
}

/** Source: validateSuccessPolicy of pkg/apis/batch/validation. */
export function validateSuccessPolicy(spec: JobSpec, path: string, findings: Findings): void {
  if (spec.successPolicy === undefined) return;
  if (spec.completionMode !== 'Indexed') {
    findings.invalid(
      path,
      goValueOf('io.k8s.api.batch.v1.SuccessPolicy', spec.successPolicy),
      'requires indexed completion mode',
    );
    return;
  }
  const rules = spec.successPolicy.rules ?? [];
  if (rules.length === 0) {
    findings.required(`${path}.rules`, 'at least one rules must be specified when the successPolicy is specified');
  }
  if (rules.length > MAX_SUCCESS_RULES) findings.tooMany(`${path}.rules`, rules.length, MAX_SUCCESS_RULES);
  rules.forEach((rule, index) => {
    validateSuccessRule(rule, spec.completions ?? 0, `${path}.rules[${index}]`, findings);
  });
}

function validateSuccessRule(rule: SuccessPolicyRule, completions: number, path: string, findings: Findings): void {
  const { succeededCount, succeededIndexes } = rule;
  if (succeededCount === undefined && succeededIndexes === undefined) {
    findings.required(path, 'at least one of succeededCount or succeededIndexes must be specified');
  }
  let total = 0;
  if (succeededIndexes !== undefined) {
    const at = `${path}.succeededIndexes`;
    if (succeededIndexes.length > MAX_INDEXES_BYTES) findings.tooLong(at, MAX_INDEXES_BYTES);
    const counted = countIndexes(succeededIndexes, completions);
    if (typeof counted === 'number') total = counted;
    else findings.invalid(at, succeededIndexes, `error parsing succeededIndexes: ${counted}`);
  }
  if (succeededCount === undefined) return;
  const at = `${path}.succeededCount`;
  findings.nonnegative(succeededCount, at);
  if (succeededCount > completions) {
    findings.invalid(
      at,
      succeededCount,
      `must be less than or equal to ${completions} (the number of specified completions)`,
    );
  }
  if (succeededIndexes !== undefined && succeededCount > total) {
    findings.invalid(
      at,
      succeededCount,
      `must be less than or equal to ${total} (the number of indexes in the specified succeededIndexes field)`,
    );
  }
}

/** How many indexes `0,2-4` names; or what is wrong with it. */
function countIndexes(text: string, completions: number): number | string {
  if (text === '') return 0;
  let last: number | undefined;
  let total = 0;
  for (const interval of text.split(',')) {
    const parts = interval.split('-');
    if (parts.length > 2) {
      return `the fragment ${JSON.stringify(interval)} violates the requirement that an index interval can have at most two parts separated by '-'`;
    }
    const limits: number[] = [];
    for (const part of parts) {
      if (!/^[+-]?\d+$/.test(part)) return `cannot convert string to integer for index: ${JSON.stringify(part)}`;
      if (Number(part) >= completions) return `too large index: ${JSON.stringify(part)}`;
      limits.push(Number(part));
    }
    const [low, high = low] = limits as [number, number?];
    if (limits.length > 1 && low >= high) return `non-increasing order, previous: ${low}, current: ${high}`;
    if (last !== undefined && last >= low) return `non-increasing order, previous: ${last}, current: ${low}`;
    total += high - low + 1;
    last = high;
  }
  return total;
}
