import { stringify as stringifyYaml } from 'yaml';
import { apiVersionOf } from '../../src/api/object.ts';
import type { ResourceDefinition } from '../../src/api/resource-definition.ts';
import { builtinResources } from '../../src/api/resources/index.ts';
import { encodeResource, envelope, hasProtobuf } from '../../src/apiserver/protobuf/encode-protobuf.ts';
import { customGroup, customKinds, customObject, definition, expression } from './custom-resources.ts';
import { Random } from './random.ts';
import { deleteOptions, subresourceTemplates, templates } from './templates.ts';
import { mutate, mutateBytes, names, objectOf, oddNumbers, oddStrings, oddValue, words } from './values.ts';

export interface Input {
  method: string;
  /** With the query. */
  path: string;
  headers: Record<string, string>;
  body: Buffer | undefined;
}

const namespaces = ['default', 'default', 'default', 'fuzz-ns', 'kube-system'] as const;

export function inputOf(seed: number, number: number): Input {
  const random = new Random(seed, number);
  let input: Input;
  try {
    input = make(random);
  } catch (error) {
    // Values nested so deeply that this process cannot copy them: written out by hand.
    if (!(error instanceof RangeError)) throw error;
    input = deep(random);
  }
  return odder(random, input);
}

function make(random: Random): Input {
  return random.weighted<() => Input>([
    [30, () => write(random)],
    [14, () => patch(random)],
    [14, () => read(random)],
    [4, () => remove(random)],
    [8, () => customDefinition(random)],
    [16, () => customResource(random)],
    [4, () => subresource(random)],
    [4, () => nowhere(random)],
    [0.5, () => deep(random)],
    [4, () => celPolicy(random)],
  ])();
}

function deep(random: Random): Input {
  const depth = random.pick([100, 1000, 10_000, 100_000]);
  const form = random.pick(['{"a":', '[', '{"spec":', '- ', '{a: ', '[[']);
  const closing = form.startsWith('{') ? '}' : form === '[' ? ']' : form === '[[' ? ']]' : '';
  const kind = '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"fuzz-0"},"data":';
  const resource = resourceOf(random);
  return {
    method: random.pick(['POST', 'PUT', 'PATCH', 'DELETE']),
    path: place(random, resource, random.chance(0.5) ? random.pick(names) : undefined),
    headers: {
      'content-type': random.pick([
        'application/json',
        'application/yaml',
        'application/merge-patch+json',
        'application/strategic-merge-patch+json',
        'application/json-patch+json',
        'application/apply-patch+yaml',
      ]),
    },
    body: Buffer.from(`${kind}${form.repeat(depth)}1${closing.repeat(random.chance(0.8) ? depth : 1)}}`),
  };
}

function place(random: Random, resource: ResourceDefinition, name: string | undefined, sub = ''): string {
  const root = resource.group === '' ? '/api/v1' : `/apis/${resource.group}/${resource.version}`;
  const namespace = resource.namespaced && !random.chance(0.02) ? `/namespaces/${random.pick(namespaces)}` : '';
  const tail = name === undefined ? '' : `/${encodeURIComponent(name)}`;
  return `${root}${namespace}/${resource.resource}${tail}${sub === '' ? '' : `/${sub}`}`;
}

const resourceOf = (random: Random): ResourceDefinition => {
  const resource = random.pick(builtinResources);
  // The kinds that people use come more often.
  return random.chance(0.4)
    ? (builtinResources.find(
        (one) => `${one.resource}${one.group && `.${one.group}`}/${one.version}` === random.pick(popular),
      ) ?? resource)
    : resource;
};
const popular = Object.keys(templates);

function objectFor(random: Random, resource: ResourceDefinition): any {
  const template = templates[`${resource.resource}${resource.group && `.${resource.group}`}/${resource.version}`];
  const object: any =
    template !== undefined && random.chance(0.75) ? structuredClone(template) : objectOf(random, resource.schema);
  object.kind = resource.kind;
  object.apiVersion = apiVersionOf(resource);
  object.metadata = {
    ...(typeof object.metadata === 'object' && random.chance(0.7) ? object.metadata : {}),
    name: random.chance(0.95) ? random.pick(names) : random.pick(oddStrings),
  };
  if (random.chance(0.8)) {
    for (const field of [
      'resourceVersion',
      'uid',
      'ownerReferences',
      'deletionTimestamp',
      'namespace',
      'managedFields',
    ]) {
      delete object.metadata[field];
    }
  }
  return random.chance(0.75) ? mutate(random, object) : object;
}

