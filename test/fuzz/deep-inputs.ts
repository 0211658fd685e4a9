import { apiVersionOf } from '../../src/api/object.ts';
import type { ResourceDefinition } from '../../src/api/resource-definition.ts';
import { builtinResources } from '../../src/api/resources/index.ts';
import { exchangeLists } from '../../src/apiserver/testing/exchanges.ts';
import { goldenBases } from '../../src/apiserver/testing/golden.ts';
import { patchBody } from './patches.ts';
import type { Random } from './random.ts';
import { accept, encoded, type Input, listParameters, query, resourceOf, writeParameters } from './request-parts.ts';
import { aggregatedGroup, guardedNamespace, remoteGroup, runningPods } from './surroundings.ts';
import { subresourceTemplates, templates } from './templates.ts';
import { mutate, names, oddStrings, oddValue, words } from './values.ts';

/** What the target puts its own token for. */
export const tokenPlaceholder = '{token}';

const steps = exchangeLists().flatMap(({ exchanges }) => exchanges);
const bases = goldenBases();
const patchTypes: Record<string, string> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

/** Requests whose answers of kube-apiserver are known, a little changed: they come as far as any. */
export function known(random: Random): Input {
  const { do: line, body, as } = random.pick(steps);
  const [method, path] = line.split(' ') as [string, string];
  const value = typeof body === 'object' && random.chance(0.45) ? mutate(random, structuredClone(body)) : body;
  const type = as === undefined ? 'application/json' : (patchTypes[as] ?? as);
  const isSound = method === 'PATCH' || typeof value === 'string';
  const form = isSound
    ? { type, bytes: Buffer.from(typeof value === 'string' ? value : (JSON.stringify(value) ?? '')) }
    : encoded(random, value);
  return {
    method,
    path: random.chance(0.2) ? path.replace('/default/', `/${guardedNamespace}/`) : path,
    headers: body === undefined ? { accept: accept(random) } : { 'content-type': form.type },
    body: body === undefined ? undefined : form.bytes,
  };
}

/** One sound object of each kind with everything in it, made, replaced or patched with one thing wrong. */
export function base(random: Random): Input {
  const { path, object } = random.pick(bases);
  const copy = structuredClone(object);
  const value: any = random.chance(0.55) ? mutate(random, copy) : copy;
  const collection = random.chance(0.3) ? path.replace('/default/', `/${guardedNamespace}/`) : path;
  const method = random.pick(['POST', 'POST', 'PUT', 'PATCH', 'DELETE']);
  const one = `${collection}/${object.metadata.name}${random.chance(0.15) ? '/status' : ''}`;
  const dryRun = random.chance(0.5) ? `${query(random, writeParameters)}` : '';
  if (method === 'PATCH') {
    const given = patchBody(random, value);
    return {
      method,
      path: `${one}?fieldManager=me${random.chance(0.5) ? '&force=true' : ''}`,
      headers: { 'content-type': given.type },
      body: Buffer.from(JSON.stringify(given.value) ?? ''),
    };
  }
  const resource = builtinResources.find(
    (definition) => definition.kind === object.kind && apiVersionOf(definition) === object.apiVersion,
  );
  const body = encoded(random, value, resource);
  return {
    method,
    path: (method === 'POST' ? collection : one) + dryRun,
    headers: method === 'DELETE' ? {} : { 'content-type': body.type },
    body: method === 'DELETE' ? undefined : body.bytes,
  };
}

const rootOf = ({ group, version }: ResourceDefinition) => (group === '' ? '/api/v1' : `/apis/${group}/${version}`);

