import {
  type Ask,
  custom,
  definitions,
  forgetDefinitions,
  get,
  longList,
  must,
  post,
  type StallCase,
  times,
} from './requests.lib.ts';

/** Definitions of custom resources, and their documents. */
export const definitionCases: StallCase[] = [
  {
    name: 'definitions: 1.4 MiB of properties',
    requests: (round) => [
      post(
        definitions,
        custom(`Wide${round}`, {
          type: 'object',
          properties: Object.fromEntries(times(30_000, (i) => [`p${i}`, { type: 'string', maxLength: 9 }])),
        }).definition,
      ),
    ],
    cleanUp: (ask) =>
      forgetDefinitions(
        ask,
        times(3, (i) => `wide${i}s`),
      ),
  },
  {
    name: 'definitions: 1.4 MiB of rules with CEL',
    requests: (round) => [
      post(
        definitions,
        custom(`Rules${round}`, {
          type: 'object',
          properties: Object.fromEntries(
            times(10_000, (i) => [
              `p${i}`,
              { type: 'string', maxLength: 9, 'x-kubernetes-validations': [{ rule: `self.startsWith("p${i}")` }] },
            ]),
          ),
        }).definition,
      ),
    ],
    cleanUp: (ask) =>
      forgetDefinitions(
        ask,
        times(3, (i) => `rules${i}s`),
      ),
  },
  {
    name: 'definitions: one type of 10,000 fields with 3,000 rules of it',
    requests: (round) => [
      post(
        definitions,
        custom(`Rooted${round}`, {
          type: 'object',
          properties: Object.fromEntries(times(10_000, (i) => [`p${i}`, { type: 'string', maxLength: 9 }])),
          'x-kubernetes-validations': times(3000, (i) => ({ rule: `self.p${i}.size() < 10` })),
        }).definition,
      ),
    ],
    cleanUp: (ask) =>
      forgetDefinitions(
        ask,
        times(3, (i) => `rooted${i}s`),
      ),
  },
  {
    name: 'definitions: 20 rules over nested lists, deep',
    requests: (round) => [
      post(
        definitions,
        custom(
          `Deep${round}`,
          (function deep(depth: number): object {
            return depth === 0
              ? { type: 'integer' }
              : {
                  type: 'array',
                  maxItems: 2,
                  items: deep(depth - 1),
                  'x-kubernetes-validations': [{ rule: 'self.size() < 3' }],
                };
          })(180),
        ).definition,
      ),
    ],
    cleanUp: (ask) =>
      forgetDefinitions(
        ask,
        times(3, (i) => `deep${i}s`),
      ),
  },
  {
    name: 'definitions: 1,000 columns, read as a table',
    ...(() => {
      const made = custom(
        'Column',
        { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        {
          additionalPrinterColumns: times(2000, (i) => ({
            name: `c${i}`,
            type: 'string',
            jsonPath: '.spec.list[*].a[*]',
          })),
        },
      );
      return {
        prepare: (ask: Ask, namespace: string) =>
          made.defineWith(
            ask,
            namespace,
            longList(() => '{"a":[1,2,3]}', 400_000),
          ),
        requests: (_round: number, namespace: string) => [
          get(`${made.path(namespace)}/o`, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }),
          get(made.path(namespace), { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }),
        ],
        cleanUp: (ask: Ask) => made.forget(ask),
      };
    })(),
  },
  {
    name: 'openapi: after ten definitions of 1.4 MiB',
    async prepare(ask) {
      for (let index = 0; index < 10; index++) {
        await must(
          ask,
          post(
            definitions,
            custom(`Open${index}`, {
              type: 'object',
              properties: Object.fromEntries(
                times(20_000, (i) => [`p${i}`, { type: 'string', description: `what ${i} means` }]),
              ),
            }).definition,
          ),
        );
      }
      for (let tries = 0; tries < 500; tries++) {
        if ((await ask(get('/apis/stalls.example.com/v1/namespaces/default/open9s'))).code === 200) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    requests: () => [
      get('/openapi/v2'),
      get('/openapi/v2', { accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf' }),
      get('/openapi/v3'),
      get('/openapi/v3/apis/stalls.example.com/v1'),
      get('/apis'),
    ],
    cleanUp: (ask) =>
      forgetDefinitions(
        ask,
        times(10, (i) => `open${i}s`),
      ),
  },
];
