import {
  type Ask,
  bodyBytes,
  custom,
  customCase,
  listOf,
  longList,
  mergePatch,
  objectBytes,
  patch,
  type StallCase,
  times,
} from './requests.lib.ts';

/** Objects of custom resources whose schemas and rules are dear. */
export const schemaCases: StallCase[] = [
  customCase('schema: a set of 300,000', 'Set', listOf({ type: 'integer' }, { 'x-kubernetes-list-type': 'set' }), () =>
    longList((index) => String(index)),
  ),
  customCase(
    'schema: a list-map of 60,000, all the same key',
    'Keyed',
    listOf(
      { type: 'object', properties: { k: { type: 'string' } }, required: ['k'] },
      { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'] },
    ),
    () => longList(() => '{"k":"a"}'),
  ),
  {
    ...(() => {
      const made = custom(
        'Ratchet',
        listOf(
          {
            type: 'object',
            properties: { k: { type: 'string' }, v: { type: 'string' } },
            required: ['k'],
          },
          { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'] },
        ),
      );
      return {
        name: 'schema: an update of a list-map of 20,000',
        prepare: (ask: Ask, namespace: string) =>
          made.defineWith(
            ask,
            namespace,
            longList((i) => `{"k":"k${i}"}`),
          ),
        requests: (round: number, namespace: string) => [
          patch(
            `${made.path(namespace)}/o`,
            `{"spec":${longList((i) => `{"k":"k${i}","v":"${round}"}`, objectBytes / 4)}}`,
            mergePatch,
          ),
        ],
        cleanUp: (ask: Ask) => made.forget(ask),
      };
    })(),
  },
  customCase('schema: 3 MiB of items of the wrong type', 'Wrong', listOf({ type: 'string' }), () =>
    longList(() => '0', bodyBytes - 300),
  ),
  customCase(
    'schema: 3 MiB of fields that are pruned',
    'Pruned',
    listOf({ type: 'object', properties: { a: { type: 'string' } } }),
    () => longList((i) => `{"b${i}":0}`, bodyBytes - 300),
  ),
  customCase(
    'schema: 400,000 items of an enum of 50,000',
    'Enum',
    listOf({ type: 'string', enum: times(50_000, (i) => `e${i}`) }),
    () => longList((index) => `"e${index % 50_000}"`),
  ),
  customCase(
    'schema: 100,000 items of none of 3,000 alternatives',
    'Alternative',
    listOf({
      type: 'object',
      properties: { a: { type: 'integer' } },
      anyOf: times(3000, (i) => ({ properties: { a: { minimum: 1_000_000 + i } } })),
    }),
    () => longList((index) => `{"a":${index}}`),
  ),
  customCase(
    'schema: alternatives within alternatives',
    'Nested',
    listOf({
      type: 'object',
      properties: { a: { type: 'integer' } },
      ...(function nested(depth: number): object {
        return depth === 0
          ? { properties: { a: { minimum: 1_000_000 } } }
          : { anyOf: [nested(depth - 1), nested(depth - 1), nested(depth - 1)] };
      })(7),
    }),
    () => longList((index) => `{"a":${index}}`),
  ),
  customCase(
    'schema: items without 3,000 required fields',
    'Required',
    listOf({
      type: 'object',
      properties: Object.fromEntries(times(3000, (i) => [`p${i}`, { type: 'string' }])),
      required: times(3000, (i) => `p${i}`),
    }),
    () => longList(() => '{}'),
  ),
  customCase(
    'schema: items of 3,000 defaults',
    'Defaulted',
    listOf({
      type: 'object',
      properties: Object.fromEntries(times(3000, (i) => [`p${i}`, { type: 'string', default: 'a' }])),
    }),
    () => longList(() => '{}'),
  ),
  customCase(
    'schema: a pattern that backtracks, on 1.4 MiB',
    'Backtrack',
    { type: 'object', properties: { s: { type: 'string', pattern: '^(a+)+$' } } },
    () => `{"s":"${'a'.repeat(objectBytes)}b"}`,
  ),
  customCase(
    'schema: a long literal pattern, on 1.4 MiB',
    'Literal',
    { type: 'object', properties: { s: { type: 'string', pattern: `${'a'.repeat(130)}b` } } },
    () => `{"s":"${'a'.repeat(objectBytes)}"}`,
  ),
  customCase(
    'schema: patterns on 100,000 items',
    'Patterns',
    listOf({ type: 'string', pattern: '^([a-z0-9]+[-.])*[a-z0-9]+$' }),
    () => longList((i) => `"a-b.c${i}!"`),
  ),
  customCase(
    'schema: large repeated patterns on 30,000 items',
    'Counted',
    listOf({ type: 'string', pattern: '^((a?){30}){10}a{300}$' }),
    () => longList(() => `"${'a'.repeat(40)}"`),
  ),
  ...[
    'date-time',
    'email',
    'hostname',
    'uri',
    'ipv6',
    'byte',
    'duration',
    'cidr',
    'uuid',
    'mac',
    'isbn',
    'creditcard',
  ].map((format) =>
    customCase(
      `schema: format ${format} of 1.4 MiB`,
      `Format${format.replace('-', '')}`,
      listOf({ type: 'string', format }),
      (round) =>
        `{"list":["${(['1', 'a.', '::', 'a'][round % 4] as string).repeat(objectBytes / 4)}","${'1h'.repeat(objectBytes / 6)}x"]}`,
    ),
  ),
  customCase(
    'cel: a rule for each of 100,000 items',
    'Ruled',
    listOf({ type: 'integer', 'x-kubernetes-validations': [{ rule: 'self >= 0' }] }, { maxItems: 100_000 }),
    () => `{"list":[${times(100_000, (i) => i)}]}`,
  ),
  customCase(
    'cel: all, exists and map over 300 items twice',
    'Looped',
    listOf(
      { type: 'integer' },
      {
        maxItems: 300,
        'x-kubernetes-validations': [
          { rule: 'self.all(a, self.exists(b, b >= a))' },
          { rule: 'self.map(a, a + 1).all(b, b > 0)' },
        ],
      },
    ),
    () => `{"list":[${times(300, (i) => i)}]}`,
  ),
  customCase(
    'cel: rules up to the budget of a request',
    'Budget',
    listOf(
      {
        type: 'string',
        maxLength: 1000,
        'x-kubernetes-validations': [{ rule: "self.matches('^([a-z0-9]+[-.])*[a-z0-9]+$')" }],
      },
      { maxItems: 3000 },
    ),
    () => `{"list":[${times(1300, () => `"${'a-b.c'.repeat(199)}"`)}]}`,
  ),
  customCase(
    'cel: every rule fails with a long message',
    'Failing',
    listOf(
      { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self < 0', message: 'm'.repeat(2000) }] },
      { maxItems: 100_000 },
    ),
    () => `{"list":[${times(100_000, (i) => i)}]}`,
  ),
];
