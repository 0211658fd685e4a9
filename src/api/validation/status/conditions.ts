import type { Condition } from '../../generated/meta-v1.ts';
import { isQualifiedName } from '../../names.ts';
import type { Findings } from '../findings.ts';

const statuses = ['False', 'True', 'Unknown'];
const longestReason = 1024;
const longestMessage = 32 * 1024;
const reasonPattern = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/;
const reasonFinding =
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')";

/** metav1.Condition wherever it is used. Source: ValidateConditions of apimachinery's meta/v1/validation. */
export function validateConditions(conditions: Condition[] | undefined, path: string, findings: Findings): void {
  const seen = new Set<string>();
  conditions?.forEach((condition, index) => {
    const at = `${path}[${index}]`;
    const { type = '', status, observedGeneration = 0, lastTransitionTime, reason = '', message = '' } = condition;
    if (seen.has(type)) findings.duplicate(`${at}.type`, type);
    seen.add(type);
    findings.invalidEach(`${at}.type`, type, isQualifiedName(type));
    if (!statuses.includes(status)) findings.notSupported(`${at}.status`, status ?? '', statuses);
    if (observedGeneration < 0) {
      findings.invalid(`${at}.observedGeneration`, observedGeneration, 'must be greater than or equal to zero');
    }
    if (!lastTransitionTime) findings.required(`${at}.lastTransitionTime`);
    if (reason === '') findings.required(`${at}.reason`);
    else {
      if (!reasonPattern.test(reason)) findings.invalid(`${at}.reason`, reason, reasonFinding);
      if (reason.length > longestReason) findings.tooLong(`${at}.reason`, longestReason);
    }
    if (message.length > longestMessage) findings.tooLong(`${at}.message`, longestMessage);
  });
}

/** Of kinds that have a list of conditions of their own: known by their types alone. */
export function validateTypedConditions(object: { status?: any }, _old: unknown, findings: Findings): void {
  const seen = new Set<string>();
  object.status?.conditions?.forEach(({ type = '' }: { type?: string }, index: number) => {
    const path = `status.conditions[${index}].type`;
    if (seen.has(type)) findings.duplicate(path, type);
    seen.add(type);
    if (type === '') findings.required(path);
  });
}

export function validateDisruptionBudgetStatus({ status }: { status?: any }, _old: unknown, findings: Findings): void {
  validateConditions(status?.conditions, 'status.conditions', findings);
  for (const field of ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods']) {
    findings.nonnegative(status?.[field], `status.${field}`);
  }
}
