import type { Findings } from '../../validation/findings.ts';
import type { JsonSchema } from '../json-schema.ts';
import { findField } from './selectable-fields.ts';

const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];
const hasLineBreak = (text: string) => /[\n\r]/.test(text);

/** What is said of x-kubernetes-validations without compiling them. */
export function validateRuleTexts(schema: JsonSchema, path: string, findings: Findings): void {
  schema['x-kubernetes-validations']?.forEach((rule, index) => {
    const at = `${path}.x-kubernetes-validations[${index}]`;
    const text = (rule.rule ?? '').trim();
    const message = (rule.message ?? '').trim();
    if (text === '') findings.required(`${at}.rule`, 'rule is not specified');
    else if (rule.message && message === '') {
      findings.invalid(`${at}.message`, rule.message, 'must be non-empty if specified');
    } else if (hasLineBreak(message)) {
      findings.invalid(`${at}.message`, rule.message, 'must not contain line breaks');
    } else if (hasLineBreak(text) && message === '') {
      findings.required(`${at}.message`, 'message must be specified if rule contains line breaks');
    }
    if (rule.messageExpression && rule.messageExpression.trim() === '') {
      findings.required(`${at}.messageExpression`, 'messageExpression must be non-empty if specified');
    }
    if (rule.reason !== undefined && rule.reason !== null && !reasons.includes(rule.reason)) {
      findings.notSupported(`${at}.reason`, rule.reason, reasons);
    }
    const { fieldPath } = rule;
    if (!fieldPath) return;
    if (fieldPath.trim() === '') findings.invalid(`${at}.fieldPath`, fieldPath, 'must be non-empty if specified');
    if (hasLineBreak(fieldPath)) findings.invalid(`${at}.fieldPath`, fieldPath, 'must not contain line breaks');
    if ('error' in findField(schema, fieldPath)) findings.invalid(`${at}.fieldPath`, fieldPath, 'must be a valid path');
  });
}
