import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts';
import { checkPolicy, type TypeSource } from './check-policy.ts';
import { statusPatch } from './index.ts';
import { builtinType, customType } from './known-types.ts';

const definition = {
  spec: {
    group: 'stable.example.com',
    names: { plural: 'crontabs', kind: 'CronTab' },
    versions: [
      {
        name: 'v1',
        served: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', properties: { replicas: { type: 'integer' } } } },
          },
        },
      },
    ],
  },
} as unknown as CustomResourceDefinition;

const kinds: Record<string, string> = {
  'apps/v1/deployments': 'Deployment',
  'apps/v1/replicasets': 'ReplicaSet',
  '/v1/pods': 'Pod',
  'stable.example.com/v1/crontabs': 'CronTab',
};
const source: TypeSource = {
  kindOf: async (group, version, resource) => kinds[`${group}/${version}/${resource}`],
  typeOf: async (kind) =>
    kind.group === 'stable.example.com' ? customType(definition, kind.version) : builtinType(kind),
};

const warningsOf = async (group: string, resources: string[], expressions: string[], more: object = {}) => {
  const warnings = await checkPolicy(
    {
      metadata: { name: 'p' },
      spec: {
        matchConstraints: { resourceRules: [{ apiGroups: [group], apiVersions: ['v1'], resources }] },
        validations: expressions.map((expression) => ({ expression })),
        ...more,
      },
    } as any,
    source,
  );
  return warnings.map(({ fieldRef, warning }) => `${fieldRef}: ${warning}`);
};

test('fields that the kind does not have, and types that do not fit', async () => {
  assert.deepEqual(await warningsOf('apps', ['deployments'], ['object.spec.replicas > 1']), []);
  assert.deepEqual(await warningsOf('apps', ['deployments'], ['object.foo > 1', 'object.spec.replicas > "1"']), [
    "spec.validations[0].expression: apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'foo'\n | object.foo > 1\n | ......^\n",
    "spec.validations[1].expression: apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'\n | object.spec.replicas > \"1\"\n | .....................^\n",
  ]);
  const both = await warningsOf('apps', ['deployments', 'replicasets'], ['object.foo']);
  assert.equal(both[0]!.match(/undefined field/g)!.length, 2);
});

test('metadata, lists and maps have their types', async () => {
  const sound = [
    'object.metadata.labels["a"].startsWith("b") && object.metadata.creationTimestamp < timestamp("2020-01-01T00:00:00Z")',
    'object.spec.containers.all(c, c.image != "" && c.ports.all(p, p.containerPort > 1))',
    'oldObject.spec.nodeName == object.spec.nodeName && request.userInfo.groups.exists(g, g == "a")',
  ];
  assert.deepEqual(await warningsOf('', ['pods'], sound), []);
  assert.match((await warningsOf('', ['pods'], ['object.spec.containers.all(c, c.imag != "")']))[0]!, /'imag'/);
});

test('custom resources, variables and parameters', async () => {
  const variables = [{ name: 'r', expression: 'object.spec.replicas' }];
  const paramKind = { apiVersion: 'v1', kind: 'ConfigMap' };
  const check = (expression: string) =>
    warningsOf('stable.example.com', ['crontabs'], [expression], { variables, paramKind });
  assert.deepEqual(await check('variables.r > 1 && params.data["a"] == object.metadata.name'), []);
  assert.match((await check('variables.r == "a"'))[0]!, /stable.example.com\/v1, Kind=CronTab: .*no matching overload/);
  assert.match((await check('params.dat == 1'))[0]!, /undefined field 'dat'/);
  assert.match((await check('object.spec.replica == 1'))[0]!, /undefined field 'replica'/);
});

test('rules for everything are not checked', async () => {
  assert.deepEqual(await warningsOf('*', ['deployments'], ['object.foo']), []);
  assert.deepEqual(await warningsOf('apps', ['*'], ['object.foo']), []);
  assert.deepEqual(await warningsOf('apps', ['unknown'], ['object.foo']), []);
});

test('a policy without faults loses the warnings it had', () => {
  assert.deepEqual(statusPatch({ metadata: { generation: 2 } } as any, []), {
    observedGeneration: 2,
    typeChecking: { expressionWarnings: null },
  });
});
