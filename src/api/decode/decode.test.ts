import assert from 'node:assert/strict';
import { test } from 'node:test';
import { schemaOfKind } from '../generated-schema.ts';
import { decodeObject } from './decode.ts';

const pod = schemaOfKind('', 'v1', 'Pod')!;
const deployment = schemaOfKind('apps', 'v1', 'Deployment')!;

test('decoding gives what Kubernetes would store', () => {
  const { object, unknownFields, errors } = decodeObject(
    pod,
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a', labels: {}, creationTimestamp: null, clusterName: 'tenant' },
      spec: {
        hostNetwork: false,
        containers: [
          {
            name: 'c',
            args: [],
            env: [{ name: 'EMPTY', value: '' }],
            resources: { limits: { cpu: 0.5, memory: '1024Mi' } },
          },
        ],
        volumes: [{ name: 'v', emptyDir: {} }],
        automountServiceAccountToken: false,
      },
      status: { startTime: '2024-01-01T02:00:00.5+02:00', conditions: [{ type: 'Ready', status: 'True' }] },
    },
    { strict: true },
  );
  assert.deepEqual(unknownFields, []);
  assert.deepEqual(errors, []);
  assert.deepEqual(object, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a' },
    spec: {
      containers: [{ name: 'c', env: [{ name: 'EMPTY' }], resources: { limits: { cpu: '500m', memory: '1Gi' } } }],
      volumes: [{ name: 'v', emptyDir: {} }],
      automountServiceAccountToken: false,
    },
    status: {
      startTime: '2024-01-01T00:00:00Z',
      conditions: [{ type: 'Ready', status: 'True', lastProbeTime: null, lastTransitionTime: null }],
    },
  });
});

test('structs that Go always writes are there', () => {
  assert.deepEqual(decodeObject(deployment, { metadata: { name: 'a' } }).object, {
    metadata: { name: 'a' },
    spec: { selector: null, template: { metadata: {}, spec: { containers: [] } }, strategy: {} },
    status: {},
  });
});

test('unknown fields are named by path only when asked for', () => {
  const value = {
    spec: { containers: [{ name: 'c', foo: 1 }], bar: {} },
    metadata: { labels: { any: 'thing' } },
    x: 1,
  };
  assert.deepEqual(decodeObject(pod, value, { strict: true }).unknownFields, [
    'unknown field "spec.containers[0].foo"',
    'unknown field "spec.bar"',
    'unknown field "x"',
  ]);
  assert.deepEqual(decodeObject(pod, value).unknownFields, []);
});

test('wrong types are refused in the words of Go', () => {
  const cases: [unknown, string][] = [
    [
      { spec: { replicas: '3' } },
      'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      { spec: { replicas: 1.5 } },
      'json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      { spec: { replicas: 2 ** 31 } },
      'json: cannot unmarshal number 2147483648 into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      { spec: { paused: 'yes' } },
      'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.paused of type bool',
    ],
    [
      { metadata: { labels: { a: 1 } } },
      'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
    ],
    [
      { metadata: { labels: ['a'] } },
      'json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map[string]string',
    ],
    [
      { spec: { template: { spec: { containers: {} } } } },
      'json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container',
    ],
    [
      { spec: { template: { spec: { containers: [{ env: [{ name: 'A', value: true }] }] } } } },
      'json: cannot unmarshal bool into Go struct field EnvVar.spec.template.spec.containers.env.value of type string',
    ],
    [
      { spec: { template: { spec: { restartPolicy: 1 } } } },
      'json: cannot unmarshal number into Go struct field PodSpec.spec.template.spec.restartPolicy of type v1.RestartPolicy',
    ],
    [{ spec: 'x' }, 'json: cannot unmarshal string into Go struct field Deployment.spec of type v1.DeploymentSpec'],
    ['x', 'json: cannot unmarshal string into Go value of type v1.Deployment'],
    [
      { spec: { template: { spec: { volumes: [{ name: 'a', secret: { defaultMode: 'x' } }] } } } },
      'json: cannot unmarshal string into Go struct field SecretVolumeSource.spec.template.spec.volumes.VolumeSource.secret.defaultMode of type int32',
    ],
    [
      { metadata: { creationTimestamp: '2024-02-30T00:00:00Z' } },
      'parsing time "2024-02-30T00:00:00Z": day out of range',
    ],
    [
      { metadata: { creationTimestamp: 'yesterday' } },
      'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
    ],
    [
      { spec: { strategy: { rollingUpdate: { maxSurge: true } } } },
      'json: cannot unmarshal bool into Go struct field RollingUpdateDeployment.spec.strategy.rollingUpdate.maxSurge of type int32',
    ],
  ];
  for (const [value, message] of cases) assert.deepEqual(decodeObject(deployment, value).errors, [message]);
  assert.deepEqual(decodeObject(schemaOfKind('', 'v1', 'Secret')!, { data: { a: 'a$b' } }).errors, [
    'illegal base64 data at input byte 1',
  ]);
});

test('a key named __proto__ is only a key', () => {
  const value = JSON.parse('{"data": {"__proto__": "x"}}');
  const { object } = decodeObject(schemaOfKind('', 'v1', 'ConfigMap')!, value);
  assert.deepEqual(Object.keys(object.data), ['__proto__']);
  assert.equal(Object.getPrototypeOf(object.data), Object.prototype);
});

test('bytes that are null in a map are empty', () => {
  const secret = decodeObject(schemaOfKind('', 'v1', 'Secret')!, { data: { a: null, b: 'YQ==' } }).object;
  assert.deepEqual(secret['data'], { a: '', b: 'YQ==' });
});

test('within schemas of lists and maps unknown fields are not told', () => {
  const definition = schemaOfKind('apiextensions.k8s.io', 'v1', 'CustomResourceDefinition')!;
  const items = { type: 'string', unknown: 1 };
  const openAPIV3Schema = { type: 'array', items, other: 1 };
  const value = { spec: { versions: [{ schema: { openAPIV3Schema } }] } };
  const decoded = decodeObject(definition, value, { strict: true });
  assert.deepEqual(decoded.unknownFields, ['unknown field "spec.versions[0].schema.openAPIV3Schema.other"']);
});
