import type { StructTypes } from './checker.ts';
import { DeclaredStructs, joinedStructs } from './declared-structs.ts';
import { PlanFailure } from './interpreter.ts';
import { CompileError } from './issues.ts';
import { Kept } from './kept.ts';
import { kubernetesFunctions, mutationFunctions } from './library.ts';
import { constructMutation, mutationTypes } from './mutation-types.ts';
import { compileProgram, type Environment, type Program } from './program.ts';
import {
  boolType,
  type CelType,
  dynType,
  formatType,
  intType,
  listOf,
  mapOf,
  resultTypeName,
  sameType,
  stringType,
  structOf,
  timestampType,
} from './types.ts';
import type { VariableTypes } from './variable-types.ts';

/** What an expression of an admission policy or webhook may name besides object, oldObject, request, namespaceObject. */
export interface AdmissionNames {
  params?: boolean;
  authorizer?: boolean;
  /** `Object{...}` and `JSONPatch{...}`: only where something is changed. */
  mutations?: boolean;
  /** `variables.NAME`, with the types the variables' own expressions have. */
  variables?: VariableTypes;
}

const strings = listOf(stringType);
const texts = mapOf(stringType, stringType);

/** Source: apiserver's admission/plugin/cel/compile.go. */
const admissionTypes: Record<string, Record<string, CelType>> = {
  'kubernetes.GroupVersionKind': { group: stringType, version: stringType, kind: stringType },
  'kubernetes.GroupVersionResource': { group: stringType, version: stringType, resource: stringType },
  'kubernetes.UserInfo': { username: stringType, uid: stringType, groups: strings, extra: mapOf(stringType, strings) },
  'kubernetes.AdmissionRequest': {
    kind: structOf('kubernetes.GroupVersionKind'),
    resource: structOf('kubernetes.GroupVersionResource'),
    subResource: stringType,
    requestKind: structOf('kubernetes.GroupVersionKind'),
    requestResource: structOf('kubernetes.GroupVersionResource'),
    requestSubResource: stringType,
    name: stringType,
    namespace: stringType,
    operation: stringType,
    userInfo: structOf('kubernetes.UserInfo'),
    dryRun: boolType,
    options: dynType,
  },
  'kubernetes.NamespaceSpec': { finalizers: strings },
  'kubernetes.NamespaceCondition': {
    status: stringType,
    type: stringType,
    lastTransitionTime: timestampType,
    message: stringType,
    reason: stringType,
  },
  'kubernetes.NamespaceStatus': { conditions: listOf(structOf('kubernetes.NamespaceCondition')), phase: stringType },
  'kubernetes.NamespaceMetadata': {
    name: stringType,
    generateName: stringType,
    namespace: stringType,
    labels: texts,
    annotations: texts,
    UID: stringType,
    creationTimestamp: timestampType,
    deletionGracePeriodSeconds: intType,
    deletionTimestamp: timestampType,
    generation: intType,
    resourceVersion: stringType,
    finalizers: strings,
  },
  'kubernetes.Namespace': {
    metadata: structOf('kubernetes.NamespaceMetadata'),
    spec: structOf('kubernetes.NamespaceSpec'),
    status: structOf('kubernetes.NamespaceStatus'),
  },
};

const VARIABLES_TYPE = 'kubernetes.variables';
const admissionStructs = new DeclaredStructs(admissionTypes);

const withVariables = (variables: VariableTypes): StructTypes => ({
  has: (name) => name === VARIABLES_TYPE || admissionStructs.has(name),
  fieldOf: (name, field) => (name === VARIABLES_TYPE ? variables.get(field) : admissionStructs.fieldOf(name, field)),
});

/** Types for `object` and `params` where they are known: what type checking of policies uses. */
export interface KnownTypes {
  object?: CelType;
  oldObject?: CelType;
  params?: CelType;
  structs: StructTypes;
}

export function admissionEnvironment(names: AdmissionNames, known?: KnownTypes): Environment {
  const variables = new Map<string, CelType>([
    ['object', known?.object ?? dynType],
    ['oldObject', known?.oldObject ?? known?.object ?? dynType],
    ['request', structOf('kubernetes.AdmissionRequest')],
    ['namespaceObject', structOf('kubernetes.Namespace')],
  ]);
  if (names.params === true) variables.set('params', known?.params ?? dynType);
  if (names.authorizer === true) {
    variables.set('authorizer', structOf('kubernetes.authorization.Authorizer'));
    variables.set('authorizer.requestResource', structOf('kubernetes.authorization.ResourceCheck'));
  }
  if (names.variables !== undefined) {
    variables.set('variables', structOf(VARIABLES_TYPE));
  }
  const declared = names.variables === undefined ? admissionStructs : withVariables(names.variables);
  const structs = known === undefined ? declared : joinedStructs(declared, known.structs);
  if (names.mutations !== true) return { functions: kubernetesFunctions(), variables, structs };
  return {
    functions: mutationFunctions(),
    variables,
    structs: joinedStructs(structs, mutationTypes),
    construct: constructMutation,
  };
}

const programs = new Kept<Program>();

/** One of the kept, made at first use. Throws an Error that says in upstream's words what does not compile. */
export function compileAdmissionExpression(
  expression: string,
  names: AdmissionNames,
  /** What it may evaluate to; none: anything. */
  wanted: readonly CelType[],
): Program {
  const flags = `${names.params === true}${names.authorizer === true}${names.mutations === true}`;
  const key = `${flags}|${names.variables !== undefined}${names.variables?.digest}|${wanted.map(formatType).join()}|${expression}`;
  return programs.get(key, expression.length, () => {
    let program: Program;
    try {
      program = compileProgram(expression, admissionEnvironment(names));
    } catch (error) {
      if (error instanceof PlanFailure) throw new Error(`program instantiation failed: ${error.message}`);
      if (!(error instanceof CompileError)) throw error;
      throw new Error(`compilation failed: ${error.message}`);
    }
    checkResult(program.type, wanted);
    return program;
  });
}

function checkResult(found: CelType, wanted: readonly CelType[]): void {
  if (wanted.length === 0 || wanted.some((type) => sameType(type, found))) return;
  const names = wanted.map(resultTypeName);
  const which = names.length === 1 ? names[0] : `one of [${names.join(' ')}]`;
  throw new Error(`must evaluate to ${which} but got ${resultTypeName(found)}`);
}
