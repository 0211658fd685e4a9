import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../api/generated/core-v1.ts';
import type { Lookups } from './lookups.ts';
import { resolvePod } from './resolve.ts';
import { shapeOf } from './shape.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const text = (data: string) => Buffer.from(data, 'base64').toString();

function lookups(objects: { configMaps?: object; secrets?: object; services?: object[] } = {}): Lookups {
  const find = (list: any, name: string) => list?.[name] && { metadata: { name }, ...list[name] };
  return {
    configMap: (name) => find(objects.configMaps, name),
    secret: (name) => find(objects.secrets, name),
    services: () => (objects.services ?? []) as any,
    kubernetesService: () =>
      ({
        metadata: { name: 'kubernetes' },
        spec: { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443 }] },
      }) as any,
    token: ({ audience }) => (audience === 'nobody' ? undefined : `token for ${audience || 'the API'}`),
    allocatable: { cpuMillis: 4000, memoryBytes: 8 * 1024 ** 3, ephemeralStorageBytes: 0 },
  };
}

const pod = (spec: object, metadata: object = {}): Pod =>
  ({ metadata: { name: 'web', namespace: 'shop', uid: 'u-1', ...metadata }, spec }) as any;

/** The main container's environment without the kubernetes service. */
function environment(container: object, given?: Parameters<typeof lookups>[0], metadata?: object, ofPod: object = {}) {
  const containers = [{ name: 'main', ...container }];
  const { spec } = resolvePod(pod({ containers, ...ofPod }, metadata), 'a', lookups(given));
  const env = spec.pod.containers[0]!.env ?? [];
  const own = env.filter(({ name }) => !name.startsWith('KUBERNETES_'));
  return { env: Object.fromEntries(own.map(({ name, value, valueFrom }) => [name, value ?? valueFrom])), spec };
}

test('variables refer to those before them; escapes and strangers stay', () => {
  const { env } = environment({
    env: [
      { name: 'LATE', value: '$(A)' },
      { name: 'A', value: 'one' },
      { name: 'B', value: '$(A)-$(A)' },
      { name: 'HOST', value: '$(KUBERNETES_SERVICE_HOST):$(KUBERNETES_SERVICE_PORT_HTTPS)' },
      { name: 'STRANGE', value: '$(NOPE) $5 $(' },
      { name: 'ESCAPED', value: '$$(A)' },
    ],
  });
  assert.deepEqual(env, {
    // A dollar doubled is one dollar after the host's own expansion.
    LATE: '$$(A)',
    A: 'one',
    B: 'one-one',
    HOST: '10.96.0.1:443',
    STRANGE: '$$(NOPE) $$5 $$(',
    ESCAPED: '$$(A)',
  });
});

test('what only the host knows is left to it, with the values that refer to it', () => {
  const fieldRef = { fieldPath: 'status.podIP' };
  const { env } = environment({
    env: [
      { name: 'IP', valueFrom: { fieldRef } },
      { name: 'URL', value: 'http://$(IP):80/$$(IP)' },
      { name: 'TWICE', value: '$(URL)' },
    ],
  });
  assert.deepEqual(env, { IP: { fieldRef }, URL: 'http://$(IP):80/$$(IP)', TWICE: 'http://$(IP):80/$$(IP)' });
});

test('envFrom with prefixes, env over it, optional sources left out', () => {
  const given = {
    configMaps: { settings: { data: { COLOR: 'blue', SIZE: '$5' } } },
    secrets: { db: { data: { PASSWORD: base64('s3') } } },
  };
  const { env, spec } = environment(
    {
      envFrom: [
        { configMapRef: { name: 'settings' }, prefix: 'CFG_' },
        { secretRef: { name: 'db' } },
        { configMapRef: { name: 'gone', optional: true } },
      ],
      env: [
        { name: 'CFG_COLOR', value: 'red' },
        { name: 'GONE', valueFrom: { secretKeyRef: { name: 'db', key: 'nope', optional: true } } },
        { name: 'COPY', valueFrom: { configMapKeyRef: { name: 'settings', key: 'COLOR' } } },
      ],
    },
    given,
  );
  assert.deepEqual(env, { CFG_COLOR: 'red', CFG_SIZE: '$$5', PASSWORD: 's3', COPY: 'blue' });
  assert.equal(spec.configErrors, undefined);
});

