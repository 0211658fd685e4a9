import { schemaOf } from '../../src/api/generated-schema.ts';
import type { TypeSchema, ValueSchema } from '../../src/api/schema.ts';
import type { Random } from './random.ts';

export const names = ['fuzz-0', 'fuzz-1', 'fuzz-2', 'fuzz-3'] as const;

const oddStrings = [
  '',
  ' ',
  'a',
  'A',
  '-',
  '.',
  '..',
  '/',
  '*',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'prototype',
  'length',
  'null',
  'true',
  '0',
  '-1',
  '1e400',
  'NaN',
  '\0',
  '\u2028',
  '\ud800',
  '😀',
  'ﷺ'.repeat(20),
  'a'.repeat(63),
  'a'.repeat(64),
  'a'.repeat(253),
  'a'.repeat(5000),
  '%',
  '%zz',
  '%00',
  '{x}',
  '$(x)',
  "'",
  '"',
  '\\',
  '~0~1',
  'a.b.c/d',
  '10Gi',
  '1e',
  '1.5m',
  '9223372036854775808',
  '-9223372036854775809',
  '0x10',
  '2020-01-01T00:00:00Z',
  '9999-99-99T99:99:99Z',
  '1h',
  '((((((((((((((((((((a+)+)+)+)+',
  'a{1,100000}',
  '[',
  '(?<x>',
];

const oddNumbers = [
  0,
  -0,
  -1,
  1,
  0.5,
  -0.5,
  65535,
  65536,
  2147483647,
  2147483648,
  -2147483649,
  9007199254740991,
  2 ** 53 + 2,
  1e21,
  1e308,
  5e-324,
];

/** Anything JSON can say, with a liking for what breaks things. */
export function oddValue(random: Random, depth = 0): unknown {
  return random.weighted<() => unknown>([
    [4, () => random.pick(oddStrings)],
    [3, () => random.pick(oddNumbers)],
    [2, () => random.pick([null, true, false])],
    [1, () => []],
    [1, () => ({})],
    [depth > 3 ? 0 : 2, () => Array.from({ length: random.below(4) }, () => oddValue(random, depth + 1))],
    [
      depth > 3 ? 0 : 2,
      () => {
        const object: Record<string, unknown> = {};
        for (let count = random.below(4); count > 0; count--)
          setOwn(object, random.pick(oddStrings), oddValue(random, depth + 1));
        return object;
      },
    ],
    [0.1, () => nested(random)],
  ])();
}

/** `__proto__` is a name like any other here. */
function setOwn(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
}

function nested(random: Random): unknown {
  let value: unknown = 1;
  const asList = random.chance(0.5);
  for (let depth = random.pick([50, 500, 3000]); depth > 0; depth--) value = asList ? [value] : { a: value };
  return value;
}

/** Words that mean something somewhere: more of what is made of them gets past the first check. */
const words = [
  ...names,
  'default',
  'kube-system',
  'app',
  'web',
  'nginx:1',
  'registry.example/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
  'ClusterIP',
  'None',
  'TCP',
  'UDP',
  'Always',
  'OnFailure',
  'Never',
  'IfNotPresent',
  'RollingUpdate',
  'Recreate',
  'Orphan',
  'Foreground',
  'Background',
  'Exists',
  'In',
  'NotIn',
  'Equal',
  'NoSchedule',
  'v1',
  'apps/v1',
  'Pod',
  'ConfigMap',
  'Deployment',
  'rbac.authorization.k8s.io',
  'User',
  'Group',
  'ServiceAccount',
  'system:masters',
  'get',
  'list',
  '*',
  'pods',
  'IPv4',
  'IPv6',
  'SingleStack',
  '10.96.0.10',
  '10.0.0.0/8',
  'fd00::1',
  '100m',
  '1Gi',
  '50%',
  'cpu',
  'memory',
  '*/5 * * * *',
  'Europe/Berlin',
  'kubernetes.io/hostname',
  'metadata.name',
  'status.podIP',
  'a=b',
  'object.spec.replicas > 1',
  'self.a == 1',
  'CREATE',
  'Equivalent',
  'Fail',
  'Ignore',
  '2030-01-01T00:00:00Z',
];

