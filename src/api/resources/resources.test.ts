import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeObject } from '../decode/decode.ts';
import { applyDefaults } from '../defaults.ts';
import type { KubeObject } from '../object.ts';
import { validateObject, validateObjectUpdate } from '../validation/index.ts';
import { builtinResources, platformResources } from './index.ts';

const find = (group: string, version: string, resource: string) =>
  [...builtinResources, ...platformResources].find(
    (one) => one.group === group && one.version === version && one.resource === resource,
  )!;

test('pods are described as Kubernetes describes them', () => {
  const pods = find('', 'v1', 'pods');
  assert.deepEqual(
    [pods.kind, pods.listKind, pods.singular, pods.shortNames, pods.categories, pods.namespaced, pods.hasGeneration],
    ['Pod', 'PodList', 'pod', ['po'], ['all'], true, true],
  );
  assert.deepEqual(
    pods.subresources.map(({ name }) => name),
    ['attach', 'binding', 'ephemeralcontainers', 'eviction', 'exec', 'log', 'portforward', 'proxy', 'resize', 'status'],
  );
  assert.deepEqual(pods.subresources.find(({ name }) => name === 'eviction')?.kind, {
    group: 'policy',
    version: 'v1',
    kind: 'Eviction',
  });
  const scale = find('apps', 'v1', 'deployments').subresources.find(({ name }) => name === 'scale');
  assert.deepEqual(scale?.kind, { group: 'autoscaling', version: 'v1', kind: 'Scale' });
  assert.equal(scale?.scale?.specReplicasPath, '.spec.replicas');
});

test('every resource decodes, defaults and prints an empty object', () => {
  for (const definition of [...builtinResources, ...platformResources]) {
    const { object, errors } = decodeObject<KubeObject>(definition, {
      metadata: { name: 'a', namespace: 'b', uid: 'u' },
    });
    assert.deepEqual(errors, []);
    // Reviews and bindings are never stored.
    if (!definition.verbs.includes('list')) continue;
    object['spec'] ??= {};
    applyDefaults(definition, object);
    definition.strategy.prepareForCreate?.(object);
    for (const column of definition.columns) column.value(object, 0);
    for (const field of Object.values(definition.selectableFields)) assert.equal(typeof field(object), 'string');
    validateObject(definition, object);
  }
});

test('no two resources claim one name', () => {
  const names = builtinResources.map(({ group, version, resource }) => `${group}/${version}/${resource}`);
  assert.equal(new Set(names).size, names.length);
});

test('pods stay for their grace period only where something runs', () => {
  const { gracePeriodSeconds } = find('', 'v1', 'pods').strategy;
  const pod = (spec: object, status: object = {}) => ({ metadata: {}, spec, status }) as unknown as KubeObject;
  assert.equal(gracePeriodSeconds!(pod({ nodeName: 'n', terminationGracePeriodSeconds: 5 }), undefined), 5);
  assert.equal(gracePeriodSeconds!(pod({ nodeName: 'n', terminationGracePeriodSeconds: 5 }), 0), 0);
  assert.equal(gracePeriodSeconds!(pod({ terminationGracePeriodSeconds: 5 }), undefined), 0);
  assert.equal(gracePeriodSeconds!(pod({ nodeName: 'n' }, { phase: 'Succeeded' }), 30), 0);
});

test('new objects get what the server sets', () => {
  const create = (group: string, resource: string, value: object) => {
    const definition = find(group, 'v1', resource);
    const { object } = decodeObject<KubeObject>(definition, value);
    applyDefaults(definition, object);
    delete object['status'];
    definition.strategy.prepareForCreate?.(object);
    return object;
  };
  const container = { name: 'c', image: 'i', resources: { limits: { cpu: '1', memory: '1Gi' } } };
  const pod = create('', 'pods', { metadata: { name: 'a' }, spec: { containers: [container] } });
  assert.deepEqual(pod['status'], { phase: 'Pending', qosClass: 'Guaranteed' });
  const namespace = create('', 'namespaces', { metadata: { name: 'a' } });
  assert.deepEqual([namespace['spec'], namespace['status']], [{ finalizers: ['kubernetes'] }, { phase: 'Active' }]);
  assert.equal(namespace.metadata.labels?.['kubernetes.io/metadata.name'], 'a');
  const job = create('batch', 'jobs', {
    metadata: { name: 'a', uid: 'u' },
    spec: { template: { metadata: { labels: { x: 'y' } }, spec: { containers: [container], restartPolicy: 'Never' } } },
  });
  assert.deepEqual(job['spec'].selector, { matchLabels: { 'batch.kubernetes.io/controller-uid': 'u' } });
  assert.deepEqual(job['spec'].template.metadata.labels, {
    'batch.kubernetes.io/controller-uid': 'u',
    'batch.kubernetes.io/job-name': 'a',
    'controller-uid': 'u',
    'job-name': 'a',
    x: 'y',
  });
  assert.deepEqual(create('', 'persistentvolumeclaims', { metadata: { name: 'a' } })['status'], { phase: 'Pending' });
  assert.deepEqual(create('', 'services', { metadata: { name: 'a' } })['status'], { loadBalancer: {} });
});

test('an instance keeps its host, not its size', () => {
  const instances = find('pool.skypod.io', 'v1alpha1', 'containerinstances');
  const instance = (hostName?: string, cpu = '1') =>
    ({
      metadata: { name: 'a', namespace: 'b', uid: 'u', resourceVersion: '1', creationTimestamp: 'x' },
      spec: {
        podRef: { namespace: 'n', name: 'p', uid: 'u' },
        zone: 'z',
        resources: { cpu, memory: '1Gi' },
        pod: { containers: [{ name: 'c' }] },
        vpc: { serviceCidr: 'x', dnsAddress: 'y', clusterDomain: 'z' },
        ...(hostName !== undefined && { hostName }),
      },
    }) as KubeObject;
  assert.deepEqual(validateObjectUpdate(instances, instance('h'), instance()), []);
  assert.deepEqual(validateObjectUpdate(instances, instance('h', '2'), instance('h')), []);
  assert.deepEqual(validateObjectUpdate(instances, instance('other'), instance('h')), [
    { reason: 'FieldValueInvalid', field: 'spec.hostName', message: 'Invalid value: "other": field is immutable' },
  ]);
});

test('an instance loses nothing of a resize on its way', () => {
  const instances = find('pool.skypod.io', 'v1alpha1', 'containerinstances');
  const resized = {
    apiVersion: 'pool.skypod.io/v1alpha1',
    kind: 'ContainerInstance',
    metadata: { name: 'a' },
    spec: {
      podRef: { namespace: 'n', name: 'p', uid: 'u' },
      zone: 'z',
      resources: { cpu: '1', memory: '1Gi' },
      resourceHistory: [{ cpu: '500m', memory: '1Gi', until: '2026-01-01T00:00:00.000Z' }],
      podGeneration: 2,
      pod: { containers: [{ name: 'c' }] },
      vpc: { serviceCidr: 'x', dnsAddress: 'y', clusterDomain: 'z' },
    },
    status: { phase: 'Running', observedGeneration: 2 },
  };
  const { object, unknownFields } = decodeObject<KubeObject>(instances, resized, { strict: true });
  assert.deepEqual(unknownFields, []);
  assert.deepEqual(object['spec'].resourceHistory, resized.spec.resourceHistory);
  assert.equal(object['status'].observedGeneration, 2);
});
