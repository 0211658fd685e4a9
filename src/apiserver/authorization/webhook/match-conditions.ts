import { DeclaredStructs } from '../../../api/cel/declared-structs.ts';
import { CompileError } from '../../../api/cel/issues.ts';
import { kubernetesFunctions } from '../../../api/cel/library.ts';
import { compileProgram, type Environment, type Program } from '../../../api/cel/program.ts';
import { boolType, listOf, mapOf, resultTypeName, sameType, stringType, structOf } from '../../../api/cel/types.ts';
import { jsonValue } from '../../../api/cel/values.ts';
import type { AccessReviewSpec } from './access-review.ts';

const named = (name: string) => structOf(`kubernetes.${name}`);
const strings = listOf(stringType);
const selector = { rawSelector: stringType, requirements: listOf(named('SelectorRequirement')) };

/** Source: apiserver's pkg/authorization/cel/compile.go. */
const environment: Environment = {
  functions: kubernetesFunctions(),
  variables: new Map([['request', named('SubjectAccessReviewSpec')]]),
  structs: new DeclaredStructs({
    'kubernetes.SubjectAccessReviewSpec': {
      resourceAttributes: named('ResourceAttributes'),
      nonResourceAttributes: named('NonResourceAttributes'),
      user: stringType,
      groups: strings,
      extra: mapOf(stringType, strings),
      uid: stringType,
    },
    'kubernetes.ResourceAttributes': {
      namespace: stringType,
      verb: stringType,
      group: stringType,
      version: stringType,
      resource: stringType,
      subresource: stringType,
      name: stringType,
      fieldSelector: named('FieldSelectorAttributes'),
      labelSelector: named('LabelSelectorAttributes'),
    },
    'kubernetes.FieldSelectorAttributes': selector,
    'kubernetes.LabelSelectorAttributes': selector,
    'kubernetes.SelectorRequirement': { key: stringType, operator: stringType, values: strings },
    'kubernetes.NonResourceAttributes': { path: stringType, verb: stringType },
  }),
};

/** Throws an Error that says in upstream's words what is wrong. */
export function compileMatchCondition(expression: string): Program {
  let program: Program;
  try {
    program = compileProgram(expression, environment);
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    throw new Error(`compilation failed: ${error.message}`);
  }
  if (!sameType(program.type, boolType))
    throw new Error(`must evaluate to bool but got ${resultTypeName(program.type)}`);
  return program;
}

/** Whether all conditions hold: a false one decides, else one that fails. */
export function conditionsHold(
  programs: readonly Program[],
  spec: AccessReviewSpec,
): { holds: boolean; error?: string } {
  if (programs.length === 0) return { holds: true };
  const request = jsonValue({ ...spec, groups: spec.groups ?? [], extra: spec.extra ?? {}, uid: spec.uid ?? '' });
  const errors: string[] = [];
  for (const program of programs) {
    const outcome = program.evaluate(() => request);
    if (outcome.error !== undefined) {
      errors.push(`cel evaluation error: expression '${program.source}' resulted in error: ${outcome.error}`);
    } else if (outcome.value !== true) return { holds: false };
  }
  if (errors.length === 0) return { holds: true };
  return { holds: false, error: errors.length === 1 ? errors[0]! : `[${[...new Set(errors)].join(', ')}]` };
}
