import { stringify as stringifyYaml } from 'yaml';
import { apiVersionOf } from '../../src/api/object.ts';
import type { ResourceDefinition } from '../../src/api/resource-definition.ts';
import { builtinResources } from '../../src/api/resources/index.ts';
import { encodeResource, envelope, hasProtobuf } from '../../src/apiserver/protobuf/encode-protobuf.ts';
import type { Random } from './random.ts';
import { templates } from './templates.ts';
import { mutate, mutateBytes, names, objectOf, oddStrings, oddValue } from './values.ts';

export interface Input {
  method: string;
  /** With the query. */
  path: string;
  headers: Record<string, string>;
  body: Buffer | undefined;
}

const namespaces = ['default', 'default', 'default', 'fuzz-ns', 'kube-system'] as const;

export function place(random: Random, resource: ResourceDefinition, name: string | undefined, sub = ''): string {
  const root = resource.group === '' ? '/api/v1' : `/apis/${resource.group}/${resource.version}`;
  const namespace = resource.namespaced && !random.chance(0.02) ? `/namespaces/${random.pick(namespaces)}` : '';
  const tail = name === undefined ? '' : `/${encodeURIComponent(name)}`;
  return `${root}${namespace}/${resource.resource}${tail}${sub === '' ? '' : `/${sub}`}`;
}

export const resourceOf = (random: Random): ResourceDefinition => {
  const resource = random.pick(builtinResources);
  // The kinds that people use come more often.
  return random.chance(0.4)
    ? (builtinResources.find(
        (one) => `${one.resource}${one.group && `.${one.group}`}/${one.version}` === random.pick(popular),
      ) ?? resource)
    : resource;
};

const popular = Object.keys(templates);

export function objectFor(random: Random, resource: ResourceDefinition): any {
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
export function encoded(
  random: Random,
  value: unknown,
  resource?: ResourceDefinition,
): { type: string; bytes: Buffer } {
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

export function query(random: Random, parameters: readonly string[]): string {
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
export const textOf = (value: unknown) =>
  (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).toWellFormed();

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

export const writeParameters = ['dryRun', 'fieldManager', 'fieldValidation', 'pretty'];

export const listParameters = [
  'labelSelector',
  'fieldSelector',
  'limit',
  'continue',
  'resourceVersion',
  'resourceVersionMatch',
  'pretty',
  'includeObject',
];

export const watchParameters = [...listParameters, 'allowWatchBookmarks', 'sendInitialEvents', 'timeoutSeconds'];

export function accept(random: Random): string {
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
