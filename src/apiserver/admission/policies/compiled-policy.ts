import { type AdmissionNames, compileAdmissionExpression } from '../../../api/cel/admission.ts';
import { jsonPatchType, objectType } from '../../../api/cel/mutation-types.ts';
import type { Program } from '../../../api/cel/program.ts';
import { boolType, type CelType, dynType, listOf, nullType, stringType } from '../../../api/cel/types.ts';
import { VariableTypes } from '../../../api/cel/variable-types.ts';
import type {
  AuditAnnotation,
  MatchResources,
  MutatingAdmissionPolicySpec,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicySpec,
  Validation,
  Variable,
} from '../../../api/generated/admissionregistration-v1.ts';
import type { KubeObject } from '../../../api/object.ts';
import type { Steps } from '../../../base/steps.ts';
import { type CompiledVariable, compileMatchConditions, type MatchConditions } from '../expressions/index.ts';
import { type CompiledMatch, compileMatch } from './matching.ts';

/** A text: why it does not compile. */
export type Compiled = Program | string;

export interface CompiledBinding {
  readonly name: string;
  readonly policyName: string;
  readonly paramRef: ParamRef | undefined;
  /** undefined: whatever the policy matches. */
  readonly match: CompiledMatch | undefined;
  readonly actions: readonly string[];
}

export interface CompiledPolicy {
  readonly name: string;
  readonly match: CompiledMatch;
  readonly paramKind: ParamKind | undefined;
  readonly failsOpen: boolean;
  readonly variables: readonly CompiledVariable[];
  readonly conditions: MatchConditions | undefined;
}

export interface CompiledValidation extends Pick<Validation, 'expression' | 'message' | 'reason'> {
  readonly program: Compiled;
  readonly messageProgram: Compiled | undefined;
}

export interface CompiledValidatingPolicy extends CompiledPolicy {
  readonly validations: readonly CompiledValidation[];
  readonly annotations: readonly { annotation: AuditAnnotation; program: Compiled }[];
}

export interface CompiledMutatingPolicy extends CompiledPolicy {
  readonly isReinvocable: boolean;
  readonly mutations: readonly CompiledMutation[];
}

interface CompiledMutation {
  patchType: 'ApplyConfiguration' | 'JSONPatch';
  program: Compiled;
}

export function compileBinding(binding: KubeObject): CompiledBinding {
  const { policyName, paramRef, matchResources, validationActions } = binding['spec'];
  return {
    name: binding.metadata.name,
    policyName,
    paramRef: paramRef ?? undefined,
    match: matchResources === undefined || matchResources === null ? undefined : compileMatch(matchResources),
    actions: validationActions ?? [],
  };
}

/** Source: policy/validating/plugin.go. */
export function* compileValidatingPolicy(policy: KubeObject): Steps<CompiledValidatingPolicy> {
  const spec = policy['spec'] as ValidatingAdmissionPolicySpec;
  const { common, names } = yield* compileCommon(policy, spec);
  const { authorizer: _none, ...messageNames } = names;
  const validations: CompiledValidation[] = [];
  for (const { expression, message, messageExpression, reason } of spec.validations ?? []) {
    validations.push({
      expression,
      ...(message !== undefined && { message }),
      ...(reason !== undefined && { reason }),
      program: compiled(expression, names, [boolType]),
      messageProgram: messageExpression ? compiled(messageExpression, messageNames, [stringType]) : undefined,
    });
    yield;
  }
  const annotations: { annotation: AuditAnnotation; program: Compiled }[] = [];
  for (const annotation of spec.auditAnnotations ?? []) {
    annotations.push({ annotation, program: compiled(annotation.valueExpression, names, [stringType, nullType]) });
    yield;
  }
  return { ...common, validations, annotations };
}

/** Source: policy/mutating/compilation.go. */
export function* compileMutatingPolicy(policy: KubeObject): Steps<CompiledMutatingPolicy> {
  const spec = policy['spec'] as MutatingAdmissionPolicySpec;
  const { common, names } = yield* compileCommon(policy, spec);
  const mutationNames = { ...names, mutations: true };
  const mutations: CompiledMutation[] = [];
  for (const { patchType, applyConfiguration, jsonPatch } of spec.mutations ?? []) {
    mutations.push(
      patchType === 'JSONPatch'
        ? { patchType, program: compiled(jsonPatch?.expression ?? '', mutationNames, [listOf(jsonPatchType)]) }
        : {
            patchType: 'ApplyConfiguration',
            program: compiled(applyConfiguration?.expression ?? '', mutationNames, [objectType]),
          },
    );
    yield;
  }
  return { ...common, isReinvocable: spec.reinvocationPolicy === 'IfNeeded', mutations };
}

function* compileCommon(
  policy: KubeObject,
  spec: {
    matchConstraints?: MatchResources;
    paramKind?: ParamKind | null;
    failurePolicy?: string;
    variables?: Variable[];
    matchConditions?: { name: string; expression: string }[];
  },
): Steps<{ common: CompiledPolicy; names: AdmissionNames }> {
  const base: AdmissionNames = { params: Boolean(spec.paramKind), authorizer: true };
  const { variables, types } = yield* compileVariables(spec.variables ?? [], base);
  const names = { ...base, variables: types };
  const conditions = spec.matchConditions ?? [];
  return {
    names,
    common: {
      name: policy.metadata.name,
      match: compileMatch(spec.matchConstraints),
      paramKind: spec.paramKind ?? undefined,
      failsOpen: spec.failurePolicy === 'Ignore',
      variables,
      conditions: conditions.length === 0 ? undefined : compileMatchConditions(conditions, names),
    },
  };
}

/** Each variable may name those before it. What does not compile has any type: whoever uses it hears of it. */
function* compileVariables(
  variables: readonly Variable[],
  base: AdmissionNames,
): Steps<{ variables: CompiledVariable[]; types: VariableTypes }> {
  const types = new VariableTypes();
  const made: CompiledVariable[] = [];
  for (const { name, expression } of variables) {
    const program = compiled(expression, { ...base, variables: types }, []);
    types.set(name, typeof program === 'string' ? dynType : program.type);
    made.push(typeof program === 'string' ? { name, program: undefined, error: program } : { name, program });
    yield;
  }
  return { variables: made, types };
}

function compiled(expression: string, names: AdmissionNames, wanted: CelType[]): Compiled {
  try {
    return compileAdmissionExpression(expression.trim(), names, wanted);
  } catch (error) {
    return (error as Error).message;
  }
}
