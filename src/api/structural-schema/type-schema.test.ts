import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeObject } from '../decode/decode.ts';
import { mergeObjects, mergeTypeOf } from '../managed-fields/index.ts';
import { typeSchemaOf } from './type-schema.ts';

test('a key that an item leaves out is its default', () => {
  const type = mergeTypeOf(
    typeSchemaOf('Thing', {
      type: 'object',
      properties: {
        ports: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['port', 'protocol'],
          items: {
            type: 'object',
            required: ['port', 'protocol'],
            properties: {
              port: { type: 'integer' },
              protocol: { type: 'string', default: 'TCP' },
              name: { type: 'string' },
            },
          },
        },
      },
    }),
  );
  const live = { ports: [{ port: 80, protocol: 'TCP', name: 'a' }] };
  assert.deepEqual(mergeObjects(type, live, { ports: [{ port: 80, name: 'b' }] }), {
    ports: [{ port: 80, protocol: 'TCP', name: 'b' }],
  });
});

test('an atomic item of a list, or value of a map, belongs to one as a whole', () => {
  const point = {
    type: 'object',
    'x-kubernetes-map-type': 'atomic',
    properties: { name: { type: 'string' }, more: { type: 'integer' } },
  } as const;
  const schema = typeSchemaOf('Thing', {
    type: 'object',
    properties: {
      points: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
        items: point,
      },
      named: { type: 'object', additionalProperties: point },
    },
  });
  const live = { points: [{ name: 'a', more: 1 }], named: { b: { name: 'c', more: 1 } } };
  assert.deepEqual(mergeObjects(mergeTypeOf(schema), live, { points: [{ name: 'a' }], named: { b: { name: 'd' } } }), {
    points: [{ name: 'a' }],
    named: { b: { name: 'd' } },
  });
});

test('unknown fields of a custom resource are reported sorted, those of its metadata first', () => {
  const schema = typeSchemaOf('Thing', { type: 'object', properties: { spec: { type: 'object', properties: {} } } });
  const { unknownFields } = decodeObject(
    schema,
    { spec: { b: 1, a: 1 }, data: 1, metadata: { z: 1 } },
    { strict: true },
  );
  assert.deepEqual(
    unknownFields,
    ['metadata.z', 'data', 'spec.a', 'spec.b'].map((path) => `unknown field "${path}"`),
  );
});
