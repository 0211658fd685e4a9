import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinResources } from '../../../api/resources/index.ts';
import { runAtOnce } from '../../../base/steps.ts';
import { openApi3 } from '../documents.ts';
import { describeType } from './descriptions.ts';

const core = 'io.k8s.api.core.v1';

test('types and fields have the descriptions of the installed client library', () => {
  const pod = describeType(`${core}.PodSpec`);
  assert.match(pod.description!, /^PodSpec is /);
  assert.match(pod.fields.get('restartPolicy')!, /Always, OnFailure, Never/);
});

test('kinds whose names several groups share are told apart', () => {
  assert.match(describeType('io.k8s.api.rbac.v1.Subject').fields.get('name')!, /name of the object being referenced/i);
  assert.ok(describeType('io.k8s.api.flowcontrol.v1.Subject').fields.get('name') === undefined);
  assert.notEqual(describeType(`${core}.Event`), describeType('io.k8s.api.events.v1.Event'));
});

test("words that TypeScript reserves and quotation marks come as the API's", () => {
  assert.ok(describeType('io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta').fields.has('continue'));
  assert.match(describeType(`${core}.Event`).fields.get('reason')!, /object's current status/);
});

test('an unknown type has none', () => {
  assert.equal(describeType('com.example.v1.Nothing').fields.size, 0);
  assert.equal(describeType('x').description, undefined);
});

test('every built-in kind is described where it is published', () => {
  const apps = builtinResources.filter(({ group }) => group === 'apps');
  const { schemas } = runAtOnce(openApi3(apps, 'v1'))['components'];
  for (const kind of ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet']) {
    const schema = schemas[`io.k8s.api.apps.v1.${kind}`];
    assert.match(schema.description, new RegExp(`^${kind}`));
    assert.match(schema.properties.apiVersion.description, /^APIVersion defines/);
  }
});
