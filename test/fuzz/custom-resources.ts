import type { Random } from './random.ts';
import { mutate, names, oddStrings, oddValue } from './values.ts';

/** Expressions of CEL: mostly sound, some costly, some nonsense. */
export function expression(random: Random, root = 'self'): string {
  const variable = `${root}.${random.pick(['a', 'b', 'items', 'nested', 'spec', 'metadata'])}`;
  return random.weighted<() => string>([
    [3, () => `${variable} == ${random.pick(['1', '"x"', 'null', 'true', '[]', '{}', '1u', '1.5'])}`],
    [2, () => `size(${variable}) < ${random.below(100)}`],
    [2, () => `${root}.items.all(x, x ${random.pick(['>', '<', '==', '!='])} ${random.below(10)})`],
    [2, () => `${root}.items.exists(x, ${root}.items.exists(y, ${root}.items.all(z, x == y && y == z)))`],
    [2, () => `has(${variable}) && (${expression(random, root)})`],
    [2, () => `(${expression(random, root)}) ? (${expression(random, root)}) : false`],
    [1, () => `${variable}.matches(${JSON.stringify(random.pick(oddStrings))})`],
    [1, () => `${variable}.map(x, x * x).filter(x, x > 1).size() > 0`],
    [1, () => `${root}.a ${random.pick(['+', '-', '*', '/', '%'])} 0 == 1`],
    [1, () => `9223372036854775807 + ${root}.b > 0`],
    [1, () => `duration(${variable}) > duration("1h")`],
    [1, () => `timestamp(${JSON.stringify(random.pick(oddStrings))}) < timestamp("2030-01-01T00:00:00Z")`],
    [1, () => `quantity("1Gi").isLessThan(quantity(${variable}))`],
    [1, () => `ip(${variable}).family() == 4 || cidr("10.0.0.0/8").containsIP(${variable})`],
    [1, () => `url(${variable}).getHost() == "a"`],
    [1, () => `${root}.items.sum() > 1 && ${root}.items.isSorted() && ${root}.items.indexOf(1) > 0`],
    [1, () => `${variable}.split(",").join("-").replace("a", "b").upperAscii().format([${variable}]) != ""`],
    [1, () => `[1,2,3].map(a, [1,2,3].map(b, [1,2,3].map(c, a*b*c))).size() > 0`],
    [1, () => `"${'x'.repeat(random.below(200))}".charAt(${random.below(300)}) == "x"`],
    [1, () => '('.repeat(random.below(300))],
    [1, () => Array.from({ length: random.below(200) }, () => '!').join('') + variable],
    [1, () => random.pick(oddStrings)],
    [1, () => `oldSelf == ${root}`],
    [1, () => `${root}.transformList(i, v, v).size() == 0`],
    [1, () => `optional.of(${variable}).orValue("") == ""`],
    [1, () => `${root}[?"a"].hasValue()`],
    [1, () => 'self.self.self.self()'],
    [1, () => `authorizer.group("").resource("pods").check("get").allowed()`],
    [1, () => `${variable} in ["a", 1, true, ${variable}]`],
    [1, () => `b"\\x00" == bytes(${variable})`],
    [1, () => `cel.bind(v, ${variable}, v == v)`],
  ])();
}

