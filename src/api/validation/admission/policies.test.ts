import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runAtOnce, type Steps } from '../../../base/steps.ts';
import { Findings } from '../findings.ts';
import {
  validateMutatingBinding,
  validateMutatingPolicy,
  validateValidatingBinding,
  validateValidatingPolicy,
  validateValidatingPolicyUpdate,
} from './policies.ts';

const rule = { apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*'] };
const matchConstraints = {
  matchPolicy: 'Equivalent',
  namespaceSelector: {},
  objectSelector: {},
  resourceRules: [rule],
};
const validating = (spec: object): any => ({
  metadata: { name: 'p' },
  spec: { failurePolicy: 'Fail', matchConstraints, validations: [{ expression: 'true' }], ...spec },
});
const mutating = (spec: object): any => ({
  metadata: { name: 'p' },
  spec: {
    failurePolicy: 'Fail',
    matchConstraints: { ...matchConstraints, resourceRules: [{ ...rule, operations: ['CREATE'] }] },
    reinvocationPolicy: 'Never',
    mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: 'Object{}' } }],
    ...spec,
  },
});
const found = (validate: (object: any, findings: Findings) => Steps<void> | void, object: unknown): string[] => {
  const findings = new Findings();
  const steps = validate(object, findings);
  if (steps !== undefined) runAtOnce(steps);
  return findings.list.map(({ field, message }) => `${field}: ${message}`);
};

test('sound policies and bindings', () => {
  const variables = [
    { name: 'a', expression: '1' },
    { name: 'b', expression: 'variables.a + 1' },
  ];
  const validations = [
    { expression: 'variables.b > 1 && params.x == 1 && authorizer.requestResource.check("get").allowed()' },
    { expression: 'true', messageExpression: '"" + string(variables.b)', reason: 'Forbidden' },
  ];
  const paramKind = { apiVersion: 'a.example/v1', kind: 'Limit' };
  const auditAnnotations = [{ key: 'k', valueExpression: 'null' }];
  assert.deepEqual(
    found(validateValidatingPolicy, validating({ paramKind, variables, validations, auditAnnotations })),
    [],
  );
  assert.deepEqual(found(validateMutatingPolicy, mutating({})), []);
  assert.deepEqual(found(validateValidatingBinding, { spec: { policyName: 'p', validationActions: ['Deny'] } }), []);
  assert.deepEqual(found(validateMutatingBinding, { spec: { policyName: 'p' } }), []);
});

test('what is wrong with a validating policy', () => {
  assert.deepEqual(found(validateValidatingPolicy, validating({ validations: [] })), [
    'spec.validations: Required value: validations or auditAnnotations must contain at least one item',
    'spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item',
  ]);
  const validations = [
    { expression: 'params.x == 1' },
    { expression: 'object.x' },
    { expression: 'true', messageExpression: 'authorizer.group("")', message: 'a\nb', reason: 'Odd' },
  ];
  assert.deepEqual(found(validateValidatingPolicy, validating({ validations })), [
    `spec.validations[0].expression: Invalid value: "params.x == 1": compilation failed: ERROR: <input>:1:1: undeclared reference to 'params' (in container '')\n | params.x == 1\n | ^`,
    'spec.validations[1].expression: Invalid value: "object.x": must evaluate to bool but got dyn',
    `spec.validations[2].messageExpression: Invalid value: "authorizer.group(\\"\\")": compilation failed: ERROR: <input>:1:1: undeclared reference to 'authorizer' (in container '')\n | authorizer.group("")\n | ^`,
    'spec.validations[2].message: Invalid value: "a\\nb": must not contain line breaks',
    'spec.validations[2].reason: Unsupported value: "Odd": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"',
  ]);
  const broken = validating({
    failurePolicy: 'Odd',
    matchConstraints: { resourceRules: [] },
    matchConditions: [{ name: 'c', expression: 'variables.a' }],
    variables: [{ name: 'for', expression: 'variables.later' }],
    paramKind: { apiVersion: 'a/b/c', kind: '' },
  });
  assert.deepEqual(found(validateValidatingPolicy, broken), [
    'spec.failurePolicy: Unsupported value: "Odd": supported values: "Fail", "Ignore"',
    'spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
    'spec.paramKind.kind: Required value',
    'spec.matchConstraints.matchPolicy: Required value',
    'spec.matchConstraints.namespaceSelector: Required value',
    'spec.matchConstraints.objectSelector: Required value',
    'spec.matchConstraints.resourceRules: Required value',
    `spec.matchConditions[0].expression: Invalid value: "variables.a": compilation failed: ERROR: <input>:1:1: undeclared reference to 'variables' (in container '')\n | variables.a\n | ^`,
    'spec.variables[0].name: Invalid value: "for": must be a valid CEL identifier',
    `spec.variables[0].expression: Invalid value: "variables.later": compilation failed: ERROR: <input>:1:10: undefined field 'later'\n | variables.later\n | .........^`,
  ]);
});

test('conditions that stay are not looked at again', () => {
  const policy = validating({ matchConditions: [{ name: 'c', expression: 'nothing' }] });
  const findings = new Findings();
  runAtOnce(validateValidatingPolicyUpdate(policy, structuredClone(policy), findings));
  assert.deepEqual(findings.list, []);
});

test('what is wrong with a mutating policy', () => {
  const mutations = [
    { patchType: 'ApplyConfiguration', applyConfiguration: { expression: '1' } },
    { patchType: 'JSONPatch', jsonPatch: { expression: '[JSONPatch{op: 1}]' } },
    { patchType: 'JSONPatch', applyConfiguration: { expression: 'Object{}' } },
    { patchType: 'Odd' },
  ];
  assert.deepEqual(
    found(validateMutatingPolicy, mutating({ mutations, matchConstraints, reinvocationPolicy: 'Always' })),
    [
      'spec.mutations[0].applyConfiguration.expression: Invalid value: "1": must evaluate to Object but got int',
      `spec.mutations[1].jsonPatch.expression: Invalid value: "[JSONPatch{op: 1}]": compilation failed: ERROR: <input>:1:14: expected type of field 'op' is 'string' but provided type is 'int'\n | [JSONPatch{op: 1}]\n | .............^`,
      'spec.mutations[2].jsonPatch: Required value: must be specified when patchType is JSONPatch',
      'spec.mutations[2].applyConfiguration: Invalid value: "{applyConfiguration}": must not be specified when patchType is JSONPatch',
      'spec.mutations[3].patchType: Unsupported value: "Odd": supported values: "ApplyConfiguration", "JSONPatch"',
      'spec.reinvocationPolicy: Unsupported value: "Always": supported values: "IfNeeded", "Never"',
    ],
  );
});

test('what is wrong with bindings', () => {
  const spec = {
    policyName: 'A',
    validationActions: ['Deny', 'Warn', 'Deny', 'Odd'],
    paramRef: { name: 'a/b', selector: {} },
  };
  assert.deepEqual(
    found(validateValidatingBinding, { spec }).map((line) => line.split(': ').slice(0, 2).join(': ')),
    [
      'spec.policyName: Invalid value',
      'spec.paramRef.name: Invalid value',
      'spec.paramRef.name: Forbidden',
      'spec.paramRef.selector: Forbidden',
      'spec.paramRef.parameterNotFoundAction: Required value',
      'spec.validationActions[2]: Duplicate value',
      'spec.validationActions[3]: Unsupported value',
      'spec.validationActions: Invalid value',
    ],
  );
  assert.deepEqual(found(validateValidatingBinding, { spec: {} }), [
    'spec.policyName: Required value',
    'spec.validationActions: Required value: at least one validation action is required',
  ]);
});
