import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../lib/eventually.ts';
import { needsKubectl } from '../lib/kubectl.ts';
import { type Skypod, startSkypod } from '../lib/skypod.ts';

const definition = JSON.stringify({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'backups.data.example.com' },
  spec: {
    group: 'data.example.com',
    scope: 'Namespaced',
    names: { plural: 'backups', kind: 'Backup', shortNames: ['bk'], categories: ['all', 'data'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: {
          status: {},
          scale: { specReplicasPath: '.spec.copies', statusReplicasPath: '.status.copies' },
        },
        additionalPrinterColumns: [
          { name: 'Schedule', type: 'string', jsonPath: '.spec.schedule' },
          { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
          { name: 'Copies', type: 'integer', jsonPath: '.spec.copies', priority: 1 },
        ],
        selectableFields: [{ jsonPath: '.spec.schedule' }],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            description: 'A copy of data kept for bad days.',
            properties: {
              spec: {
                type: 'object',
                required: ['schedule'],
                properties: {
                  schedule: { type: 'string', description: 'When to make it.', minLength: 3 },
                  copies: { type: 'integer', minimum: 1, default: 2 },
                  labels: { type: 'object', additionalProperties: { type: 'string' } },
                },
              },
              status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
            },
          },
        },
      },
    ],
  },
});

const backup = (name: string, spec: object, more: object = {}) =>
  JSON.stringify({ apiVersion: 'data.example.com/v1', kind: 'Backup', metadata: { name, ...more }, spec });

describe('custom resources with kubectl', { skip: needsKubectl(28) }, () => {
  let skypod: Skypod;
  before(async () => {
    skypod = await startSkypod({ runtime: 'simulated' });
  });
  after(async () => {
    await skypod?.destroy();
  });

  it('serves a definition as soon as it is established', async () => {
    const { kubectl } = skypod;
    await kubectl.input(definition, 'apply', '-f', '-');
    await kubectl('wait', '--for=condition=Established', 'crd/backups.data.example.com', '--timeout=30s');
    assert.equal(
      await kubectl.input(backup('daily', { schedule: 'daily' }), 'apply', '-f', '-'),
      'backup.data.example.com/daily created\n',
    );
    assert.equal(
      await kubectl.input(backup('daily', { schedule: 'nightly' }), 'apply', '-f', '-'),
      'backup.data.example.com/daily configured\n',
    );
    const table = await kubectl('get', 'bk', '-o', 'wide');
    assert.match(table, /^NAME +SCHEDULE +READY +COPIES\ndaily +nightly +2\n$/);
    assert.match(await kubectl('get', 'all'), /backup.data.example.com\/daily/);
    assert.match(await kubectl('get', 'backups', '--field-selector', 'spec.schedule=nightly', '-o', 'name'), /daily/);
    assert.equal(await kubectl('get', 'backups', '--field-selector', 'spec.schedule=never', '-o', 'name'), '');
    assert.match(
      await kubectl('api-resources', '--api-group=data.example.com'),
      /backups +bk +data.example.com\/v1 +true +Backup/,
    );
  });

  it('is explained and validated as built-in resources are', async () => {
    const { kubectl } = skypod;
    const text = await kubectl('explain', 'backup.spec.schedule');
    assert.match(text, /KIND: +Backup\nVERSION: +v1/);
    assert.match(text, /FIELD: schedule <string>/);
    assert.match(text, /When to make it\./);
    assert.match(await kubectl('explain', 'backups'), /A copy of data kept for bad days\.[\s\S]*spec\t<Object>/);
    assert.match(await kubectl('explain', 'backups.metadata'), /Standard object's metadata[\s\S]*creationTimestamp/);
    const unknown = await kubectl.tryInput(backup('odd', { schedule: 'daily', colour: 1 }), 'apply', '-f', '-');
    assert.notEqual(unknown.code, 0);
    assert.match(unknown.stderr, /strict decoding error: unknown field "spec.colour"/);
    const short = await kubectl.tryInput(backup('odd', { schedule: 'x', copies: 0 }), 'apply', '-f', '-');
    assert.match(
      short.stderr,
      /spec.schedule: Invalid value: "x": spec.schedule in body should be at least 3 chars long/,
    );
    assert.match(
      short.stderr,
      /spec.copies: Invalid value: 0: spec.copies in body should be greater than or equal to 1/,
    );
  });

  it('scales, patches and shows status', async () => {
    const { kubectl } = skypod;
    await kubectl('scale', 'backup/daily', '--replicas=5');
    assert.equal(await kubectl('get', 'bk', 'daily', '-o', 'jsonpath={.spec.copies}'), '5');
    const status = JSON.stringify({ status: { conditions: [{ type: 'Ready', status: 'True' }] } });
    await kubectl('patch', 'bk', 'daily', '--subresource=status', '--type=merge', '-p', status);
    assert.match(await kubectl('get', 'bk'), /^NAME +SCHEDULE +READY\ndaily +nightly +True\n$/);
    const strategic = await kubectl.try('patch', 'bk', 'daily', '--type=strategic', '-p', '{}');
    assert.match(strategic.stderr, /UnsupportedMediaType|unknown format|not supported/);
    await kubectl('patch', 'bk', 'daily', '--type=json', '-p', '[{"op":"replace","path":"/spec/copies","value":3}]');
    await kubectl('wait', '--for=condition=Ready', 'bk/daily', '--timeout=10s');
    await kubectl('label', 'bk/daily', 'a=b');
    assert.match(await kubectl('get', 'bk', '-l', 'a=b', '-o', 'name'), /daily/);
  });

  it('goes with its namespace and its owner', async () => {
    const { kubectl } = skypod;
    await kubectl('create', 'namespace', 'short-lived');
    await kubectl.input(backup('inside', { schedule: 'daily' }, { namespace: 'short-lived' }), 'apply', '-f', '-');
    await kubectl('delete', 'namespace', 'short-lived', '--timeout=60s');
    assert.equal(await kubectl('get', 'bk', '-A', '-o', 'jsonpath={.items[*].metadata.name}'), 'daily');
    const owner = await kubectl.json('get', 'bk', 'daily');
    const ownerReferences = [
      { apiVersion: 'data.example.com/v1', kind: 'Backup', name: 'daily', uid: owner.metadata.uid },
    ];
    await kubectl.input(backup('owned', { schedule: 'daily' }, { ownerReferences }), 'apply', '-f', '-');
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'owned', ownerReferences } };
    await kubectl.input(JSON.stringify(map), 'apply', '-f', '-');
    await kubectl('delete', 'bk', 'daily');
    await eventually('what it owned is gone', async () => {
      return (await kubectl('get', 'bk,configmaps', '-o', 'name')) === 'configmap/kube-root-ca.crt\n';
    });
  });

  it('takes its instances along', async () => {
    const { kubectl } = skypod;
    await kubectl.input(backup('last', { schedule: 'daily' }), 'create', '-f', '-');
    await kubectl('delete', 'crd', 'backups.data.example.com', '--timeout=60s');
    const gone = await kubectl.try('get', '--raw', '/apis/data.example.com/v1/backups');
    assert.notEqual(gone.code, 0);
    assert.doesNotMatch(await kubectl('api-versions'), /data\.example\.com/);
  });
});
