import { apiVersionOf } from '../../src/api/object.ts';
import { builtinResources } from '../../src/api/resources/index.ts';
import { envelope } from '../../src/apiserver/protobuf/encode-protobuf.ts';
import { customGroup, customKinds, definition, expression } from './custom-resources.ts';
import type { Random } from './random.ts';
import {
  accept,
  encoded,
  type Input,
  objectFor,
  place,
  query,
  resourceOf,
  watchParameters,
  writeParameters,
} from './request-parts.ts';
import { mutate, names, oddStrings, oddValue, words } from './values.ts';

const byKey = (resource: string, group: string) =>
  builtinResources.find((one) => one.resource === resource && one.group === group)!;

const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

/** An element of FieldsV1, sound or nearly. */
function element(random: Random): string {
  return random.weighted<() => string>([
    [6, () => `f:${random.pick(['metadata', 'spec', 'data', 'labels', 'containers', 'ports', 'a', 'status'])}`],
    [
      3,
      () => `k:${JSON.stringify({ [random.pick(['name', 'containerPort', 'type'])]: random.pick(['main', 80, 'A']) })}`,
    ],
    [1, () => `k:${random.pick(['{', '[]', 'null', '{}', '{"a":{}}', '{"name":[1]}', '1'])}`],
    [1, () => `v:${random.pick(['"a"', '1', 'null', '{"a":1}', '[1]', '', 'x', '1e999'])}`],
    [1, () => `i:${random.pick(['0', '-1', '99999999999999999999', 'x', ''])}`],
    [1, () => '.'],
    [1, () => random.pick(oddStrings)],
    [0.5, () => `${random.pick(['f', 'k', 'v', 'i', 'x', 'ff'])}${random.pick([':', ''])}${random.pick(oddStrings)}`],
  ])();
}

function fields(random: Random, depth = 0): unknown {
  if (random.chance(0.04)) return oddValue(random, 2);
  const set: Record<string, unknown> = {};
  for (let count = random.below(depth === 0 ? 5 : 4); count > 0; count--) {
    const value = depth > 4 ? {} : fields(random, depth + 1);
    Object.defineProperty(set, element(random), { value, enumerable: true, writable: true, configurable: true });
  }
  return set;
}

const managerOf = (random: Random): unknown => {
  const entry: Record<string, unknown> = {
    manager: random.pick(['me', 'kubectl', 'kubectl-client-side-apply', '', 'before-first-apply', 'ancient-changes']),
    operation: random.pick(['Apply', 'Apply', 'Update', 'x', '']),
    apiVersion: random.pick(['v1', 'apps/v1', 'autoscaling/v1', 'autoscaling/v2', 'gone/v1', '', 'a/b/c']),
    time: random.pick(['2030-01-01T00:00:00Z', null, 'x', '0001-01-01T00:00:00Z']),
    fieldsType: random.pick(['FieldsV1', 'FieldsV1', 'FieldsV1', 'FieldsV2', '']),
    fieldsV1: fields(random),
  };
  if (random.chance(0.2)) entry['subresource'] = random.pick(['status', 'scale', 'x', '']);
  for (const key of Object.keys(entry)) if (random.chance(0.05)) delete entry[key];
  return random.chance(0.97) ? entry : oddValue(random);
};

/** Objects that bring along who owns what of them. */
export function managedWrite(random: Random): Input {
  const resource = resourceOf(random);
  const object = objectFor(random, resource);
  if (typeof object?.metadata === 'object' && object.metadata !== null) {
    object.metadata.managedFields = random.chance(0.95)
      ? times(random.below(random.chance(0.1) ? 15 : 4), () => managerOf(random))
      : oddValue(random);
  }
  const method = random.pick(['POST', 'PUT', 'PUT', 'PATCH', 'PATCH']);
  const body = encoded(random, object, method === 'PATCH' ? undefined : resource);
  const type =
    method === 'PATCH'
      ? random.pick([
          'application/apply-patch+yaml',
          'application/merge-patch+json',
          'application/strategic-merge-patch+json',
        ])
      : body.type;
  return {
    method,
    path:
      place(random, resource, method === 'POST' ? undefined : random.pick(names), random.chance(0.1) ? 'status' : '') +
      query(random, [...writeParameters, 'force', 'fieldManager', 'fieldManager', 'fieldManager']),
    headers: { 'content-type': type },
    body: body.bytes,
  };
}

