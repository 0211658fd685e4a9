import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { decodeObject } from '../../api/decode/decode.ts';
import { resolveObject } from '../../api/generated-schema.ts';
import { apiVersionOf } from '../../api/object.ts';
import { builtinResources, platformResources } from '../../api/resources/index.ts';
import type { TypeSchema, ValueSchema } from '../../api/schema.ts';
import { decodeProtobuf, protobufSteps } from './decode-protobuf.ts';
import { encodeObject, encodeResource, hasProtobuf, listParts, protobufSchema, watchFrame } from './encode-protobuf.ts';
import { WireReader } from './wire.ts';
import { WireWriter } from './wire-writer.ts';

/** Objects filled by upstream's own fuzzer, with the bytes that upstream's own serializer made of them (v0.36.0). */
const golden = readFileSync(new URL('./testdata/upstream.jsonl', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line));

/** Something in every field, as deep as types don't repeat themselves. */
function sample(type: ValueSchema, depth: number, seed: { next: number }): unknown {
  const count = seed.next++;
  switch (type.kind) {
    case 'string':
      return `text-${count}`;
    case 'bytes':
      return Buffer.from(`bytes-${count}`).toString('base64');
    case 'boolean':
      return true;
    case 'int32':
    case 'int64':
      return count % 2 === 0 ? count : -count;
    case 'double':
      return count + 0.5;
    case 'quantity':
      return `${count}m`;
    case 'time':
      return '2026-01-02T03:04:05Z';
    case 'microTime':
      return '2026-01-02T03:04:05.060708Z';
    case 'duration':
      return `${count}s`;
    case 'intOrString':
      return count % 2 === 0 ? count : `${count}%`;
    case 'any':
      return { some: ['json', count] };
    case 'array':
      return [sample(type.items, depth, seed), sample(type.items, depth, seed)];
    case 'map':
      return { 'b-key': sample(type.values, depth, seed), 'a-key': sample(type.values, depth, seed) };
    case 'object':
      return sampleObject(resolveObject(type), depth + 1, seed);
  }
}

function sampleObject(schema: TypeSchema, depth: number, seed: { next: number }): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const [name, { type, number }] of Object.entries(schema.fields)) {
    if (number === 0) continue;
    const isDeep = type.kind === 'object' || type.kind === 'array' || type.kind === 'map';
    if (depth < 7 || !isDeep) object[name] = sample(type, depth, seed);
  }
  return object;
}