/** The body in one of the forms a client may choose, sometimes damaged. */
function encoded(random: Random, value: unknown, resource?: ResourceDefinition): { type: string; bytes: Buffer } {
  const form = random.weighted([
    [7, 'json'],
    [2, 'yaml'],
    [resource !== undefined && hasProtobuf(resource) ? 3 : 0, 'protobuf'],
  ] as const);
  let type = 'application/json';
  let bytes: Buffer = Buffer.from(JSON.stringify(value) ?? '');
  if (form === 'yaml') {
    type = 'application/yaml';
    try {
      bytes = Buffer.from(stringifyYaml(value));
    } catch {}
  } else if (form === 'protobuf') {
    type = 'application/vnd.kubernetes.protobuf';
    try {
      bytes = envelope(resource!.kind, apiVersionOf(resource!), encodeResource(resource!, value as object));
    } catch {}
  }
  return { type, bytes: random.chance(0.12) ? mutateBytes(random, bytes) : bytes };
}

function query(random: Random, parameters: readonly string[]): string {
  const parts: string[] = [];
  for (const name of parameters) {
    if (!random.chance(0.15)) continue;
    const known = values[name];
    const value = known !== undefined && random.chance(0.8) ? random.pick(known) : textOf(oddValue(random, 9));
    parts.push(
      `${name}=${random.chance(0.95) ? encodeURIComponent(wellFormed(value)) : wellFormed(value).replace(/[^\x21-\x7e]|#/g, '')}`,
    );
  }
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

/** What may not have a `toString` that works. */
const textOf = (value: unknown) => (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).toWellFormed();
const wellFormed = (text: string) => text.toWellFormed();

const values: Record<string, readonly string[]> = {
  dryRun: ['All', 'None', ''],
  fieldManager: ['me', 'x'.repeat(129), ''],
  fieldValidation: ['Strict', 'Warn', 'Ignore', 'x'],
  pretty: ['true', 'false', ''],
  force: ['true', 'false', 'x'],
  labelSelector: [
    'a=b',
    'a!=b',
    'a in (b,c)',
    '!a',
    'a,b',
    'a in (',
    'a notin ()',
    'app==web,tier',
    'a>1',
    '=',
    ',',
    'a=',
  ],
  fieldSelector: [
    'metadata.name=fuzz-0',
    'metadata.namespace!=x',
    'spec.nodeName=',
    'status.phase=Running',
    'a=b',
    '=',
    'metadata.name',
    'metadata.name=a\\,b',
    ',',
  ],
  limit: ['0', '1', '2', '500', '-1', 'x', '99999999999999999999'],
  continue: [
    'x',
    'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJmdXp6L2RlZmF1bHQvIn0',
    'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiIn0',
  ],
  resourceVersion: ['0', '1', '5', '100', '99999999', '-1', 'x', ''],
  resourceVersionMatch: ['Exact', 'NotOlderThan', 'x'],
  allowWatchBookmarks: ['true', '1'],
  sendInitialEvents: ['true', 'false'],
  timeoutSeconds: ['1', '0', '-1', 'x', '99999999999'],
  propagationPolicy: ['Orphan', 'Foreground', 'Background', 'x'],
  gracePeriodSeconds: ['0', '1', '-1', 'x'],
  includeObject: ['None', 'Metadata', 'Object', 'x'],
};
const writeParameters = ['dryRun', 'fieldManager', 'fieldValidation', 'pretty'];
const listParameters = [
  'labelSelector',
  'fieldSelector',
  'limit',
  'continue',
  'resourceVersion',
  'resourceVersionMatch',
  'pretty',
  'includeObject',
];
const watchParameters = [...listParameters, 'allowWatchBookmarks', 'sendInitialEvents', 'timeoutSeconds'];

function write(random: Random): Input {
  const resource = resourceOf(random);
  const object = objectFor(random, resource);
  const { type, bytes } = encoded(random, object, resource);
  const replace = random.chance(0.3);
  const name = random.chance(0.9) ? object?.metadata?.name : random.pick(names);
  return {
    method: replace ? 'PUT' : 'POST',
    path:
      place(random, resource, replace ? textOf(name) : undefined, replace && random.chance(0.2) ? 'status' : '') +
      query(random, writeParameters),
    headers: { 'content-type': type },
    body: bytes,
  };
}

const pointers = [
  '/metadata/labels',
  '/metadata/labels/a',
  '/spec',
  '/spec/replicas',
  '/spec/template/spec/containers/0/image',
  '/spec/containers/-',
  '/data/a',
  '/status',
  '/metadata/name',
  '/metadata/finalizers',
  '/metadata/ownerReferences',
  '/kind',
  '',
  '/',
  '/a~1b',
  '/~2',
  '/spec/ports/0',
  '/metadata/managedFields',
  '/__proto__/x',
  '/constructor/prototype/x',
];

function patchBody(random: Random, object: any): { type: string; value: unknown } {
  return random.weighted<() => { type: string; value: unknown }>([
    [
      3,
      () => ({
        type: 'application/json-patch+json',
        value: Array.from({ length: 1 + random.below(4) }, () => {
          const operation: any = {
            op: random.pick(['add', 'remove', 'replace', 'test', 'move', 'copy', 'x']),
            path: random.chance(0.9) ? random.pick(pointers) : random.pick(oddStrings),
          };
          if (random.chance(0.8)) operation.value = random.chance(0.6) ? random.pick(words) : oddValue(random);
          if (random.chance(0.3)) operation.from = random.pick(pointers);
          return random.chance(0.95) ? operation : oddValue(random);
        }),
      }),
    ],
    [3, () => ({ type: 'application/merge-patch+json', value: nulled(random, object) })],
    [
      3,
      () => ({
        type: 'application/strategic-merge-patch+json',
        value: directed(random, nulled(random, object)),
      }),
    ],
    [4, () => ({ type: 'application/apply-patch+yaml', value: object })],
    [0.3, () => ({ type: 'application/apply-patch+cbor', value: object })],
    [0.2, () => ({ type: random.pick(oddStrings).replace(/[^\x20-\x7e]/g, ''), value: object })],
  ])();
}

function nulled(random: Random, object: any): any {
  if (typeof object !== 'object' || object === null) return object;
  for (const key of Object.keys(object)) {
    if (random.chance(0.1)) object[key] = null;
    else if (random.below(10) === 0 && key !== 'kind' && key !== 'apiVersion') delete object[key];
    else nulled(random, object[key]);
  }
  return object;
}

/** Directives of strategic merge patches, where they belong and where not. */
function directed(random: Random, value: any): any {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    for (const item of value) directed(random, item);
    if (random.chance(0.2)) value.push({ $patch: random.pick(['delete', 'replace', 'merge', 'x']), name: 'main' });
    return value;
  }
  for (const key of Object.keys(value)) directed(random, value[key]);
  if (random.chance(0.08)) value.$patch = random.pick(['replace', 'delete', 'merge', 'x', 1]);
  if (random.chance(0.05)) value.$retainKeys = random.pick([['a'], ['emptyDir'], 'x', null]);
  const list = Object.keys(value).find((key) => Array.isArray(value[key]));
  if (list !== undefined && random.chance(0.15))
    value[`$setElementOrder/${list}`] = random.pick([[{ name: 'main' }], ['a'], [], 'x', [1, null]]);
  if (random.chance(0.05))
    value[`$deleteFromPrimitiveList/${random.pick(['finalizers', 'args', 'x'])}`] = random.pick([['a'], [1], 'x']);
  return value;
}