/** A value a schema allows, mostly. */
function sampleOf(random: Random, schema: ValueSchema, depth: number): unknown {
  if (random.chance(0.01)) return oddValue(random);
  switch (schema.kind) {
    case 'string':
      return random.chance(0.9) ? random.pick(words) : random.pick(oddStrings);
    case 'boolean':
      return random.chance(0.5);
    case 'int32':
    case 'int64':
      return random.chance(0.7) ? random.below(100) : random.pick(oddNumbers);
    case 'double':
      return random.chance(0.7) ? random.next() * 100 : random.pick(oddNumbers);
    case 'bytes':
      return random.chance(0.9) ? Buffer.from(random.pick(words)).toString('base64') : random.pick(oddStrings);
    case 'quantity':
      return random.pick(['100m', '1', '1Gi', '0', '-1', '1e3', '1.5Gi', 2, '9999999999999999999999', '', 'x']);
    case 'time':
    case 'microTime':
      return random.pick(['2030-01-01T00:00:00Z', '2020-02-30T00:00:00Z', null, '2030-01-01T00:00:00.123456Z', 'x']);
    case 'duration':
      return random.pick(['1s', '1h30m', '-1s', 'x', '', 0]);
    case 'intOrString':
      return random.pick([80, 'http', '25%', '101%', -1, '', 65536]);
    case 'any':
      return random.chance(0.5) ? { a: random.pick(words), b: random.below(10) } : oddValue(random, 2);
    case 'array':
      return Array.from({ length: random.below(depth > 4 ? 2 : 3) }, () => sampleOf(random, schema.items, depth + 1));
    case 'map': {
      const map: Record<string, unknown> = {};
      for (let count = random.below(3); count > 0; count--) {
        setOwn(
          map,
          random.chance(0.9) ? random.pick(words) : random.pick(oddStrings),
          sampleOf(random, schema.values, depth + 1),
        );
      }
      return map;
    }
    case 'object': {
      const type = schema.schema ?? schemaOf(schema.type);
      return type === undefined ? {} : objectOf(random, type, depth + 1);
    }
  }
}

export function objectOf(random: Random, schema: TypeSchema, depth = 0): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(schema.fields)) {
    const wanted = field.required ? 0.95 : depth < 2 ? 0.35 : depth < 5 ? 0.12 : 0.03;
    if (random.chance(wanted)) setOwn(object, name, sampleOf(random, field.type, depth));
  }
  return object;
}

/** Changes a few places of a JSON value in place; returns it, or what took its place. */
export function mutate(random: Random, root: unknown): unknown {
  let result = root;
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    const place = randomPlace(random, result);
    if (place === undefined) {
      result = oddValue(random);
      continue;
    }
    const { parent, key } = place;
    random.weighted<() => void>([
      [5, () => setOwn(parent, key, oddValue(random))],
      [3, () => void (Array.isArray(parent) ? parent.splice(Number(key), 1) : delete parent[key])],
      [1, () => setOwn(parent, Array.isArray(parent) ? String(parent.length) : random.pick(oddStrings), parent[key])],
      [1, () => void (Array.isArray(parent[key]) && parent[key].length > 0 && parent[key].push(parent[key][0]))],
      [
        1,
        () => {
          const other = randomPlace(random, root);
          if (other !== undefined) setOwn(parent, key, structuredClone(other.parent[other.key]));
        },
      ],
    ])();
  }
  return result;
}

function randomPlace(random: Random, root: unknown): { parent: any; key: string } | undefined {
  let at: any = root;
  let place: { parent: any; key: string } | undefined;
  for (let depth = 0; depth < 12; depth++) {
    if (typeof at !== 'object' || at === null) break;
    const keys = Object.keys(at);
    if (keys.length === 0) break;
    const key = random.pick(keys);
    place = { parent: at, key };
    if (random.chance(0.15)) break;
    at = at[key];
  }
  return place;
}

/** Bytes cut, doubled, flipped. */
export function mutateBytes(random: Random, bytes: Buffer): Buffer {
  let copy: Buffer = Buffer.from(bytes);
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    if (copy.length === 0) return Buffer.from([random.below(256)]);
    const at = random.below(copy.length);
    copy = random.weighted<() => Buffer>([
      [
        4,
        () => {
          copy[at] = random.below(256);
          return copy;
        },
      ],
      [1, () => copy.subarray(0, at)],
      [1, () => Buffer.concat([copy.subarray(0, at), copy.subarray(at + 1 + random.below(8))])],
      [1, () => Buffer.concat([copy.subarray(0, at), copy.subarray(at, at + random.below(64)), copy.subarray(at)])],
      [1, () => Buffer.concat([copy.subarray(0, at), Buffer.from(random.pick(oddStrings)), copy.subarray(at)])],
    ])();
  }
  return copy;
}

export { oddNumbers, oddStrings, words };
