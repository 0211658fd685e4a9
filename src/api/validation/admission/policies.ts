import type { Steps } from '../../../base/steps.ts';
import { type AdmissionNames, compileAdmissionExpression } from '../../cel/admission.ts';
import { jsonPatchType, objectType } from '../../cel/mutation-types.ts';
import { boolType, type CelType, dynType, listOf, nullType, stringType } from '../../cel/types.ts';
import { VariableTypes } from '../../cel/variable-types.ts';
import { deepEqual } from '../../equality.ts';
import type {
  AuditAnnotation,
  MatchResources,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  Mutation,
  NamedRuleWithOperations,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  Validation,
  Variable,
} from '../../generated/admissionregistration-v1.ts';
import {
  isDns1035Label,
  isDns1123Subdomain,
  isPathSegmentName,
  isQualifiedName,
  nameIsDnsSubdomain,
} from '../../names.ts';
import type { Findings } from '../findings.ts';
import { validateLabelSelector } from '../metadata.ts';
import { validateMatchConditions, validateRuleWithOperations } from './webhook-configuration.ts';

type Policy = ValidatingAdmissionPolicy | MutatingAdmissionPolicy;

const failurePolicies = ['Fail', 'Ignore'];
const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge'];
const actions = ['Audit', 'Deny', 'Warn'];
const mutableOperations = ['*', 'CONNECT', 'CREATE', 'UPDATE'];
const mostAnnotations = 20;
const longestValueExpression = 5 * 1024;
const reservedWords = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);
const hasLineBreak = (text: string) => /[\n\r]/.test(text);

/** Source: apis/admissionregistration/validation upstream, whose words and order are kept. */
export const validateValidatingPolicy = (policy: ValidatingAdmissionPolicy, findings: Findings): Steps<void> =>
  validateValidating(policy, findings, false);

/** Conditions that stay as they were are not held to anything again. */
export const validateValidatingPolicyUpdate = (
  policy: ValidatingAdmissionPolicy,
  old: ValidatingAdmissionPolicy,
  findings: Findings,
): Steps<void> => validateValidating(policy, findings, sameConditions(policy, old));

export const validateMutatingPolicy = (policy: MutatingAdmissionPolicy, findings: Findings): Steps<void> =>
  validateMutating(policy, findings, false);

export const validateMutatingPolicyUpdate = (
  policy: MutatingAdmissionPolicy,
  old: MutatingAdmissionPolicy,
  findings: Findings,
): Steps<void> => validateMutating(policy, findings, sameConditions(policy, old));

const sameConditions = (policy: Policy, old: Policy): boolean =>
  deepEqual(policy.spec?.matchConditions ?? [], old.spec?.matchConditions ?? []);

function* validateValidating(
  policy: ValidatingAdmissionPolicy,
  findings: Findings,
  keepsConditions: boolean,
): Steps<void> {
  const spec = policy.spec ?? {};
  const names = yield* validateCommon(policy, findings, keepsConditions);
  const { validations = [], auditAnnotations = [] } = spec;
  if (validations.length === 0 && auditAnnotations.length === 0) {
    const detail = 'validations or auditAnnotations must contain at least one item';
    findings.required('spec.validations', detail);
    findings.required('spec.auditAnnotations', detail);
    return;
  }
  for (const [index, validation] of validations.entries()) {
    yield;
    validateValidation(validation, names, `spec.validations[${index}]`, findings);
  }
  if (auditAnnotations.length > mostAnnotations) {
    findings.invalid(
      'spec.auditAnnotations',
      auditAnnotations,
      `must not have more than ${mostAnnotations} auditAnnotations`,
    );
  }
  const keys = new Set<string>();
  for (const [index, annotation] of auditAnnotations.entries()) {
    yield;
    const path = `spec.auditAnnotations[${index}]`;
    validateAnnotation(policy.metadata.name ?? '', annotation, names, path, findings);
    if (keys.has(annotation.key)) findings.duplicate(`${path}.key`, annotation.key);
    keys.add(annotation.key);
  }
}