test('what is missing is told by container in upstream’s words', () => {
  const container = (name: string, source: object) => ({ name, env: [{ name: 'X', valueFrom: source }] });
  const containers = [
    container('a', { configMapKeyRef: { name: 'settings', key: 'x' } }),
    container('b', { configMapKeyRef: { name: 'gone', key: 'x' } }),
    container('c', { secretKeyRef: { name: 'db', key: 'x' } }),
    { name: 'd', envFrom: [{ secretRef: { name: 'gone' } }] },
    { name: 'e', env: [{ name: 'FINE', value: 'yes' }] },
  ];
  const given = { configMaps: { settings: { data: {} } }, secrets: { db: { data: {} } } };
  const { spec } = resolvePod(pod({ containers }), 'a', lookups(given));
  assert.deepEqual(spec.configErrors, {
    a: "couldn't find key x in ConfigMap shop/settings",
    b: 'configmap "gone" not found',
    c: "couldn't find key x in Secret shop/db",
    d: 'secret "gone" not found',
  });
});

test('fields of the pod and resources of its containers', () => {
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const resource = (name: string, resource: string, divisor?: string) => ({
    name,
    valueFrom: { resourceFieldRef: { resource, divisor } },
  });
  const { env } = environment(
    {
      resources: { requests: { cpu: '1250m', memory: '64Mi' }, limits: { memory: '128Mi' } },
      env: [
        field('NAME', 'metadata.name'),
        field('APP', "metadata.labels['app']"),
        field('NONE', "metadata.annotations['x/y']"),
        field('NAMESPACE', 'metadata.namespace'),
        field('UID', 'metadata.uid'),
        field('ACCOUNT', 'spec.serviceAccountName'),
        field('NODE', 'spec.nodeName'),
        resource('CPU', 'requests.cpu'),
        resource('MILLIS', 'requests.cpu', '1m'),
        resource('MEBIBYTES', 'limits.memory', '1Mi'),
        resource('UNSET', 'limits.cpu'),
      ],
    },
    {},
    { labels: { app: 'shop' } },
    { serviceAccountName: 'seller', nodeName: 'virtual-node-zone-a' },
  );
  assert.deepEqual(env, {
    NAME: 'web',
    APP: 'shop',
    NONE: '',
    NAMESPACE: 'shop',
    UID: 'u-1',
    ACCOUNT: 'seller',
    NODE: 'virtual-node-zone-a',
    CPU: '2',
    MILLIS: '1250',
    MEBIBYTES: '128',
    UNSET: '4',
  });
});

test('limits that a container does not set are the pod’s, and then the node’s', () => {
  const env = ['cpu', 'memory'].map((name) => ({
    name,
    valueFrom: { resourceFieldRef: { resource: `limits.${name}`, divisor: '1' } },
  }));
  const limitsOf = (resources: object | undefined, own?: object) => {
    const spec = { resources, containers: [{ name: 'main', env, ...(own !== undefined && { resources: own }) }] };
    const resolved = resolvePod(pod(spec), 'a', lookups()).spec.pod.containers[0]!.env ?? [];
    return ['cpu', 'memory'].map((name) => resolved.find((variable) => variable.name === name)?.value);
  };
  const node = String(8 * 1024 ** 3);
  assert.deepEqual(limitsOf({ limits: { cpu: '1250m' } }), ['2', node]);
  assert.deepEqual(limitsOf({ limits: { cpu: '1250m', memory: '64Mi' } }, { limits: { cpu: '5' } }), ['5', '67108864']);
  assert.deepEqual(limitsOf({ limits: { cpu: '0' } }, { limits: { memory: '0' } }), ['4', node]);
});