describe('protobuf', () => {
  for (const { kind, apiVersion, json, protobuf } of golden) {
    it(`writes and reads ${apiVersion} ${kind} as upstream`, () => {
      const expected = Buffer.from(protobuf, 'base64');
      assert.equal(encodeObject({ ...json, kind, apiVersion })!.toString('hex'), expected.toString('hex'));
      const schema = protobufSchema(kind, apiVersion)!;
      const canonical = decodeObject(schema, json).object;
      assert.deepEqual(decodeObject(schema, decodeProtobuf(expected, schema)).object, canonical);
      assert.ok(
        encodeObject({ ...canonical, kind, apiVersion })!.equals(expected),
        'what is stored gives the same bytes',
      );
    });
  }

  for (const definition of builtinResources) {
    const apiVersion = apiVersionOf(definition);
    it(`brings ${apiVersion} ${definition.kind} back whole`, () => {
      const { kind, schema } = definition;
      const filled = { ...sampleObject(schema, 0, { next: 1 }), kind, apiVersion };
      if (kind === 'CustomResourceDefinition') return; // Its unions have types of their own: see the golden one.
      const { object, errors } = decodeObject(schema, filled);
      assert.deepEqual(errors, []);
      const bytes = encodeObject({ ...object, kind, apiVersion })!;
      assert.deepEqual(decodeObject(schema, decodeProtobuf(bytes, schema)).object, { ...object, kind, apiVersion });
      const empty = decodeObject(schema, { kind, apiVersion, metadata: { name: 'x' } }).object;
      const again = decodeProtobuf(encodeObject({ ...empty, kind, apiVersion })!, schema);
      assert.deepEqual(decodeObject(schema, again).object, empty);
    });
  }

  it('brings back schemas that hold one of several types under a name', () => {
    const openAPIV3Schema = {
      type: 'object',
      properties: {
        closed: { type: 'object', additionalProperties: false },
        open: { type: 'object', additionalProperties: true },
        typed: { type: 'object', additionalProperties: { type: 'string' } },
        list: { type: 'array', items: { type: 'integer', minimum: 1 } },
        tuple: { type: 'array', items: [{ type: 'string' }, { type: 'boolean' }] },
      },
    };
    const crd = {
      kind: 'CustomResourceDefinition',
      apiVersion: 'apiextensions.k8s.io/v1',
      metadata: { name: 'foos.example.com' },
      spec: {
        group: 'example.com',
        names: { plural: 'foos', kind: 'Foo' },
        scope: 'Namespaced',
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema } }],
      },
    };
    const schema = protobufSchema(crd.kind, crd.apiVersion)!;
    const read = decodeObject(schema, decodeProtobuf(encodeObject(crd)!, schema)).object as any;
    assert.deepEqual(read.spec.versions[0].schema.openAPIV3Schema, openAPIV3Schema);
  });

  it('reads long messages, and maps of many members, in steps', () => {
    const many = <T>(count: number, make: (index: number) => T) =>
      Array.from({ length: count }, (_, index) => make(index));
    const data = Object.fromEntries(many(20_000, (index) => [index === 7 ? '__proto__' : `k${index}`, `v${index}`]));
    const containers = many(3000, (index) => ({
      name: `c${index}`,
      image: 'a',
      env: many(index === 5 ? 3000 : 2, (other) => ({
        name: `E${other}`,
        value: 'x'.repeat(index === 6 ? 20_000 : 1),
      })),
    }));
    for (const object of [
      { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'wide' }, data },
      { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'long' }, spec: { containers } },
    ]) {
      const schema = protobufSchema(object.kind, object.apiVersion)!;
      const canonical = decodeObject(schema, object).object;
      const reading = protobufSteps(encodeObject(canonical)!, schema);
      let steps = 0;
      let read = reading.next();
      for (; read.done !== true; read = reading.next()) steps++;
      assert.ok(steps > 10);
      assert.deepEqual(decodeObject(schema, read.value).object, canonical);
    }
  });

  it('has a form for what is built in, and none for the platform’s own', () => {
    assert.ok(builtinResources.every(hasProtobuf));
    assert.ok(!platformResources.some(hasProtobuf));
    assert.equal(encodeObject({ kind: 'Foo', apiVersion: 'example.com/v1' }), undefined);
    assert.equal(encodeObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' }), undefined);
  });

  it('makes lists out of the messages of their items', () => {
    const definition = builtinResources.find(({ resource }) => resource === 'configmaps')!;
    const items = ['a', 'b'].map((name) => ({ metadata: { name, namespace: 'n' }, data: { k: name } }));
    const metadata = { resourceVersion: '7', remainingItemCount: 3 };
    const messages = items.map((item) => encodeResource(definition, item));
    const bytes = Buffer.concat([...listParts('ConfigMapList', 'v1', metadata, messages)]);
    assert.ok(bytes.equals(encodeObject({ kind: 'ConfigMapList', apiVersion: 'v1', metadata, items })!));
    const list = decodeProtobuf(bytes, undefined);
    assert.deepEqual(
      [list['kind'], list['metadata'].resourceVersion, list['items'][1].data],
      ['ConfigMapList', '7', { k: 'b' }],
    );
  });

  it('frames watch events by their length', () => {
    const object = encodeObject({ kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a' } })!;
    const frame = watchFrame('ADDED', object);
    assert.equal(frame.readUInt32BE(0), frame.length - 4);
    const reader = new WireReader(frame.subarray(4));
    assert.deepEqual([reader.field(), reader.bytes().toString()], [1, 'ADDED']);
    assert.equal(reader.field(), 2);
    const raw = new WireReader(reader.bytes());
    assert.equal(raw.field(), 1);
    assert.ok(raw.bytes().equals(object));
  });

  it('writes numbers of every size', () => {
    for (const value of [0, 1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER, -1, -(2 ** 31)]) {
      const writer = new WireWriter();
      writer.signed(value);
      const bytes = writer.take();
      assert.equal(new WireReader(bytes).signed(), value);
      if (value < 0) assert.equal(bytes.length, 10);
    }
    for (const value of [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]) {
      assert.throws(() => new WireWriter().signed(value), RangeError);
    }
    const writer = new WireWriter();
    writer.text('x'.repeat(100_000));
    assert.equal(new WireReader(writer.take()).bytes().length, 100_000);
    assert.equal(writer.length, 0);
  });
});