/** Watches by all their parameters, in both spellings of the path. */
export function watch(random: Random): Input {
  const resource = resourceOf(random);
  const old = random.chance(0.15);
  let path = place(random, resource, old && random.chance(0.3) ? random.pick(names) : undefined);
  if (old) path = path.replace(/^(\/api\/v1|\/apis\/[^/]+\/[^/]+)\//, '$1/watch/');
  const parameters = query(random, [...watchParameters, ...watchParameters, ...watchParameters]);
  const asked = old && random.chance(0.5) ? '' : random.pick(['watch=true', 'watch=1', 'watch=', 'watch=x', 'watch']);
  const joined = [parameters.slice(1), asked].filter((part) => part !== '').join('&');
  return {
    method: 'GET',
    path: `${path}${joined && '?'}${joined}`,
    headers: { accept: accept(random) },
    body: undefined,
  };
}

function matchConditions(random: Random): unknown[] {
  return times(random.below(4), () => ({
    name: random.pick(['a', 'b', 'a/b', '', random.pick(oddStrings)]),
    expression: expression(random, random.pick(['object', 'oldObject', 'request', 'params'])),
  }));
}

const rulesOf = (random: Random) =>
  times(1 + random.below(2), () => ({
    apiGroups: random.pick([[''], ['*'], ['apps', '*'], ['x.example'], []]),
    apiVersions: random.pick([['v1'], ['*'], [], ['']]),
    operations: random.pick([['CREATE'], ['*'], ['CREATE', '*'], ['CONNECT'], ['x'], []]),
    resources: random.pick([['pods'], ['*'], ['*/*'], ['pods/*', '*/status'], ['pods/status', '*/*'], ['a/b/c'], []]),
    ...(random.chance(0.3) && { scope: random.pick(['*', 'Namespaced', 'Cluster', 'x', '']) }),
  }));

const clientConfig = (random: Random) =>
  random.weighted<unknown>([
    [
      3,
      { service: { namespace: 'default', name: 'hook', path: random.pick(['/a', 'a', '//', '/a b', '']), port: 443 } },
    ],
    [3, { url: random.pick(['https://a.example/x', 'http://a', 'https://', 'https://u:p@a/', 'https://a/?q#f', 'x']) }],
    [1, { url: 'https://a.example', service: { namespace: 'default', name: 'hook' } }],
    [1, { url: 'https://a.example', caBundle: random.pick(['', 'YQ==', 'x', '-----']) }],
    [1, {}],
  ]);

/** Webhook configurations: sent, and never kept, for they would be asked of everything that follows. */
export function webhooks(random: Random): Input {
  const kind = random.pick(['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration']);
  const resource = byKey(`${kind.toLowerCase()}s`, 'admissionregistration.k8s.io');
  const object = {
    kind,
    apiVersion: apiVersionOf(resource),
    metadata: { name: random.pick(names) },
    webhooks: times(random.below(3), () => ({
      name: random.pick(['a.b.c', 'a.b.c', 'x.y.z', 'a', random.pick(oddStrings)]),
      clientConfig: clientConfig(random),
      rules: rulesOf(random),
      sideEffects: random.pick(['None', 'NoneOnDryRun', 'Some', 'Unknown', 'x']),
      admissionReviewVersions: random.pick([['v1'], ['v1beta1'], ['v2', 'v1'], [], ['v1', 'v1']]),
      timeoutSeconds: random.pick([10, 1, 30, 0, 31, -1]),
      failurePolicy: random.pick(['Fail', 'Ignore', 'x']),
      ...(random.chance(0.3) && { reinvocationPolicy: random.pick(['Never', 'IfNeeded', 'x']) }),
      ...(random.chance(0.4) && { matchConditions: matchConditions(random) }),
      ...(random.chance(0.3) && {
        namespaceSelector: { matchExpressions: [{ key: 'a', operator: random.pick(words), values: ['b'] }] },
      }),
    })),
  };
  return dryWrite(random, resource, object);
}

/** Policies with all their parts, and bindings: tried only. */
export function boundPolicy(random: Random): Input {
  const isMutating = random.chance(0.4);
  const prefix = isMutating ? 'mutating' : 'validating';
  const isBinding = random.chance(0.3);
  const resource = byKey(`${prefix}admissionpolic${isBinding ? 'ybindings' : 'ies'}`, 'admissionregistration.k8s.io');
  const text = () => expression(random, random.pick(['object', 'oldObject', 'request', 'variables', 'params']));
  const constraints = { resourceRules: rulesOf(random), matchPolicy: random.pick(['Exact', 'Equivalent', 'x']) };
  const policy = {
    failurePolicy: random.pick(['Fail', 'Ignore', 'x']),
    matchConstraints: constraints,
    ...(random.chance(0.3) && { paramKind: random.pick([{ apiVersion: 'v1', kind: 'ConfigMap' }, {}, { kind: 'x' }]) }),
    ...(random.chance(0.4) && { matchConditions: matchConditions(random) }),
    ...(random.chance(0.5) && {
      variables: times(random.below(4), () => ({ name: random.pick(['a', 'b', 'a', 'a-b']), expression: text() })),
    }),
    ...(isMutating
      ? {
          reinvocationPolicy: random.pick(['Never', 'IfNeeded', 'x']),
          mutations: times(random.below(3), () =>
            random.chance(0.5)
              ? {
                  patchType: 'JSONPatch',
                  jsonPatch: {
                    expression: `[JSONPatch{op: "${random.pick(['add', 'test', 'x'])}", path: "/a", value: ${text()}}]`,
                  },
                }
              : {
                  patchType: 'ApplyConfiguration',
                  applyConfiguration: { expression: `Object{spec: Object.spec{a: ${text()}}}` },
                },
          ),
        }
      : {
          validations: times(random.below(3), () => ({
            expression: text(),
            ...(random.chance(0.3) && { messageExpression: text() }),
            ...(random.chance(0.2) && { reason: random.pick(['Forbidden', 'Invalid', 'x']) }),
          })),
          auditAnnotations: times(random.below(2), () => ({ key: random.pick(['a', 'a b']), valueExpression: text() })),
        }),
  };
  const binding = {
    policyName: random.pick([...names, '', 'a/b']),
    validationActions: random.pick([['Deny'], ['Audit', 'Warn'], ['Deny', 'Warn'], ['x'], [], ['Deny', 'Deny']]),
    ...(random.chance(0.5) && {
      paramRef: random.pick([
        { name: 'a', parameterNotFoundAction: 'Deny' },
        { selector: {} },
        {},
        { name: 'a', selector: {} },
      ]),
    }),
    ...(random.chance(0.4) && { matchResources: constraints }),
  };
  const object = {
    kind: resource.kind,
    apiVersion: apiVersionOf(resource),
    metadata: { name: random.pick(names) },
    spec: isBinding ? binding : policy,
  };
  return dryWrite(random, resource, object);
}

function dryWrite(random: Random, resource: ReturnType<typeof byKey>, object: { metadata: { name: string } }): Input {
  const { name } = object.metadata;
  const value = random.chance(0.25) ? mutate(random, object) : object;
  const body = encoded(random, value, resource);
  const method = random.pick(['POST', 'POST', 'PUT', 'PATCH']);
  return {
    method,
    path: `${place(random, resource, method === 'POST' ? undefined : name)}?dryRun=All&fieldManager=me`,
    headers: { 'content-type': method === 'PATCH' ? 'application/apply-patch+yaml' : body.type },
    body: body.bytes,
  };
}

const varint = (value: bigint): number[] => {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 0x80n) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 0x7fn) | 0x80);
  }
};