/** Where policies, webhooks, quotas and limits are; mostly of what passes them, so that they are asked. */
export function guarded(random: Random): Input {
  const resource = resourceOf(random);
  const key = `${resource.resource}${resource.group && `.${resource.group}`}/${resource.version}`;
  const known = resource.namespaced ? key : random.pick(['pods/v1', 'configmaps/v1', 'deployments.apps/v1']);
  const definition = builtinResources.find(
    (one) => `${one.resource}${one.group && `.${one.group}`}/${one.version}` === known,
  )!;
  const object: any = structuredClone(templates[known] ?? {});
  Object.assign(object, { kind: definition.kind, apiVersion: apiVersionOf(definition) });
  object.metadata = { ...object.metadata, name: random.pick(names) };
  if (random.chance(0.3)) object.metadata.labels = { [random.pick(words)]: random.pick(words) };
  const value = random.chance(0.5) ? mutate(random, object) : object;
  const collection = `${rootOf(definition)}/namespaces/${guardedNamespace}/${definition.resource}`;
  const one = `${collection}/${random.pick(names)}`;
  const method = random.weighted([
    [5, 'POST'],
    [3, 'PUT'],
    [3, 'PATCH'],
    [2, 'DELETE'],
  ] as const);
  const parameters = query(random, writeParameters);
  if (method === 'PATCH') {
    const given = patchBody(random, value);
    const force = given.type.includes('apply') ? '?fieldManager=me&force=true' : parameters;
    return {
      method,
      path: one + force,
      headers: { 'content-type': given.type },
      body: Buffer.from(JSON.stringify(given.value) ?? ''),
    };
  }
  const body = encoded(random, value, definition);
  return {
    method,
    path: (method === 'POST' ? collection : one) + parameters,
    headers: method === 'DELETE' ? {} : { 'content-type': body.type },
    body: method === 'DELETE' ? undefined : body.bytes,
  };
}

const bodies: Record<string, (random: Random) => unknown> = {
  eviction: (random) => ({
    ...subresourceTemplates['eviction'],
    metadata: { name: random.pick(runningPods) },
    deleteOptions: random.pick([{ dryRun: ['All'] }, { preconditions: { uid: 'x' } }, { gracePeriodSeconds: -1 }]),
  }),
  'serviceaccounts/worker/token': (random) => ({
    spec: {
      audiences: random.pick([[], ['x'], ['https://kubernetes.default.svc']]),
      expirationSeconds: random.pick([600, 7200, 1, 1e10, -1]),
      boundObjectRef: random.pick([
        { kind: 'Pod', apiVersion: 'v1', name: 'runs-0' },
        { kind: 'Secret', apiVersion: 'v1', name: 'fuzz-0' },
        { kind: 'Node', apiVersion: 'v1', name: 'zone-a' },
        { kind: 'x' },
        undefined,
      ]),
    },
  }),
  resize: (random) => ({
    metadata: { name: 'runs-0' },
    spec: {
      containers: [
        {
          name: 'main',
          resources: {
            requests: { cpu: random.pick(['150m', '100m', '-1', '1e9']) },
            limits: { memory: random.pick(['20Mi', '30Mi', '1']) },
          },
        },
      ],
    },
  }),
  ephemeralcontainers: (random) => ({
    spec: {
      ephemeralContainers: [
        { name: random.pick(['e', 'main', 'f']), image: 'i', targetContainerName: random.pick(['main', 'x']) },
      ],
    },
  }),
  status: (random) => ({
    status: {
      phase: random.pick(['Running', 'Succeeded', 'x', '']),
      podIP: random.pick(['10.128.0.9', 'fd00::1', 'x']),
      conditions: [{ type: random.pick(['Ready', 'PodScheduled', 'a/b', '']), status: random.pick(['True', 'x']) }],
      containerStatuses: [
        {
          name: random.pick(['main', 'x']),
          state: random.pick([{ running: {} }, { terminated: { exitCode: 1 } }, { waiting: {} }, {}]),
          restartCount: random.pick([0, 1, -1]),
        },
      ],
    },
  }),
};

const streams = [
  'exec?command=ls&stdout=true',
  'attach?stdin=true&tty=true',
  'portforward?ports=80',
  'log?tailLines=1',
  'proxy/a/b',
  'log?previous=true&limitBytes=1',
];