function* validateMutating(policy: MutatingAdmissionPolicy, findings: Findings, keepsConditions: boolean): Steps<void> {
  const spec = policy.spec ?? {};
  const common = yield* validateCommon(policy, findings, keepsConditions);
  // Mutations may always name them, though there be none.
  const names = { ...common, variables: common.variables ?? new VariableTypes() };
  validateMutableOperations(spec.matchConstraints, 'spec.matchConstraints', findings);
  const { mutations = [], reinvocationPolicy } = spec;
  if (mutations.length === 0) findings.required('spec.mutations', 'mutations must contain at least one item');
  for (const [index, mutation] of mutations.entries()) {
    yield;
    validateMutation(mutation, { ...names, mutations: true }, `spec.mutations[${index}]`, findings);
  }
  findings.oneOf(reinvocationPolicy, 'spec.reinvocationPolicy', ['IfNeeded', 'Never']);
}

/** What expressions of the policy may name. */
function* validateCommon(policy: Policy, findings: Findings, keepsConditions: boolean): Steps<AdmissionNames> {
  const spec = policy.spec ?? {};
  findings.set(spec.failurePolicy, 'spec.failurePolicy', failurePolicies);
  if (spec.paramKind) validateParamKind(spec.paramKind, 'spec.paramKind', findings);
  const { matchConstraints } = spec;
  if (matchConstraints === undefined || matchConstraints === null) findings.required('spec.matchConstraints');
  else {
    validateMatchResources(matchConstraints, 'spec.matchConstraints', findings);
    if ((matchConstraints.resourceRules ?? []).length === 0) findings.required('spec.matchConstraints.resourceRules');
  }
  const names: AdmissionNames = { params: Boolean(spec.paramKind), authorizer: true };
  if (!keepsConditions) {
    yield* validateMatchConditions(spec.matchConditions ?? [], 'spec.matchConditions', findings, names);
  }
  const { variables = [] } = spec;
  if (variables.length === 0) return names;
  const types = new VariableTypes();
  for (const [index, variable] of variables.entries()) {
    yield;
    const type = validateVariable(variable, { ...names, variables: types }, index, findings);
    if (type !== undefined) types.set(variable.name, type);
  }
  return { ...names, variables: types };
}

function validateVariable(
  { name, expression }: Variable,
  names: AdmissionNames,
  index: number,
  findings: Findings,
): CelType | undefined {
  const path = `spec.variables[${index}]`;
  if ((name ?? '').trim() === '') findings.required(`${path}.name`, 'name is not specified');
  else if (!/^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name) || reservedWords.has(name)) {
    findings.invalid(`${path}.name`, name, 'must be a valid CEL identifier');
  }
  if ((expression ?? '').trim() === '') {
    findings.required(`${path}.expression`, 'expression is not specified');
    return undefined;
  }
  try {
    return compileAdmissionExpression(expression, names, []).type;
  } catch (error) {
    findings.invalid(`${path}.expression`, expression, (error as Error).message);
    return dynType;
  }
}

function compile(
  expression: string,
  names: AdmissionNames,
  wanted: CelType[],
  path: string,
  findings: Findings,
  shown = expression,
): void {
  try {
    compileAdmissionExpression(expression, names, wanted);
  } catch (error) {
    findings.invalid(path, shown, (error as Error).message);
  }
}

function validateValidation(validation: Validation, names: AdmissionNames, path: string, findings: Findings): void {
  const { expression = '', message = '', messageExpression = '', reason } = validation;
  if (expression.trim() === '') findings.required(`${path}.expression`, 'expression is not specified');
  else compile(expression, names, [boolType], `${path}.expression`, findings);
  if (messageExpression !== '' && messageExpression.trim() === '') {
    findings.invalid(`${path}.messageExpression`, messageExpression, 'must be non-empty if specified');
  } else if (messageExpression !== '') {
    const { authorizer: _none, ...others } = names;
    compile(messageExpression, others, [stringType], `${path}.messageExpression`, findings);
  }
  if (message !== '' && message.trim() === '') {
    findings.invalid(`${path}.message`, message, 'must be non-empty if specified');
  } else if (hasLineBreak(message.trim())) {
    findings.invalid(`${path}.message`, message, 'must not contain line breaks');
  }
  findings.optionalOneOf(reason, `${path}.reason`, reasons);
}