/** A message in protobuf's wire form: tags that fit no schema, lengths that lie, groups, numbers of ten bytes and more. */
function message(random: Random, depth = 0): Buffer {
  const parts: Buffer[] = [];
  for (let count = random.below(6); count > 0; count--) {
    const number = random.weighted<() => bigint>([
      [8, () => BigInt(1 + random.below(12))],
      [1, () => BigInt(random.below(3000))],
      [0.5, () => random.pick([0n, 536870911n, 536870912n, 2n ** 61n])],
    ])();
    const type = random.weighted([
      [6, 2],
      [3, 0],
      [1, 1],
      [1, 5],
      [0.3, 3],
      [0.3, 4],
      [0.2, 6],
      [0.2, 7],
    ] as const);
    parts.push(Buffer.from(varint((number << 3n) | BigInt(type))));
    if (type === 0) {
      parts.push(Buffer.from(varint(random.pick([0n, 1n, 127n, 2n ** 31n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 80n]))));
    } else if (type === 1) parts.push(Buffer.alloc(8, random.below(256)));
    else if (type === 5) parts.push(Buffer.alloc(4, random.below(256)));
    else if (type === 2) {
      const inner =
        depth > 5 || random.chance(0.4)
          ? Buffer.from(random.pick(random.chance(0.8) ? words : oddStrings))
          : message(random, depth + 1);
      const length = random.chance(0.96)
        ? inner.length
        : random.pick([0, 1, 2 ** 31, 2 ** 32, 2 ** 53, inner.length + 1]);
      parts.push(Buffer.from(varint(BigInt(length))), inner);
    }
  }
  return Buffer.concat(parts);
}