/** A property of a structural schema, sometimes not one. */
function schemaOfProperty(random: Random, depth = 0): any {
  const common: any = {};
  if (random.chance(0.1)) common.nullable = true;
  if (random.chance(0.15)) {
    common['x-kubernetes-validations'] = [
      {
        rule: expression(random),
        ...(random.chance(0.3) && { messageExpression: expression(random) }),
        ...(random.chance(0.2) && { optionalOldSelf: true }),
        ...(random.chance(0.2) && { fieldPath: random.pick(['.a', '.b.c', '', '[', ...oddStrings]) }),
      },
    ];
  }
  const schema = random.weighted<() => any>([
    [
      4,
      () => ({
        type: 'string',
        ...(random.chance(0.3) && { pattern: random.pick(['^a+$', '(a+)+$', '[', '\\p{Lu}', '(?i)x', ...oddStrings]) }),
        ...(random.chance(0.2) && {
          format: random.pick(['date-time', 'byte', 'uuid', 'ipv4', 'email', 'duration', 'nonsense', 'int64', 'cidr']),
        }),
        ...(random.chance(0.2) && { maxLength: random.pick([0, 1, 10, -1, 1e9]) }),
        ...(random.chance(0.2) && { enum: ['a', 'b', random.pick(oddStrings)] }),
        ...(random.chance(0.2) && { default: random.pick(['a', 1, null, ...oddStrings]) }),
      }),
    ],
    [
      3,
      () => ({
        type: random.pick(['integer', 'number']),
        ...(random.chance(0.3) && { minimum: random.pick([0, -1, 5, 1e300]) }),
        ...(random.chance(0.3) && { multipleOf: random.pick([2, 0.1, 0, -1]) }),
        ...(random.chance(0.2) && { default: random.pick([1, 1.5, 'x', null]) }),
      }),
    ],
    [1, () => ({ type: 'boolean' })],
    [1, () => ({ 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] })],
    [1, () => ({ 'x-kubernetes-preserve-unknown-fields': true })],
    [
      depth > 3 ? 0 : 3,
      () => ({
        type: 'array',
        items: schemaOfProperty(random, depth + 1),
        ...(random.chance(0.3) && { 'x-kubernetes-list-type': random.pick(['set', 'map', 'atomic', 'x']) }),
        ...(random.chance(0.2) && { 'x-kubernetes-list-map-keys': ['a'] }),
        ...(random.chance(0.4) && { maxItems: random.pick([0, 1, 10, 100]) }),
        ...(random.chance(0.1) && { uniqueItems: true }),
      }),
    ],
    [depth > 3 ? 0 : 4, () => objectSchema(random, depth + 1)],
    [depth > 3 ? 0 : 1, () => ({ type: 'object', additionalProperties: schemaOfProperty(random, depth + 1) })],
    [
      depth > 3 ? 0 : 1,
      () => ({ type: 'object', allOf: [schemaOfProperty(random, depth + 2)], not: { required: ['a'] } }),
    ],
    [0.3, () => ({ type: 'object', 'x-kubernetes-embedded-resource': true })],
    [0.3, () => oddValue(random)],
  ])();
  return typeof schema === 'object' && schema !== null && !Array.isArray(schema) ? { ...schema, ...common } : schema;
}

function objectSchema(random: Random, depth: number): any {
  const properties: any = {};
  for (const name of ['a', 'b', 'items', 'nested', random.pick(oddStrings)]) {
    if (!random.chance(depth < 2 ? 0.7 : 0.4)) continue;
    Object.defineProperty(properties, name, {
      value: schemaOfProperty(random, depth + 1),
      enumerable: true,
      configurable: true,
    });
  }
  return {
    type: 'object',
    properties,
    ...(random.chance(0.2) && { required: [random.pick(['a', 'b', 'zzz'])] }),
    ...(random.chance(0.05) && { additionalProperties: true }),
    ...(random.chance(0.05) && { default: oddValue(random) }),
  };
}

export const customKinds = ['widgets', 'gadgets', 'sprockets'] as const;
export const customGroup = 'fuzz.example.com';

/** A schema that is taken as it is, so that objects of it are. */
function soundSchema(random: Random): any {
  const rule = random.pick([
    'self == self',
    'has(self.a) || true',
    'size(self.items) < 100',
    'self.items.all(x, x >= 0)',
    '!has(self.b) || self.b.startsWith("a") || self.b.matches("^[a-z]+$")',
    'self.items.map(x, x * 2).filter(x, x > 2).size() >= 0',
    'oldSelf == self',
    expression(random),
  ]);
  return {
    type: 'object',
    properties: {
      a: random.pick([
        { 'x-kubernetes-int-or-string': true },
        { type: 'integer', default: 1, minimum: 0 },
        { type: 'string', nullable: true, maxLength: 100 },
      ]),
      b: { type: 'string', maxLength: 50, ...(random.chance(0.3) && { pattern: '^[a-zA-Z0-9,]*$' }) },
      items: {
        type: 'array',
        maxItems: 30,
        items: { type: 'integer' },
        ...(random.chance(0.4) && { 'x-kubernetes-list-type': 'set' }),
      },
      nested: {
        type: 'object',
        'x-kubernetes-preserve-unknown-fields': true,
        properties: { a: { type: 'string' }, b: { type: 'object', properties: { a: { type: 'integer' } } } },
      },
    },
    ...(random.chance(0.4) && { 'x-kubernetes-validations': [{ rule }] }),
  };
}

