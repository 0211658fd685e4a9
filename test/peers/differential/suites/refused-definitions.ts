import type { Twin } from '../twin.ts';
import { definitionsPath } from './custom-definitions.ts';

const text = { type: 'string' };
const rule = (expression: string, more: object = {}) => ({ rule: expression, ...more });
const resource = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } };
const embedded = {
  type: 'object',
  'x-kubernetes-embedded-resource': true,
  'x-kubernetes-preserve-unknown-fields': true,
};

/** Definitions that may not be. */
export async function refusedDefinitions(twin: Twin, definition: any): Promise<void> {
  const group = `others-${twin.run}.example.com`;
  const withSchema = (properties: object, more: object = {}) => ({
    metadata: { name: `others.${group}` },
    spec: {
      ...definition.spec,
      group,
      names: { plural: 'others', kind: 'Other' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } } },
          ...more,
        },
      ],
    },
  });
  const validated = (rules: object[], more: object = text) => ({ a: { ...more, 'x-kubernetes-validations': rules } });
  const forms: Record<string, object> = {
    'no rule': withSchema(validated([{}])),
    'bad syntax': withSchema(validated([rule('self.'), rule('self +'), rule('self ==')])),
    'no such field': withSchema(validated([rule('self.b == 1')], { type: 'object', properties: { a: text } })),
    'not a truth': withSchema(validated([rule('self')])),
    'bad message': withSchema(
      validated([
        rule('true', { message: 'a\nb' }),
        rule('true', { message: ' ' }),
        rule('true', { message: 'x'.repeat(3000) }),
      ]),
    ),
    'bad message expression': withSchema(
      validated([rule('true', { messageExpression: '1' }), rule('true', { messageExpression: 'self +' })]),
    ),
    'bad reason': withSchema(validated([rule('true', { reason: 'Other' })])),
    'bad path': withSchema(
      validated(
        [
          rule('true', { fieldPath: '.none' }),
          rule('true', { fieldPath: 'a b' }),
          rule('true', { fieldPath: ".a['b']" }),
        ],
        { type: 'object', properties: { a: text } },
      ),
    ),
    'too costly': withSchema({
      a: {
        type: 'array',
        items: { type: 'array', items: { ...text, 'x-kubernetes-validations': [rule("self.matches('a*')")] } },
      },
    }),
    'costly in all': withSchema({
      a: {
        type: 'array',
        maxItems: 1000,
        items: {
          type: 'object',
          properties: { b: text, c: text },
          'x-kubernetes-validations': [rule('self.b.contains(self.c)'), rule("self.b.replace('a', self.c).size() > 1")],
        },
      },
    }),
    'old self in a list': withSchema({
      a: { type: 'array', items: { ...text, 'x-kubernetes-validations': [rule('self == oldSelf')] } },
    }),
    'optional without old': withSchema(validated([rule('self == "x"', { optionalOldSelf: true })])),
    'no type': withSchema({ a: {} }),
    'bad default': withSchema({ a: { type: 'integer', default: 'x' } }),
    'default against a rule': withSchema({
      a: { type: 'integer', default: 3, 'x-kubernetes-validations': [rule('self > 5')] },
    }),
    'default below against a rule': withSchema({
      a: {
        type: 'object',
        default: { b: [{ c: 1 }] },
        properties: {
          b: {
            type: 'array',
            maxItems: 3,
            items: {
              type: 'object',
              properties: { c: { type: 'integer', 'x-kubernetes-validations': [rule('self > 5')] } },
            },
          },
        },
        'x-kubernetes-validations': [rule('!has(self.b)', { message: 'none', reason: 'FieldValueForbidden' })],
      },
    }),
    'default that must change': withSchema({
      a: { ...text, default: 'x', 'x-kubernetes-validations': [rule('self != oldSelf')] },
    }),
    'default that must not be new': withSchema({
      a: { ...text, default: 'x', 'x-kubernetes-validations': [rule('oldSelf.hasValue()', { optionalOldSelf: true })] },
    }),
    'default of a rule that does not compile': withSchema({
      a: { type: 'integer', default: 3, 'x-kubernetes-validations': [rule('self >')] },
    }),
    'default of nothing': withSchema({ a: { ...text, default: null } }),
    'default resource against a rule': withSchema({
      a: { ...embedded, default: resource, 'x-kubernetes-validations': [rule("self.metadata.name == 'b'")] },
    }),
    'default resource of a wrong name': withSchema({
      a: { ...embedded, default: { ...resource, metadata: { name: 'A/B', labels: { 'x y': 'z' } } } },
    }),
    'default resource of wrong metadata': withSchema({
      a: { ...embedded, default: { ...resource, metadata: { finalizers: 5 } } },
    }),
    'default resource without metadata': withSchema({ a: { ...embedded, default: { ...resource, metadata: null } } }),
    'default name in metadata': withSchema({
      a: {
        ...embedded,
        properties: {
          kind: { ...text, default: 'not a kind' },
          metadata: { type: 'object', properties: { name: { ...text, default: 'A/B' } } },
        },
      },
    }),
    'default label in metadata': withSchema({
      a: {
        ...embedded,
        properties: {
          metadata: { type: 'object', properties: { labels: { type: 'object', default: { a: 5, b: 'c d' } } } },
        },
      },
    }),
    'list map without keys': withSchema({
      a: { type: 'array', 'x-kubernetes-list-type': 'map', items: { type: 'object', properties: { n: text } } },
    }),
    'list map of optional keys': withSchema({
      a: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['n'],
        items: { type: 'object', properties: { n: text } },
      },
    }),
    'bad pattern': withSchema({ a: { ...text, pattern: '(' } }),
    'forbidden parts': withSchema({
      a: { ...text, uniqueItems: true, $ref: '#/x', definitions: { x: text }, deprecated: true },
    }),
    'metadata restricted': {
      metadata: { name: `others.${group}` },
      spec: {
        ...withSchema({}).spec,
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: { metadata: { type: 'object', properties: { labels: { type: 'object' } } } },
              },
            },
          },
        ],
      },
    },
    'bad columns': withSchema(
      {},
      {
        additionalPrinterColumns: [
          { name: 'A', type: 'other', jsonPath: 'x' },
          { name: '', type: 'string', jsonPath: '.spec[' },
          { name: 'B', type: 'date', jsonPath: '.metadata.creationTimestamp', format: 'x', priority: -1 },
        ],
      },
    ),
    'bad selectable': withSchema(
      { a: text, o: { type: 'object' } },
      {
        selectableFields: [
          { jsonPath: '.spec.o' },
          { jsonPath: '.spec.none' },
          { jsonPath: 'spec.a' },
          { jsonPath: '.spec.a' },
          { jsonPath: '.spec.a' },
        ],
      },
    ),
    'bad scale': withSchema(
      { a: { type: 'integer' } },
      {
        subresources: {
          scale: { specReplicasPath: '.status.x', statusReplicasPath: '.spec.a', labelSelectorPath: '.x' },
        },
      },
    ),
    'scale to nowhere': withSchema(
      { a: { type: 'integer' } },
      { subresources: { status: {}, scale: { specReplicasPath: '.spec.none', statusReplicasPath: '.status.none' } } },
    ),
    'bad version': withSchema({}, { name: 'V_1' }),
    'bad conversion': { ...withSchema({}), spec: { ...withSchema({}).spec, conversion: { strategy: 'Webhook' } } },
    'other conversion': {
      ...withSchema({}),
      spec: { ...withSchema({}).spec, conversion: { strategy: 'Other', webhook: {} } },
    },
    'bad names': {
      metadata: { name: `others.${group}` },
      spec: {
        ...withSchema({}).spec,
        names: {
          plural: 'Others',
          kind: 'an other',
          singular: 'x y',
          shortNames: ['A'],
          categories: ['B c'],
          listKind: 'an other',
        },
      },
    },
    'name differs': { ...withSchema({}), metadata: { name: 'x' } },
    'protected group': { metadata: { name: 'others.x.k8s.io' }, spec: { ...withSchema({}).spec, group: 'x.k8s.io' } },
    'preserving at the root': withSchema({}, { schema: { openAPIV3Schema: { type: 'object' } } }),
    'no schema': withSchema({}, { schema: undefined }),
    'preserves unknown': { ...withSchema({}), spec: { ...withSchema({}).spec, preserveUnknownFields: true } },
  };
  for (const [label, body] of Object.entries(forms))
    await twin.ask(
      `define ${label}`,
      { method: 'POST', path: `${definitionsPath}?dryRun=All`, body },
      { reduce: ({ json }) => (json.kind === 'Status' ? json : json.spec) },
    );
}
