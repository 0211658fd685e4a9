import { ParseError } from '@marcbachmann/cel-js';
import type { Findings } from '../../validation/findings.ts';
import { compile } from '../cel/program.ts';
import { itemsOf, type JsonSchema, valuesOf } from '../json-schema.ts';

/**
 * Compiles a sound schema's rules. A rule about the state before may stand only where that can be found again: not
 * below lists without keys, nor in atomic maps.
 */
export function compileRules(
  schema: JsonSchema,
  path: string,
  uncorrelatable: string | undefined,
  findings: Findings,
  isRoot = false,
): void {
  schema['x-kubernetes-validations']?.forEach((rule, index) => {
    const at = `${path}.x-kubernetes-validations[${index}]`;
    try {
      const program = compile(rule.rule, 'bool');
      const { usesOldSelf } = program;
      const missing = program.undefinedField(schema, isRoot);
      if (missing !== undefined) {
        findings.invalid(`${at}.rule`, rule, `compilation failed: ERROR: <input>:1:1: undefined field '${missing}'`);
      } else if (usesOldSelf && uncorrelatable !== undefined) {
        const detail = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelatable}`;
        findings.invalid(`${at}.rule`, rule.rule, detail);
      } else if (!usesOldSelf && rule.optionalOldSelf != null) {
        const detail = 'may not be set if oldSelf is not used in rule';
        findings.invalid(`${at}.optionalOldSelf`, rule.optionalOldSelf, detail);
      }
    } catch (error) {
      findings.invalid(`${at}.rule`, rule, failureOf(error as Error));
    }
    if (!rule.messageExpression) return;
    try {
      compile(rule.messageExpression, 'string');
    } catch (error) {
      findings.invalid(`${at}.messageExpression`, rule, `messageExpression ${failureOf(error as Error)}`);
    }
  });
  const isAtomic = schema['x-kubernetes-map-type'] === 'atomic';
  for (const [name, part] of Object.entries(schema.properties ?? {})) {
    const within = uncorrelatable ?? (isAtomic ? path : undefined);
    compileRules(part, `${path}.properties[${name}]`, within, findings);
  }
  const items = itemsOf(schema);
  if (items !== undefined) {
    const within = uncorrelatable ?? (schema['x-kubernetes-list-type'] === 'map' ? undefined : path);
    compileRules(items, `${path}.items`, within, findings);
  }
  const values = valuesOf(schema);
  if (values !== undefined) compileRules(values, `${path}.additionalProperties`, uncorrelatable, findings);
}

function failureOf(error: Error): string {
  const { summary, range, message } = error as Error & { summary?: string; range?: { start: number } };
  if (summary === undefined) return message;
  const what = error instanceof ParseError ? 'Syntax error: ' : '';
  return `compilation failed: ERROR: <input>:1:${(range?.start ?? 0) + 1}: ${what}${summary}`;
}