/** Subresources of what is there and runs, and the ways to its containers. */
export function running(random: Random): Input {
  const at = `/api/v1/namespaces/${guardedNamespace}`;
  if (random.chance(0.35)) {
    const target = random.pick([
      `${at}/pods/${random.pick(runningPods)}/`,
      `${at}/pods/https:${random.pick(runningPods)}:8443/`,
      `${at}/services/https:hook:443/`,
      `${at}/services/${random.pick(['hook', 'http:hook:', 'x:hook', 'hook:x'])}/`,
      '/api/v1/nodes/zone-a/',
    ]);
    const end = random.chance(0.5)
      ? random.pick(streams)
      : `proxy/${random.pick(['', 'metrics', 'pods', 'stats/summary', 'metrics/resource', '..', '%2e%2e/x', 'healthz', 'a?b=c'])}`;
    return {
      method: random.pick(['GET', 'GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH']),
      path: target + end,
      headers: { accept: random.pick(['*/*', 'text/html', 'application/json']) },
      body: random.chance(0.2) ? Buffer.from(random.pick(oddStrings)) : undefined,
    };
  }
  const name = random.pick(Object.keys(bodies));
  const body = bodies[name]!(random);
  const value = random.chance(0.5) ? mutate(random, body) : body;
  const isToken = name.includes('/');
  const path = isToken ? `${at}/${name}` : `${at}/pods/${random.pick(runningPods)}/${name}`;
  if (isToken || name === 'eviction') {
    const form = encoded(random, value);
    return { method: 'POST', path, headers: { 'content-type': form.type }, body: form.bytes };
  }
  return {
    method: 'PATCH',
    path: `${path}${query(random, writeParameters)}`,
    headers: { 'content-type': random.pick([patchTypes['merge']!, patchTypes['strategic']!]) },
    body: Buffer.from(JSON.stringify(value) ?? ''),
  };
}

/** Kinds that a tenant's own server converts or serves. */
export function remote(random: Random): Input {
  if (random.chance(0.4)) {
    const at = `/apis/${aggregatedGroup}/v1`;
    return {
      method: random.pick(['GET', 'GET', 'GET', 'POST', 'DELETE', 'PATCH', 'OPTIONS']),
      path: random.pick([
        at,
        `${at}/namespaces/default/metrics`,
        `${at}/namespaces/default/metrics/x?limit=1`,
        `${at}/metrics?watch=1`,
        `/apis/${aggregatedGroup}`,
        '/apis',
        `/openapi/v3${at}`,
        '/openapi/v3',
        '/openapi/v2',
      ]),
      headers: {
        accept: random.chance(0.3)
          ? 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json'
          : accept(random),
      },
      body: random.chance(0.2) ? Buffer.from(JSON.stringify(oddValue(random)) ?? '') : undefined,
    };
  }
  const version = random.pick(['v1', 'v2']);
  const collection = `/apis/${remoteGroup}/${version}/namespaces/default/things`;
  const name = random.pick(names);
  const method = random.weighted([
    [4, 'POST'],
    [3, 'PUT'],
    [4, 'PATCH'],
    [5, 'GET'],
    [1, 'DELETE'],
  ] as const);
  const object: any = {
    kind: 'Thing',
    apiVersion: `${remoteGroup}/${version}`,
    metadata: { name, labels: { a: random.pick(words) } },
    spec: random.chance(0.5) ? { a: random.pick(words) } : oddValue(random),
  };
  const value = random.chance(0.3) ? mutate(random, object) : object;
  const end = random.chance(0.2) ? '/status' : '';
  if (method === 'GET') {
    const path = random.chance(0.5) ? `${collection}${query(random, listParameters)}` : `${collection}/${name}${end}`;
    const watch = !path.includes('?') && !path.includes(name) && random.chance(0.5) ? '?watch=1&resourceVersion=0' : '';
    return { method, path: path + watch, headers: { accept: accept(random) }, body: undefined };
  }
  if (method === 'PATCH') {
    const given = patchBody(random, value);
    return {
      method,
      path: `${collection}/${name}${end}?fieldManager=${random.pick(['me', 'you'])}${random.chance(0.5) ? '&force=true' : ''}`,
      headers: { 'content-type': given.type },
      body: Buffer.from(JSON.stringify(given.value) ?? ''),
    };
  }
  const form = encoded(random, value);
  return {
    method,
    path: method === 'POST' ? collection : `${collection}/${name}${end}${query(random, writeParameters)}`,
    headers: method === 'DELETE' ? {} : { 'content-type': form.type },
    body: method === 'DELETE' ? undefined : form.bytes,
  };
}