test('services of the namespace become variables unless the pod wants none', () => {
  const services = [
    {
      metadata: { name: 'my-db' },
      spec: {
        clusterIP: '10.96.1.2',
        ports: [
          { name: 'sql', port: 5432 },
          { name: 'ui', port: 80, protocol: 'TCP' },
        ],
      },
    },
    { metadata: { name: 'headless' }, spec: { clusterIP: 'None', ports: [{ port: 1 }] } },
  ];
  const { env } = environment({}, { services });
  assert.deepEqual(env, {
    MY_DB_SERVICE_HOST: '10.96.1.2',
    MY_DB_SERVICE_PORT: '5432',
    MY_DB_SERVICE_PORT_SQL: '5432',
    MY_DB_SERVICE_PORT_UI: '80',
    MY_DB_PORT: 'tcp://10.96.1.2:5432',
    MY_DB_PORT_5432_TCP: 'tcp://10.96.1.2:5432',
    MY_DB_PORT_5432_TCP_PROTO: 'tcp',
    MY_DB_PORT_5432_TCP_PORT: '5432',
    MY_DB_PORT_5432_TCP_ADDR: '10.96.1.2',
    MY_DB_PORT_80_TCP: 'tcp://10.96.1.2:80',
    MY_DB_PORT_80_TCP_PROTO: 'tcp',
    MY_DB_PORT_80_TCP_PORT: '80',
    MY_DB_PORT_80_TCP_ADDR: '10.96.1.2',
  });
  const spec = { enableServiceLinks: false, containers: [{ name: 'main' }] };
  const names = resolvePod(pod(spec), 'a', lookups({ services })).spec.pod.containers[0]!.env!.map(({ name }) => name);
  assert.ok(names.includes('KUBERNETES_SERVICE_HOST') && !names.some((name) => name.startsWith('MY_DB')));
});