function validateAnnotation(
  policyName: string,
  { key, valueExpression }: AuditAnnotation,
  names: AdmissionNames,
  path: string,
  findings: Findings,
): void {
  if (policyName === '') findings.invalid(`${path}.key`, key, 'requires metadata.name be non-empty');
  else {
    const qualified = `${policyName}/${key}`;
    findings.invalidEach(`${path}.key`, qualified, isQualifiedName(qualified));
  }
  const at = `${path}.valueExpression`;
  const trimmed = (valueExpression ?? '').trim();
  if (trimmed === '') findings.required(at, 'valueExpression is not specified');
  else if (Buffer.byteLength(trimmed) > longestValueExpression) {
    findings.required(at, `must not exceed ${longestValueExpression} bytes in length`);
  } else compile(trimmed, names, [stringType, nullType], at, findings, valueExpression);
}

function validateMutation(mutation: Mutation, names: AdmissionNames, path: string, findings: Findings): void {
  const { patchType, applyConfiguration, jsonPatch } = mutation;
  if (!patchType) {
    findings.required(`${path}.patchType`);
    return;
  }

  if (patchType !== 'JSONPatch' && patchType !== 'ApplyConfiguration') {
    findings.notSupported(`${path}.patchType`, patchType, ['ApplyConfiguration', 'JSONPatch']);
    return;
  }
  const isPatch = patchType === 'JSONPatch';
  const own = isPatch ? jsonPatch : applyConfiguration;
  const other = isPatch ? applyConfiguration : jsonPatch;
  const [ownName, otherName] = isPatch ? ['jsonPatch', 'applyConfiguration'] : ['applyConfiguration', 'jsonPatch'];
  if (own === undefined || own === null) {
    findings.required(`${path}.${ownName}`, `must be specified when patchType is ${patchType}`);
  } else {
    const trimmed = (own.expression ?? '').trim();
    const at = `${path}.${ownName}.expression`;
    if (trimmed === '') findings.required(at);
    else compile(trimmed, names, [isPatch ? listOf(jsonPatchType) : objectType], at, findings);
  }
  if (other !== undefined && other !== null) {
    findings.invalid(`${path}.${otherName}`, `{${otherName}}`, `must not be specified when patchType is ${patchType}`);
  }
}

function validateParamKind({ apiVersion, kind }: ParamKind, path: string, findings: Findings): void {
  const at = `${path}.apiVersion`;
  const parts = (apiVersion ?? '').split('/');
  if (!apiVersion) findings.required(at);
  else if (parts.length > 2) findings.invalid(at, apiVersion, `unexpected GroupVersion string: ${apiVersion}`);
  else {
    const [group, version] = parts.length === 1 ? ['', parts[0]!] : [parts[0]!, parts[1]!];
    const groupErrors = group === '' ? [] : isDns1123Subdomain(group);
    if (groupErrors.length > 0) findings.invalid(at, group, groupErrors.join(','));
    if (version === '') findings.invalid(at, apiVersion, 'version must be specified');
    else {
      const errors = isDns1035Label(version);
      if (errors.length > 0) findings.invalid(at, version, errors.join(','));
    }
  }
  if (!kind) findings.required(`${path}.kind`);
  else {
    const errors = isDns1035Label(kind.toLowerCase());
    if (errors.length > 0) {
      findings.invalid(`${path}.kind`, kind, `may have mixed case, but should otherwise match: ${errors.join(',')}`);
    }
  }
}