/** What a node does, as itself. */
export function nodeWrite(random: Random): Input {
  const name = random.pick(['zone-a', 'zone-a', 'zone-b']);
  const at = `/api/v1/namespaces/${guardedNamespace}`;
  const label = random.pick(['kubernetes.io/hostname', 'node-restriction.kubernetes.io/a', 'a']);
  const metadata = { name, labels: { [label]: 'x' } };
  const binding = { kind: 'Pod', apiVersion: 'v1', name: 'runs-0', uid: 'x' };
  const [method, path, body] = random.pick<[string, string, unknown]>([
    ['PATCH', `/api/v1/nodes/${name}/status`, { status: { conditions: [{ type: 'Ready', status: 'True' }] } }],
    ['PATCH', `/api/v1/nodes/${name}`, { metadata, spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }],
    ['POST', '/api/v1/nodes', { metadata }],
    ['GET', `${at}/pods/runs-0`, undefined],
    ['GET', `${at}/configmaps/params`, undefined],
    ['GET', `${at}/secrets?fieldSelector=metadata.name%3Da`, undefined],
    ['GET', `/api/v1/pods?fieldSelector=spec.nodeName%3D${name}`, undefined],
    [
      'POST',
      `${at}/pods`,
      { ...templates['pods/v1'], metadata: { name: 'mirror', annotations: { 'kubernetes.io/config.mirror': 'x' } } },
    ],
    ['PATCH', `${at}/pods/runs-0/status`, bodies['status']!(random)],
    ['POST', `${at}/pods/runs-0/eviction`, bodies['eviction']!(random)],
    ['POST', `${at}/serviceaccounts/worker/token`, { spec: { audiences: [], boundObjectRef: binding } }],
    ['POST', '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases', { metadata: { name } }],
    ['POST', '/apis/storage.k8s.io/v1/csinodes', { metadata: { name }, spec: { drivers: [] } }],
    [
      'POST',
      '/apis/certificates.k8s.io/v1/certificatesigningrequests',
      templates['certificatesigningrequests.certificates.k8s.io/v1'],
    ],
    [
      'POST',
      '/apis/resource.k8s.io/v1/resourceslices',
      { metadata: { name: 's' }, spec: { driver: 'a', nodeName: name } },
    ],
  ]);
  const value = body !== undefined && random.chance(0.4) ? mutate(random, structuredClone(body)) : body;
  return {
    method,
    path,
    headers: {
      'content-type': method === 'PATCH' ? patchTypes['strategic']! : 'application/json',
      'impersonate-user': 'system:node:zone-a',
      'impersonate-group': 'system:nodes',
    },
    body: value === undefined ? undefined : Buffer.from(JSON.stringify(value) ?? ''),
  };
}

/** Another input as somebody who may do little, or as a node, or by a token. */
export function asAnother(random: Random, input: Input): Input {
  const { headers } = input;
  random.weighted<() => void>([
    [3, () => (headers['impersonate-user'] = 'bob')],
    [
      3,
      () => {
        headers['impersonate-user'] = random.pick(['system:node:zone-a', 'system:node:zone-a', 'system:node:']);
        headers['impersonate-group'] = 'system:nodes';
      },
    ],
    [1, () => (headers['impersonate-user'] = `system:serviceaccount:${guardedNamespace}:worker`)],
    [
      2,
      () => {
        headers['impersonate-user'] = 'bob';
        headers['impersonate-uid'] = random.pick(words);
        headers['impersonate-extra-scopes'] = random.pick(['a', 'b%', '']);
      },
    ],
    [3, () => (headers['authorization'] = `Bearer ${tokenPlaceholder}`)],
    [1, () => (headers['authorization'] = `Bearer ${tokenPlaceholder.repeat(2)}`)],
    [
      1,
      () =>
        (headers['authorization'] =
          `Bearer ${random.pick(['a.b.c', 'eyJhbGciOiJub25lIn0.e30.', 'abcdef.0123456789abcdef'])}`),
    ],
  ])();
  return input;
}