test('volumes: items, modes, binary data, and one projection of everything', () => {
  const spec = {
    containers: [{ name: 'main' }],
    volumes: [
      { name: 'all', configMap: { name: 'settings', defaultMode: 0o400 } },
      { name: 'some', secret: { secretName: 'db', items: [{ key: 'password', path: 'deep/pass', mode: 0o600 }] } },
      { name: 'scratch', emptyDir: {} },
      {
        name: 'api',
        projected: {
          sources: [
            { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } },
            { serviceAccountToken: { path: 'vault', audience: 'vault' } },
            { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
            { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
            { secret: { name: 'gone', optional: true } },
          ],
        },
      },
      { name: 'info', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
    ],
  };
  const given = {
    configMaps: {
      settings: { data: { a: 'x' }, binaryData: { b: base64('\u0000') } },
      'kube-root-ca.crt': { data: { 'ca.crt': 'PEM' } },
    },
    secrets: { db: { data: { password: base64('s3'), user: base64('me') } } },
  };
  const { spec: resolved, volumeErrors } = resolvePod(
    pod(spec, { labels: { b: 'say "hi"', a: '1' } }),
    'a',
    lookups(given),
  );
  assert.equal(volumeErrors.size, 0);
  const files = Object.fromEntries(
    Object.entries(resolved.volumeFiles!).map(([name, list]) => [
      name,
      list.map(({ path, data, mode }) => [path, text(data), mode]),
    ]),
  );
  assert.deepEqual(files, {
    all: [
      ['a', 'x', 0o400],
      ['b', '\u0000', 0o400],
    ],
    some: [['deep/pass', 's3', 0o600]],
    api: [
      ['token', 'token for the API', 0o644],
      ['vault', 'token for vault', 0o644],
      ['ca.crt', 'PEM', 0o644],
      ['namespace', 'shop', 0o644],
    ],
    info: [['labels', 'a="1"\nb="say \\"hi\\""', 0o644]],
  });
});

test('a token belongs to the one user of the pod, and to nobody else', () => {
  const volumes = [{ name: 'api', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }];
  const tokenOf = (spec: object, containers: object[]) => {
    const { spec: resolved } = resolvePod(pod({ volumes, containers, ...spec }), 'a', lookups({}));
    const { mode, owner } = resolved.volumeFiles!['api']![0]!;
    return [mode, owner];
  };
  const as = (name: string, runAsUser?: number) => ({ name, securityContext: { runAsUser } });
  assert.deepEqual(tokenOf({}, [as('a')]), [0o644, undefined]);
  assert.deepEqual(tokenOf({ securityContext: { runAsUser: 1000 } }, [as('a')]), [0o600, 1000]);
  assert.deepEqual(tokenOf({ securityContext: { runAsUser: 1000 } }, [as('a'), as('b', 1001)]), [0o644, undefined]);
  assert.deepEqual(tokenOf({}, [as('a', 1000), as('b')]), [0o644, undefined]);
  assert.deepEqual(tokenOf({ securityContext: { fsGroup: 10 } }, [as('a')]), [0o600, undefined]);
});

test('volumes that cannot be filled say why', () => {
  const spec = {
    containers: [{ name: 'main' }],
    volumes: [
      { name: 'one', secret: { secretName: 'gone' } },
      { name: 'two', configMap: { name: 'settings', items: [{ key: 'nope', path: 'x' }] } },
      { name: 'three', hostPath: { path: '/' } },
      { name: 'four', projected: { sources: [{ configMap: { name: 'gone' } }, { secret: { name: 'gone' } }] } },
      { name: 'five', nfs: { server: 's', path: '/' } },
    ],
  };
  const { volumeErrors } = resolvePod(pod(spec), 'a', lookups({ configMaps: { settings: { data: {} } } }));
  assert.deepEqual(Object.fromEntries(volumeErrors), {
    one: 'secret "gone" not found',
    two: 'configmap references non-existent config key: nope',
    four: '[configmap "gone" not found, secret "gone" not found]',
    five: 'no volume plugin matched',
  });
});

test('credentials for registries come out of pull secrets of both kinds', () => {
  const json = (value: object) => base64(JSON.stringify(value));
  const secrets = {
    new: {
      type: 'kubernetes.io/dockerconfigjson',
      data: { '.dockerconfigjson': json({ auths: { 'r.example': { auth: base64('me:pa:ss') } } }) },
    },
    old: {
      type: 'kubernetes.io/dockercfg',
      data: { '.dockercfg': json({ 'o.example': { username: 'you', password: 'pw' } }) },
    },
  };
  const spec = {
    containers: [{ name: 'main' }],
    imagePullSecrets: [{ name: 'new' }, { name: 'gone' }, { name: 'old' }],
  };
  const resolution = resolvePod(pod(spec), 'a', lookups({ secrets }));
  assert.deepEqual(resolution.spec.registryCredentials, [
    { registry: 'r.example', username: 'me', password: 'pa:ss' },
    { registry: 'o.example', username: 'you', password: 'pw' },
  ]);
  assert.deepEqual(resolution.missingPullSecrets, ['gone']);
});

test('shapes: the default, rounding, init containers and sidecars', () => {
  const container = (cpu: string, memory: string, more: object = {}) => ({
    name: 'x',
    resources: { requests: { cpu, memory } },
    ...more,
  });
  const shape = (containers: object[], initContainers: object[] = []) => shapeOf({ containers, initContainers } as any);
  assert.deepEqual(shape([{ name: 'x' }]), { cpu: '250m', memory: '512Mi' });
  assert.deepEqual(shape([container('300m', '600Mi')]), { cpu: '500m', memory: '1Gi' });
  assert.deepEqual(shape([container('500m', '1Gi'), container('500m', '1Gi')]), { cpu: '1', memory: '2Gi' });
  assert.deepEqual(shape([container('500m', '1Gi')], [container('2', '512Mi')]), { cpu: '2', memory: '1Gi' });
  const sidecar = container('1', '1Gi', { restartPolicy: 'Always' });
  assert.deepEqual(shape([container('1', '1Gi')], [sidecar, container('2', '4Gi')]), { cpu: '4', memory: '5Gi' });
  assert.deepEqual(shape([container('3', '20.5Gi')]), { cpu: '4', memory: '21Gi' });
  assert.deepEqual(shape([container('129', '65Gi')]), { cpu: '256', memory: '72Gi' });
});

test('an instance holds only so much of what a pod refers to', () => {
  const doubling = Array.from({ length: 60 }, (_, index) => ({
    name: `V${index}`,
    value: index === 0 ? 'xxxxxxxxxxxxxxxx' : `$(V${index - 1})$(V${index - 1})`,
  }));
  const { spec } = environment({ env: doubling });
  assert.deepEqual(spec.configErrors, { main: 'the environment of the pod is too large' });
  const volumes = Array.from({ length: 40 }, (_, index) => ({ name: `v${index}`, secret: { secretName: 'big' } }));
  const { volumeErrors } = resolvePod(
    pod({ containers: [{ name: 'main' }], volumes }),
    'a',
    lookups({ secrets: { big: { data: { a: base64('x'.repeat(900_000)) } } } }),
  );
  assert.equal(volumeErrors.get('v39'), 'the files in the volumes of the pod are too large');
  assert.equal(volumeErrors.has('v0'), false);
  const open = environment({ env: [{ name: 'A', value: '$('.repeat(700_000) }] });
  assert.equal((open.env['A'] as string).length, 2_100_000);
});