function patch(random: Random): Input {
  const resource = resourceOf(random);
  const { type, value } = patchBody(random, objectFor(random, resource));
  const bytes = type.includes('yaml') && random.chance(0.5) ? yamlOf(value) : Buffer.from(JSON.stringify(value) ?? '');
  return {
    method: 'PATCH',
    path:
      place(random, resource, random.pick(names), random.chance(0.15) ? 'status' : '') +
      query(random, [
        ...writeParameters,
        'force',
        ...(type.includes('apply') ? ['fieldManager', 'fieldManager', 'fieldManager'] : []),
      ]),
    headers: { 'content-type': type },
    body: random.chance(0.1) ? mutateBytes(random, bytes) : bytes,
  };
}

function yamlOf(value: unknown): Buffer {
  try {
    return Buffer.from(stringifyYaml(value));
  } catch {
    return Buffer.from(JSON.stringify(value) ?? '');
  }
}

function read(random: Random): Input {
  const resource = resourceOf(random);
  const one = random.chance(0.3);
  const watch = !one && random.chance(0.25);
  const parameters = query(random, watch ? watchParameters : listParameters);
  const path = place(random, resource, one ? random.pick(names) : undefined) + parameters;
  return {
    method: random.chance(0.97) ? 'GET' : 'HEAD',
    path: watch ? `${path}${parameters === '' ? '?' : '&'}watch=true` : path,
    headers: { accept: accept(random) },
    body: undefined,
  };
}

