import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { decodeObject } from '../decode/decode.ts';
import { applyDefaults } from '../defaults.ts';
import { type KubeObject, parseApiVersion } from '../object.ts';
import { builtinResources, platformResources } from '../resources/index.ts';
import { invalid } from '../status.ts';
import { validateObject, validateObjectStatusUpdate, validateObjectUpdate } from './index.ts';

// Each file is a list of cases: an object, perhaps the one it replaces, and every finding as `field: message`.
const testdata = new URL('./testdata/', import.meta.url);

function prepare(input: any) {
  const { group, version } = parseApiVersion(input.apiVersion);
  const definition = [...builtinResources, ...platformResources].find(
    (one) => one.group === group && one.version === version && one.kind === input.kind,
  )!;
  const { object, errors, unknownFields } = decodeObject<KubeObject>(definition, input, { strict: true });
  assert.deepEqual([errors, unknownFields], [[], []]);
  applyDefaults(definition, object);
  return { definition, object };
}

for (const file of readdirSync(testdata)) {
  for (const { name, object: input, old, findings } of parse(readFileSync(new URL(file, testdata), 'utf8'))) {
    test(`${file}: ${name}`, () => {
      const { definition, object } = prepare(input);
      let found: { field: string; message: string }[];
      if (old === undefined) {
        definition.strategy.prepareForCreate?.(object);
        found = validateObject(definition, object);
      } else {
        const before = prepare(old).object;
        before.metadata.resourceVersion = object.metadata.resourceVersion = '1';
        definition.strategy.prepareForUpdate?.(object, before);
        found = validateObjectUpdate(definition, object, before);
      }
      assert.deepEqual(
        found.map((finding) => `${finding.field}: ${finding.message}`.split('\n')[0]),
        findings ?? [],
      );
    });
  }
}

test('findings make the 422 that Kubernetes gives', () => {
  const { definition, object } = prepare({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'a', namespace: 'b' },
    spec: { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: {} } },
  });
  const error = invalid(definition, 'a', validateObject(definition, object));
  assert.equal(error.message, 'Deployment.apps "a" is invalid: spec.template.spec.containers: Required value');
  assert.deepEqual(error.details?.causes, [
    { reason: 'FieldValueRequired', message: 'Required value', field: 'spec.template.spec.containers' },
  ]);
});

test('what may not change of metadata is told as often as upstream looks', () => {
  const told = (apiVersion: string, kind: string) => {
    const { group, version } = parseApiVersion(apiVersion);
    const definition = builtinResources.find(
      (one) => one.group === group && one.version === version && one.kind === kind,
    )!;
    const object = (uid: string) =>
      ({
        apiVersion,
        kind,
        metadata: { name: 'a', namespace: 'b', uid, resourceVersion: '1' },
        status: {},
      }) as unknown as KubeObject;
    const found = validateObjectStatusUpdate(definition, object('new'), object('old'));
    return found.filter(({ field }) => field === 'metadata.uid').length;
  };
  assert.equal(told('batch/v1', 'CronJob'), 1);
  assert.equal(told('policy/v1', 'PodDisruptionBudget'), 1);
  assert.equal(told('storage.k8s.io/v1', 'VolumeAttachment'), 1);
  assert.equal(told('v1', 'ResourceQuota'), 2);
});

test('names that every object has are no names of tables', () => {
  const definition = builtinResources.find(({ resource }) => resource === 'secrets')!;
  for (const type of ['toString', '__proto__', 'constructor']) {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a', namespace: 'b' }, type, data: {} };
    assert.deepEqual(validateObject(definition, secret as never), []);
  }
});

test('nor are they amounts of a resource list', () => {
  for (const name of ['toString', 'constructor']) {
    const list = { [name]: '1' };
    const spec = {
      containers: [
        { name: 'a', image: 'a', resources: { requests: list, limits: {} } },
        { name: 'b', image: 'b', resources: { requests: list, limits: list } },
      ],
      initContainers: [{ name: 'c', image: 'c', resources: { requests: list } }],
      overhead: list,
      resources: { requests: { cpu: '1' }, limits: { cpu: '1' } },
    };
    const limits = [
      { type: 'Container', min: list },
      { type: 'a.io/b', max: list, defaultRequest: list },
    ];
    for (const [kind, resource, given] of [
      ['Pod', 'pods', spec],
      ['LimitRange', 'limitranges', { limits }],
      ['ResourceQuota', 'resourcequotas', { hard: list }],
    ] as const) {
      const metadata = { name: 'a', namespace: 'b' };
      const { definition, object } = prepare({ apiVersion: 'v1', kind, metadata, spec: structuredClone(given) });
      assert.equal(definition.resource, resource);
      assert.ok(validateObject(definition, object).length > 0, kind);
    }
  }
});