function validateMatchResources(match: MatchResources, path: string, findings: Findings): void {
  findings.set(match.matchPolicy, `${path}.matchPolicy`, ['Equivalent', 'Exact']);
  for (const name of ['namespaceSelector', 'objectSelector'] as const) {
    const selector = match[name];
    if (selector === undefined || selector === null) findings.required(`${path}.${name}`);
    else validateLabelSelector(selector, `${path}.${name}`, findings);
  }
  for (const name of ['resourceRules', 'excludeResourceRules'] as const) {
    match[name]?.forEach((rule, index) => {
      validateNamedRule(rule, `${path}.${name}[${index}]`, findings);
    });
  }
}

function validateNamedRule(rule: NamedRuleWithOperations, path: string, findings: Findings): void {
  const seen = new Set<string>();
  rule.resourceNames?.forEach((name, index) => {
    const at = `${path}.resourceNames[${index}]`;
    findings.invalidEach(at, name, isPathSegmentName(name));
    if (seen.has(name)) findings.duplicate(at, name);
    seen.add(name);
  });
  validateRuleWithOperations(rule, path, findings);
}

/** What is deleted is not changed. */
function validateMutableOperations(match: MatchResources | undefined | null, path: string, findings: Findings): void {
  for (const { operations } of match?.resourceRules ?? []) {
    for (const operation of operations ?? []) {
      if (mutableOperations.includes(operation)) continue;
      findings.notSupported(`${path}.resourceRules.operations`, operation, mutableOperations);
    }
  }
}

export function validateValidatingBinding(binding: ValidatingAdmissionPolicyBinding, findings: Findings): void {
  validateBinding(binding, findings);
  const path = 'spec.validationActions';
  const given: string[] = binding.spec?.validationActions ?? [];
  const seen = new Set<string>();
  given.forEach((action, index) => {
    if (!actions.includes(action)) findings.notSupported(`${path}[${index}]`, action, actions);
    if (seen.has(action)) findings.duplicate(`${path}[${index}]`, action);
    seen.add(action);
  });
  if (given.includes('Deny') && given.includes('Warn')) {
    const detail =
      'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)';
    findings.invalid(path, given, detail);
  }
  if (given.length === 0) findings.required(path, 'at least one validation action is required');
}

export function validateMutatingBinding(binding: MutatingAdmissionPolicyBinding, findings: Findings): void {
  validateBinding(binding, findings);
  validateMutableOperations(binding.spec?.matchResources, 'spec.matchResources', findings);
}

function validateBinding(
  { spec = {} }: ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding,
  findings: Findings,
): void {
  const { policyName, paramRef, matchResources } = spec;
  if (!policyName) findings.required('spec.policyName');
  else findings.invalidEach('spec.policyName', policyName, nameIsDnsSubdomain(policyName, false));
  if (paramRef) validateParamRef(paramRef, 'spec.paramRef', findings);
  if (matchResources) validateMatchResources(matchResources, 'spec.matchResources', findings);
}

function validateParamRef(reference: ParamRef, path: string, findings: Findings): void {
  const { name, selector, parameterNotFoundAction } = reference;
  const exclusive = 'name and selector are mutually exclusive';
  if (name) {
    findings.invalidEach(`${path}.name`, name, isPathSegmentName(name));
    if (selector) findings.forbidden(`${path}.name`, exclusive);
  }
  if (selector) {
    validateLabelSelector(selector, `${path}.selector`, findings);
    if (name) findings.forbidden(`${path}.selector`, exclusive);
  }
  if (!name && !selector) findings.required(path, 'one of name or selector must be specified');
  findings.oneOf(parameterNotFoundAction, `${path}.parameterNotFoundAction`, ['Deny', 'Allow']);
}

export function validatePolicyStatus({ status }: ValidatingAdmissionPolicy, findings: Findings): void {
  status?.typeChecking?.expressionWarnings?.forEach(({ warning, fieldRef }, index) => {
    const path = `status.typeChecking.expressionWarnings[${index}]`;
    if (!warning) findings.required(`${path}.warning`);
    if ((fieldRef ?? '').trim() === '') findings.required(`${path}.fieldRef`);
  });
}