export function protobufBody(random: Random): Input {
  const resource = resourceOf(random);
  const method = random.pick(['POST', 'POST', 'PUT', 'DELETE']);
  const raw = message(random);
  const body = random.weighted<() => Buffer>([
    [6, () => envelope(resource.kind, apiVersionOf(resource), raw)],
    [1, () => envelope(random.pick(words), random.pick(words), raw)],
    [1, () => Buffer.concat([Buffer.from('k8s\0'), raw])],
    [1, () => raw],
    [0.5, () => Buffer.from('k8s\0').subarray(0, random.below(5))],
  ])();
  return {
    method,
    path: place(random, resource, method === 'POST' ? undefined : random.pick(names)) + query(random, writeParameters),
    headers: { 'content-type': 'application/vnd.kubernetes.protobuf' },
    body,
  };
}

function jsonPath(random: Random): string {
  const step = () =>
    random.weighted<() => string>([
      [5, () => `.${random.pick(['spec', 'status', 'metadata', 'a', 'b', 'items', 'nested', 'name'])}`],
      [2, () => random.pick(['[*]', '[0]', '[-1:]', '[0:2]', '[::2]', '.*'])],
      [
        2,
        () =>
          `[?(@.${random.pick(['a', 'name'])}${random.pick(['==', '!=', '>', '<='])}${random.pick(['"x"', '1', '@.b', 'true', 'x'])})]`,
      ],
      [1, () => '..'],
      [1, () => `['${random.pick(oddStrings)}']`],
      [0.5, () => random.pick(['[', ']', '{', '}', '\\', '[?(', '$', '@', '[,]', '[a,b]'])],
    ])();
  return random.pick(['', '', '', '$', '@', '{']) + times(1 + random.below(6), step).join('');
}

/** Definitions whose columns, selectable fields and scale say where to look; patterns as tenants write them. */
export function pathDefinition(random: Random): Input {
  const object: any = definition(random);
  for (const version of Array.isArray(object?.spec?.versions) ? object.spec.versions : []) {
    if (typeof version !== 'object' || version === null) continue;
    if (random.chance(0.8)) {
      version.additionalPrinterColumns = times(random.below(5), () => ({
        name: random.pick(['a', 'b', '']),
        type: random.pick(['string', 'integer', 'date', 'boolean', 'number', 'x']),
        jsonPath: jsonPath(random),
      }));
    }
    if (random.chance(0.3)) {
      version.selectableFields = times(random.below(10), () => ({ jsonPath: jsonPath(random) }));
    }
    if (random.chance(0.3)) {
      version.subresources = {
        scale: {
          specReplicasPath: jsonPath(random),
          statusReplicasPath: jsonPath(random),
          labelSelectorPath: jsonPath(random),
        },
      };
    }
  }
  const body = encoded(random, object);
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const replace = random.chance(0.3);
  return {
    method: replace ? 'PUT' : 'POST',
    path: replace ? `${path}/${random.pick(customKinds)}.${customGroup}` : path,
    headers: { 'content-type': body.type },
    body: body.bytes,
  };
}
