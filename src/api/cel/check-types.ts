import type { Variable } from '../generated/admissionregistration-v1.ts';
import { type AdmissionNames, admissionEnvironment, type KnownTypes } from './admission.ts';
import { checkProgram } from './program.ts';
import { dynType } from './types.ts';
import { VariableTypes } from './variable-types.ts';

/**
 * What a policy's expressions get wrong about objects of a known type, in the compiler's words; undefined: nothing.
 * Variables are typed by their expressions, each knowing those before it. Source: policy/validating/typechecking.go.
 */
export function typeChecker(
  known: KnownTypes,
  variables: readonly Variable[],
  hasParams: boolean,
): (expression: string) => string | undefined {
  const base: AdmissionNames = { authorizer: true, ...(hasParams && { params: true }) };
  const types = new VariableTypes();
  for (const { name, expression } of variables) {
    const checked = checkProgram(expression, admissionEnvironment({ ...base, variables: types }, known));
    types.set(name, typeof checked === 'string' ? dynType : checked);
  }
  const environment = admissionEnvironment({ ...base, variables: types }, known);
  return (expression) => {
    const checked = checkProgram(expression, environment);
    return typeof checked === 'string' ? checked : undefined;
  };
}
