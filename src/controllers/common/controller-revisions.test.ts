import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ControllerRevision } from '../../api/generated/apps-v1.ts';
import { CONTROLLER_REVISIONS } from '../../api/resources.ts';
import { createHarness, testNamespace, testTenant } from '../testing/harness.ts';
import { currentTemplateRevision } from './controller-revisions.ts';

const ownerOf = (template: any): any => ({
  object: { metadata: { name: 'set', namespace: testNamespace, clusterName: testTenant, uid: 'u' } },
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  template,
  collisionCount: undefined,
});
const template = {
  spec: { restartPolicy: 'Always', containers: [{ name: 'c', image: 'i' }] },
  metadata: { labels: { b: '2', a: '1' } },
};

test('a revision holds the bytes that Go writes of the template', async (t) => {
  const harness = createHarness(t);
  const { revision } = await currentTemplateRevision(harness.client, ownerOf(template), [], 'controller-revision-hash');
  assert.equal(
    JSON.stringify(revision.data),
    '{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"a":"1","b":"2"}},' +
      '"spec":{"containers":[{"image":"i","name":"c","resources":{}}],"restartPolicy":"Always"}}}}',
  );
});

test('one written without them is still the same', async (t) => {
  const harness = createHarness(t);
  const old = {
    metadata: { name: 'set-old', labels: { 'controller-revision-hash': 'old' } },
    data: { spec: { template: { ...template, $patch: 'replace' } } },
    revision: 1,
  } as unknown as ControllerRevision;
  const { revision } = await currentTemplateRevision(
    harness.client,
    ownerOf(template),
    [old],
    'controller-revision-hash',
  );
  assert.equal(revision, old);
  assert.equal(harness.all(CONTROLLER_REVISIONS).length, 0);
});