export function definition(random: Random): any {
  const plural = random.pick(customKinds);
  const kind = plural[0]!.toUpperCase() + plural.slice(1, -1);
  const isSound = random.chance(0.6);
  const properties: any = isSound
    ? { spec: soundSchema(random), status: soundSchema(random) }
    : { spec: schemaOfProperty(random), status: schemaOfProperty(random) };
  if (random.chance(0.2))
    properties.metadata = { type: 'object', properties: { name: { type: 'string', maxLength: 10 } } };
  const versions = (random.chance(0.2) ? ['v1', 'v1beta1'] : ['v1']).map((name, index) => ({
    name,
    served: true,
    storage: index === 0,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties,
        ...(!isSound && random.chance(0.2) && { 'x-kubernetes-validations': [{ rule: expression(random) }] }),
      },
    },
    ...(random.chance(0.4) && {
      subresources: {
        status: {},
        ...(random.chance(0.5) && {
          scale: {
            specReplicasPath: random.pick(['.spec.a', '.spec.a', '.spec.b', '.x', 'spec']),
            statusReplicasPath: '.status.a',
          },
        }),
      },
    }),
    ...(random.chance(0.3) && {
      additionalPrinterColumns: [
        {
          name: 'A',
          type: random.pick(['string', 'integer', 'date']),
          jsonPath: random.pick(['.spec.a', '.spec.items[0]', '.x[?(@.a=="b")].c', '[', '..']),
        },
      ],
    }),
    ...(random.chance(0.1) && { selectableFields: [{ jsonPath: random.pick(['.spec.a', '.spec.nested.a', '.x']) }] }),
  }));
  const object = {
    kind: 'CustomResourceDefinition',
    apiVersion: 'apiextensions.k8s.io/v1',
    metadata: { name: `${plural}.${customGroup}` },
    spec: {
      group: customGroup,
      scope: random.pick(['Namespaced', 'Namespaced', 'Cluster']),
      names: { plural, singular: plural.slice(0, -1), kind, listKind: `${kind}List` },
      versions,
      ...(random.chance(0.05) && { preserveUnknownFields: true }),
    },
  };
  return random.chance(0.15) ? mutate(random, object) : object;
}

export function customObject(random: Random): any {
  if (random.chance(0.5)) {
    const spec = {
      a: random.pick([1, 5, 'x', undefined]),
      b: random.pick(['abc', 'a,b', 'Z9', undefined]),
      items: [1, 2, 3].slice(random.below(3)),
      nested: random.pick([{ a: 'x', c: [1, null] }, { b: { a: 1 } }, undefined]),
    };
    return { metadata: { name: random.pick(names) }, spec };
  }
  const value = () =>
    random.chance(0.6) ? random.pick(['a', 1, 2, true, 'x,y', '10Gi', '1h', null]) : oddValue(random, 2);
  const spec: any = {};
  if (random.chance(0.8)) spec.a = value();
  if (random.chance(0.8)) spec.b = value();
  if (random.chance(0.7)) spec.items = random.chance(0.8) ? Array.from({ length: random.below(20) }, value) : value();
  if (random.chance(0.5)) spec.nested = random.chance(0.5) ? { a: value(), b: { a: value() } } : value();
  return {
    metadata: { name: random.pick(names), ...(random.chance(0.1) && { labels: { a: 'b' } }) },
    spec: random.chance(0.9) ? spec : value(),
    ...(random.chance(0.2) && { status: { a: value() } }),
  };
}