function accept(random: Random): string {
  return random.weighted<() => string>([
    [4, () => 'application/json'],
    [2, () => 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'],
    [1, () => 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io'],
    [1, () => 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io'],
    [1, () => 'application/vnd.kubernetes.protobuf'],
    [1, () => 'application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io'],
    [1, () => 'application/vnd.kubernetes.protobuf;stream=watch,application/json'],
    [1, () => 'application/yaml'],
    [
      0.5,
      () =>
        random.pick([
          '*/*',
          'text/html',
          ',,,',
          ';;;=',
          'application/json;as=',
          'application/json;as=Table',
          'a/b;q=x',
        ]),
    ],
  ])();
}

function remove(random: Random): Input {
  const resource = resourceOf(random);
  const options = random.chance(0.5) ? mutate(random, structuredClone(deleteOptions)) : deleteOptions;
  const body = random.chance(0.5) ? encoded(random, options) : undefined;
  return {
    method: 'DELETE',
    path:
      place(random, resource, random.chance(0.8) ? random.pick(names) : undefined) +
      query(random, [
        'dryRun',
        'propagationPolicy',
        'gracePeriodSeconds',
        'labelSelector',
        'fieldSelector',
        'orphanDependents',
      ]),
    headers: body === undefined ? {} : { 'content-type': body.type },
    body: body?.bytes,
  };
}

function subresource(random: Random): Input {
  const candidates = builtinResources.filter((resource) => resource.subresources.length > 0);
  const resource = random.pick(candidates);
  const { name } = random.pick(resource.subresources);
  const method = random.pick(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);
  const template = structuredClone(subresourceTemplates[name] ?? objectFor(random, resource));
  if (typeof template === 'object' && template !== null && random.chance(0.8)) {
    template.metadata = { name: random.pick(names) };
  }
  const value = random.chance(0.5) ? mutate(random, template) : template;
  const given = method === 'PATCH' ? patchBody(random, value) : undefined;
  const body =
    given === undefined
      ? encoded(random, value)
      : { type: given.type, bytes: Buffer.from(JSON.stringify(given.value) ?? '') };
  const rest = random.chance(0.2) ? `/${encodeURIComponent(random.pick(oddStrings).toWellFormed())}` : '';
  return {
    method,
    path: `${place(random, resource, random.pick(names), name)}${rest}${query(random, [...writeParameters, 'container', 'follow', 'tailLines', 'sinceSeconds', 'command', 'path', 'ports'])}`,
    headers: { 'content-type': body.type },
    body: method === 'GET' ? undefined : body.bytes,
  };
}

function customDefinition(random: Random): Input {
  const object = definition(random);
  const name = random.pick(customKinds);
  const method = random.weighted([
    [6, 'POST'],
    [2, 'PUT'],
    [1, 'DELETE'],
    [1, 'PATCH'],
  ] as const);
  const body = encoded(random, object);
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  return {
    method,
    path: `${method === 'POST' ? path : `${path}/${name}.${customGroup}`}${query(random, writeParameters)}`,
    headers: { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : body.type },
    body: method === 'DELETE' ? undefined : body.bytes,
  };
}

function customResource(random: Random): Input {
  const version = random.chance(0.9) ? 'v1' : 'v1beta1';
  const scope = random.chance(0.75) ? '/namespaces/default' : '';
  const plural = random.pick(customKinds);
  const collection = `/apis/${customGroup}/${version}${scope}/${plural}`;
  const object = customObject(random);
  if (random.chance(0.8)) {
    object.kind = plural[0]!.toUpperCase() + plural.slice(1, -1);
    object.apiVersion = `${customGroup}/${version}`;
  }
  const value = random.chance(0.3) ? mutate(random, object) : object;
  const name = random.pick(names);
  const sub = random.chance(0.15) ? random.pick(['/status', '/scale', '/x']) : '';
  const method = random.weighted([
    [6, 'POST'],
    [3, 'PUT'],
    [4, 'PATCH'],
    [2, 'GET'],
    [1, 'DELETE'],
  ] as const);
  if (method === 'PATCH') {
    const given = patchBody(random, value);
    return {
      method,
      path: `${collection}/${name}${sub}${query(random, [...writeParameters, 'force', 'fieldManager'])}`,
      headers: { 'content-type': given.type },
      body: Buffer.from(JSON.stringify(given.value) ?? ''),
    };
  }
  const body = encoded(random, value);
  const all = method === 'POST' || (method !== 'PUT' && random.chance(0.5));
  return {
    method,
    path: `${collection}${all ? '' : `/${name}${sub}`}${query(random, method === 'GET' ? listParameters : writeParameters)}`,
    headers: method === 'GET' ? { accept: accept(random) } : { 'content-type': body.type },
    body: method === 'GET' ? undefined : body.bytes,
  };
}

/** Expressions where only the API server compiles them: nothing of it is ever bound. */
function celPolicy(random: Random): Input {
  const key = random.pick([
    'validatingadmissionpolicies.admissionregistration.k8s.io/v1',
    'mutatingadmissionpolicies.admissionregistration.k8s.io/v1',
    'resourceclaims.resource.k8s.io/v1',
  ]);
  const resource = builtinResources.find((one) => `${one.resource}.${one.group}/${one.version}` === key)!;
  const object = structuredClone(templates[key]);
  object.kind = resource.kind;
  object.apiVersion = apiVersionOf(resource);
  object.metadata = { name: random.pick(names) };
  const text = () =>
    expression(random, random.pick(['object', 'object.spec', 'oldObject', 'request', 'variables', 'params', 'device']));
  const visit = (value: any): void => {
    for (const [name, inner] of Object.entries(value)) {
      if (typeof inner === 'string' && /expression$/i.test(name) && random.chance(0.7)) value[name] = text();
      else if (typeof inner === 'object' && inner !== null) visit(inner);
    }
  };
  visit(object);
  const body = encoded(random, random.chance(0.2) ? mutate(random, object) : object, resource);
  return {
    method: 'POST',
    path: `${place(random, resource, undefined)}?dryRun=All`,
    headers: { 'content-type': body.type },
    body: body.bytes,
  };
}

const roots = [
  '/api',
  '/apis',
  '/api/v1',
  '/apis/apps',
  '/apis/apps/v1',
  '/version',
  '/healthz',
  '/livez',
  '/readyz',
  '/metrics',
  '/openapi/v2',
  '/openapi/v3',
  '/openapi/v3/apis/apps/v1',
  '/openid/v1/jwks',
  '/.well-known/openid-configuration',
  '/clusters',
  '/clusters/fuzz',
  '/clusters/*',
  '/clusters/other/api/v1/pods',
  '/api/v1/watch/pods',
  '/api/v1/namespaces/default/pods/fuzz-0/log',
  '/api/v1/proxy',
  '/',
];

function nowhere(random: Random): Input {
  let path = random.chance(0.5) ? random.pick(roots) : '';
  for (let count = random.below(5); count > 0; count--) {
    const segment = random.chance(0.6) ? random.pick(words) : random.pick(oddStrings);
    path += `/${random.chance(0.8) ? encodeURIComponent(segment.toWellFormed()) : segment.replace(/[^\x21-\x7e]|#/g, '')}`;
  }
  return {
    method: random.pick(['GET', 'GET', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD']),
    path:
      (path.startsWith('/') ? path : `/${path}`) +
      query(random, ['watch', 'verbose', 'exclude', 'timeout', 'hash', ...listParameters]),
    headers: { accept: accept(random) },
    body: random.chance(0.2) ? Buffer.from(JSON.stringify(oddValue(random)) ?? '') : undefined,
  };
}

/** Headers nobody asked for, and another tenant's door now and then. */
function odder(random: Random, input: Input): Input {
  const { headers } = input;
  // What would act on every later request is only tried.
  if (input.method !== 'GET' && /webhookconfigurations|policybindings|apiservices/.test(input.path)) {
    input.path += `${input.path.includes('?') ? '&' : '?'}dryRun=All`;
  }
  if (random.chance(0.06)) headers['accept'] ??= accept(random);
  if (random.chance(0.03)) {
    const name = random.pick([
      'impersonate-user',
      'impersonate-group',
      'impersonate-extra-a%2fb',
      'authorization',
      'audit-id',
      'user-agent',
      'accept-encoding',
      'x-forwarded-for',
      'content-type',
      'x-remote-user',
      'if-none-match',
      'traceparent',
    ]);
    const value = random.chance(0.5) ? random.pick(words) : String(random.pick([...oddStrings, ...oddNumbers]));
    headers[name] = value.replace(/[^\x20-\x7e]/g, '').trim();
  }
  if (random.chance(0.02))
    input.path = `/clusters/${random.pick(['fuzz', 'other', '*', '', '%2a', '..', 'system'])}${input.path}`;
  return input;
}
