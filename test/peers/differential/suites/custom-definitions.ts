import { eventually } from '../../../lib/eventually.ts';
import type { Twin } from '../twin.ts';

export const definitionsPath = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

/** Deletes definitions, and waits until they are gone: documents name them as long as they are there. */
export async function forgetDefinitions(twin: Twin, definitions: any[]): Promise<void> {
  for (const { metadata } of definitions) {
    const path = `${definitionsPath}/${metadata.name}`;
    await twin.prepare({ method: 'DELETE', path });
    for (const side of twin.sides) {
      const isGone = async () => (await side.client.send({ path })).status === 404;
      await eventually(`${side.name} forgets ${metadata.name}`, isGone);
    }
  }
}

/** Definitions with everything that OpenAPI says differently of custom resources, in a group of the run's own. */
export function customDefinitions(group: string): any[] {
  const definition = (plural: string, kind: string, scope: string, versions: object[]) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: { group, scope, names: { plural, kind, shortNames: [plural.slice(0, 2)], categories: ['all'] }, versions },
  });
  const version = (name: string, openAPIV3Schema: object, more: object = {}) => ({
    name,
    served: true,
    storage: false,
    schema: { openAPIV3Schema },
    ...more,
  });
  return [
    definition('things', 'Thing', 'Namespaced', [
      version('v1', thing, {
        storage: true,
        subresources: {
          status: {},
          scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
        },
        selectableFields: [{ jsonPath: '.spec.color' }],
      }),
      version('v1beta1', {
        type: 'object',
        'x-kubernetes-preserve-unknown-fields': true,
        properties: { spec: { type: 'object' } },
      }),
    ]),
    definition('boxes', 'Box', 'Cluster', [
      version('v1', { type: 'object', properties: { spec: { type: 'object' } } }, { storage: true }),
    ]),
  ];
}

const string = { type: 'string' };
const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more });
const intOrString = { 'x-kubernetes-int-or-string': true };
const anyOf = [{ type: 'integer' }, { type: 'string' }];
const preserve = { 'x-kubernetes-preserve-unknown-fields': true };
const embedded = { type: 'object', 'x-kubernetes-embedded-resource': true };

const spec = object(
  {
    color: { type: 'string', enum: ['red', 'green'], default: 'red', title: 'Colour' },
    size: intOrString,
    sizePattern: { ...intOrString, anyOf, pattern: '^a' },
    sizeAll: { ...intOrString, allOf: [{ anyOf }, { minimum: 3 }] },
    sizeOther: { ...intOrString, anyOf: [{ minimum: 3 }, { pattern: '^a' }] },
    replicas: { type: 'integer', format: 'int32', minimum: 0, maximum: 10, exclusiveMaximum: true, nullable: true },
    even: { type: 'integer', multipleOf: 2 },
    list: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      maxItems: 5,
      items: object(
        { name: { ...string, minLength: 1, maxLength: 9, pattern: '^x' }, value: { type: 'number', nullable: true } },
        { required: ['name'] },
      ),
    },
    times: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string', format: 'date-time' } },
    nullItems: { type: 'array', nullable: true, items: { ...string, nullable: true } },
    map: { type: 'object', additionalProperties: { ...string, nullable: true }, 'x-kubernetes-map-type': 'atomic' },
    open: { type: 'object', additionalProperties: true },
    openToo: { ...object({ a: string }), ...preserve },
    any: preserve,
    anyItems: { type: 'array', items: { type: 'object', ...preserve } },
    embedded: { ...embedded, ...preserve },
    embeddedFields: { ...embedded, required: ['kind'], ...object({ spec: object({ x: { type: 'boolean' } }) }) },
    ruled: object(
      { a: string, b: { ...string, nullable: true } },
      {
        required: ['a', 'b'],
        minProperties: 1,
        maxProperties: 3,
        'x-kubernetes-validations': [{ rule: "self.a == 'x'", message: 'no' }],
        anyOf: [{ required: ['a'] }, { properties: { a: { pattern: '^b' } } }],
        oneOf: [{ required: ['a'] }],
        allOf: [{ required: ['b'] }],
        not: { required: ['c'] },
      },
    ),
    structure: object({ x: { type: 'integer' } }, { default: { x: 1 } }),
    documented: { ...string, externalDocs: { url: 'http://x', description: 'd' }, example: 'x' },
  },
  { required: ['color', 'size'] },
);

const thing = object(
  {
    apiVersion: string,
    kind: string,
    metadata: object({ name: { ...string, maxLength: 10 } }),
    spec,
    status: object({ replicas: { type: 'integer' } }),
  },
  { required: ['spec'] },
);
