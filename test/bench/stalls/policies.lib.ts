import { onMaps, policies, policyCase, post, type StallCase, times } from './requests.lib.ts';

/** Admission policies. */
export const policyCases: StallCase[] = [
  policyCase(
    'policies: 100 of 10 expressions',
    100,
    1,
    times(10, (i) => `object.data.size() >= 0 && ${i} >= 0`),
    '"a":"b"',
  ),
  policyCase('policies: one of 1,000 bindings', 1, 1000, ['object.data.size() >= 0'], '"a":"b"'),
  policyCase(
    'policies: dear expressions up to their budgets',
    10,
    1,
    times(20, () => 'object.data.all(k, object.data[k].matches("^(a|b|c)*$"))'),
    times(20_000, (i) => `"k${i}":"${'abc'.repeat(5)}"`).join(','),
  ),
  policyCase(
    'policies: loops up to their budgets',
    1,
    1,
    times(10, (i) => `object.data.all(k, object.data.map(l, l).size() > ${i})`),
    times(900, (i) => `"k${i}":"v"`).join(','),
  ),
  {
    name: 'policies: a policy of 1.4 MiB',
    requests: (round) => [
      post(policies, {
        metadata: { name: `big-${round}` },
        spec: {
          matchConstraints: onMaps,
          validations: times(8000, (i) => ({
            expression: `object.metadata.name.startsWith("${'x'.repeat(100)}${i}")`,
          })),
        },
      }),
      post(policies, {
        metadata: { name: `deep-${round}` },
        spec: {
          matchConstraints: onMaps,
          validations: [{ expression: `${'1+'.repeat(400_000)}1 > 0` }],
        },
      }),
      post(policies, {
        metadata: { name: `list-${round}` },
        spec: { matchConstraints: onMaps, validations: [{ expression: `[${'1,'.repeat(400_000)}1].size() > 0` }] },
      }),
      post(policies, {
        metadata: { name: `macros-${round}` },
        spec: {
          matchConstraints: onMaps,
          validations: times(2000, () => ({
            expression: `[1].all(a, [1].all(b, [1].all(c, [1].all(d, [1].all(e, a+b+c+d+e > ${'x'.length})))))`,
          })),
        },
      }),
    ],
    async cleanUp(ask) {
      await ask({ method: 'DELETE', path: policies });
    },
  },
];
