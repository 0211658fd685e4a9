import {
  type Ask,
  bodyBytes,
  cluster,
  containersOf,
  core,
  custom,
  definitions,
  filled,
  get,
  longList,
  map,
  mergePatch,
  must,
  onMaps,
  patch,
  podOf,
  policies,
  policyCase,
  post,
  type StallCase,
  times,
} from './requests.lib.ts';

const rbac = (resource: string) => cluster('rbac.authorization.k8s.io/v1', resource);
const guest = { 'content-type': 'application/json', 'impersonate-user': 'guest' };
const asGuest = (asked: ReturnType<typeof post>) => ({ ...asked, headers: guest });
const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
const remove = (path: string) => async (ask: Ask) => {
  await ask({ method: 'DELETE', path });
};

/** Two long lists that are held to each other, and rules that say more things than there is memory for. */
export const productCases: StallCase[] = [
  {
    name: 'products: a role of a thousand verbs, groups and resources, by who may write roles only',
    async prepare(ask) {
      const rules = [{ apiGroups: ['rbac.authorization.k8s.io'], resources: ['*'], verbs: ['create'] }];
      await must(ask, post(rbac('clusterroles'), { metadata: { name: 'writer' }, rules }));
      await must(
        ask,
        post(rbac('clusterrolebindings'), {
          metadata: { name: 'writer' },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'writer' },
          subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'guest' }],
        }),
      );
    },
    requests: (round) => [
      asGuest(
        post(rbac('clusterroles'), {
          metadata: { name: `wide-${round}` },
          rules: [
            {
              apiGroups: times(1000, (i) => `g${i}`),
              resources: times(1000, (i) => `r${i}`),
              verbs: times(1000, (i) => `v${i}`),
            },
          ],
        }),
      ),
    ],
    cleanUp: remove(`${rbac('clusterrolebindings')}/writer`),
  },
  {
    name: 'products: 40,000 claims that a container uses, and 10,000 unknown ones of 10,000',
    requests: (round, namespace) => [
      post(
        core(namespace, 'pods'),
        podOf(`a-${round}`, containersOf(`"resources":{"claims":[${times(40_000, (i) => `{"name":"c${i}"}`)}]}`)),
      ),
      post(
        core(namespace, 'pods'),
        podOf(
          `b-${round}`,
          `"resourceClaims":[${times(10_000, (i) => `{"name":"k${i}","resourceClaimName":"x"}`)}],${containersOf(
            `"resources":{"claims":[${times(10_000, (i) => `{"name":"u${i}"}`)}]}`,
          )}`,
        ),
      ),
    ],
  },
  {
    name: 'products: 14,000 mounts and as many devices',
    requests: (round, namespace) => [
      post(
        core(namespace, 'pods'),
        podOf(
          `m-${round}`,
          containersOf(
            `"volumeMounts":[${times(14_000, (i) => `{"name":"v${i}","mountPath":"/m${i}"}`)}],"volumeDevices":[${times(14_000, (i) => `{"name":"d${i}","devicePath":"/d${i}"}`)}]`,
          ),
        ),
      ),
    ],
  },
  {
    name: 'products: a runtime class of 15,000 tolerations, and a pod of it of 15,000 others',
    async prepare(ask) {
      await must(
        ask,
        post(cluster('node.k8s.io/v1', 'runtimeclasses'), {
          metadata: { name: 'tolerant' },
          handler: 'runc',
          scheduling: { tolerations: times(15_000, (i) => ({ key: `k${i}`, operator: 'Exists' })) },
        }),
      );
    },
    requests: (round, namespace) => [
      post(
        core(namespace, 'pods'),
        podOf(
          `m-${round}`,
          `"runtimeClassName":"tolerant",${containersOf('"tty":true')},"tolerations":[${times(3000, (i) => `{"key":"p${i}","operator":"Exists"}`)}]`,
        ),
      ),
      post(cluster('node.k8s.io/v1', 'runtimeclasses'), {
        metadata: { name: `r-${round}` },
        handler: 'runc',
        scheduling: { tolerations: times(15_000, (i) => ({ key: `k${i}`, operator: 'Exists' })) },
      }),
    ],
  },
  {
    name: 'products: a limit range of 2,000 defaults, and a pod of 2,000 containers',
    async prepare(ask, namespace) {
      const amounts = Object.fromEntries(times(2000, (i) => [`x.example/r${i}`, '1']));
      await must(
        ask,
        post(core(namespace, 'limitranges'), {
          metadata: { name: 'l' },
          spec: { limits: [{ type: 'Container', default: amounts, defaultRequest: amounts, max: amounts }] },
        }),
      );
    },
    requests: (round, namespace) => [
      post(
        core(namespace, 'pods'),
        podOf(`m-${round}`, `"containers":[${times(2000, (i) => `{"name":"c${i}","image":"b"}`)}]`),
      ),
    ],
  },
  {
    name: 'products: a quota of 70,000 scopes nobody knows',
    requests: (round, namespace) => [
      post(core(namespace, 'resourcequotas'), {
        metadata: { name: `q-${round}` },
        spec: { hard: { pods: '1' }, scopes: times(70_000, (i) => `s${i}`) },
      }),
    ],
  },
  {
    name: 'products: lists that may hold nothing twice',
    requests: (round) => [
      post(cluster('admissionregistration.k8s.io/v1', 'validatingwebhookconfigurations'), {
        metadata: { name: `w-${round}` },
        webhooks: [
          {
            name: 'w.example.com',
            sideEffects: 'None',
            admissionReviewVersions: times(100_000, (i) => `v${i}`),
            clientConfig: { url: 'https://192.0.2.1/' },
          },
        ],
      }),
      post(cluster('storage.k8s.io/v1', 'storageclasses'), {
        metadata: { name: `s-${round}` },
        provisioner: 'a.b/c',
        allowedTopologies: times(40_000, () => ({})),
      }),
      post(definitions, {
        ...custom('Repeated', { type: 'object' }).definition,
        spec: {
          ...custom('Repeated', { type: 'object' }).definition.spec,
          conversion: {
            strategy: 'Webhook',
            webhook: {
              conversionReviewVersions: times(100_000, (i) => `v${i}`),
              clientConfig: { url: 'https://192.0.2.1/' },
            },
          },
        },
      }),
    ],
  },
  {
    name: 'products: 20,000 match conditions of a webhook, and of a policy',
    requests: (round) => [
      post(cluster('admissionregistration.k8s.io/v1', 'validatingwebhookconfigurations'), {
        metadata: { name: `w-${round}` },
        webhooks: [
          {
            name: 'w.example.com',
            sideEffects: 'None',
            admissionReviewVersions: ['v1'],
            clientConfig: { url: 'https://192.0.2.1/' },
            matchConditions: times(20_000, (i) => ({ name: `c${i}`, expression: `${round} + ${i} > 0` })),
          },
        ],
      }),
      post(policies, {
        metadata: { name: `p-${round}` },
        spec: {
          matchConstraints: onMaps,
          matchConditions: times(20_000, (i) => ({ name: `c${i}`, expression: `${round} - ${i} < 1` })),
          validations: [{ expression: 'true' }],
        },
      }),
    ],
  },
  {
    name: 'products: a policy of 8,000 variables',
    requests: (round) => [
      post(policies, {
        metadata: { name: `v-${round}` },
        spec: {
          matchConstraints: onMaps,
          variables: times(8000, (i) => ({
            name: `v${i}`,
            expression: i === 0 ? `${round}` : `variables.v${i - 1} + 1`,
          })),
          validations: [{ expression: 'variables.v7999 > 0' }],
        },
      }),
    ],
    cleanUp: remove(policies),
  },
  {
    ...policyCase(
      'products: a bound policy of 5,000 expressions, and the first request it is for',
      1,
      1,
      times(5000, (i) => `object.data.size() >= 0 && ${i} >= 0`),
      '"a":"b"',
    ),
    requests: (round, namespace) => [
      // The policy is compiled anew.
      patch(`${policies}/p0`, { metadata: { labels: { round: `${round}` } } }, mergePatch),
      post(core(namespace, 'configmaps'), map(`m-${round}`, '"a":"b"')),
    ],
  },
  policyCase(
    'products: a loop that costs little and takes long',
    1,
    1,
    ['object.data.all(k, object.data.all(l, k in object.metadata.annotations || l != k || true))'],
    times(900, (i) => `"k${i}":"v"`).join(','),
  ),
  {
    name: 'products: endpoints of 20,000 addresses and 20,000 ports, as a table',
    async prepare(ask, namespace) {
      const address = (i: number) => `{"ip":"10.${i >> 16}.${(i >> 8) & 255}.${i & 255}"}`;
      await must(
        ask,
        post(
          core(namespace, 'endpoints'),
          `{"metadata":{"name":"e"},"subsets":[{"addresses":[${times(20_000, address)}],"ports":[${times(20_000, (i) => `{"port":${i + 1},"name":"p${i}"}`)}]}]}`,
        ),
      );
    },
    requests: (_round, namespace) => [get(`${core(namespace, 'endpoints')}/e`, table)],
  },
  {
    ...(() => {
      const made = custom(
        'Union',
        { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        {
          additionalPrinterColumns: [
            { name: 'c', type: 'string', jsonPath: `.spec.list[${times(5000, () => '0:100000:1')}].none` },
          ],
        },
      );
      return {
        name: 'products: a column of 5,000 slices of a list of 100,000',
        prepare: (ask: Ask, namespace: string) =>
          made.defineWith(
            ask,
            namespace,
            longList(() => '0', 300_000),
          ),
        requests: (_round: number, namespace: string) => [get(`${made.path(namespace)}/o`, table)],
        cleanUp: (ask: Ask) => made.forget(ask),
      };
    })(),
  },
  {
    name: 'products: 40,000 finalizers, deleted; as many without a slash',
    requests: (round, namespace) => [
      post(core(namespace, 'configmaps'), {
        metadata: { name: `f-${round}`, finalizers: times(40_000, (i) => `a.b/f${i}`) },
      }),
      { method: 'DELETE', path: `${core(namespace, 'configmaps')}/f-${round}?propagationPolicy=Background` },
      post(
        core(namespace, 'configmaps'),
        `{"metadata":{"name":"g-${round}","finalizers":[${filled(bodyBytes, (i) => `"f${i}"`)}]}}`,
      ),
    ],
  },
  {
    name: 'products: a name of 3 MiB',
    requests: (_round, namespace) => [
      post(core(namespace, 'configmaps'), map('a.'.repeat(bodyBytes / 2 - 100), '"a":"b"')),
      post(core(namespace, 'configmaps'), map('é'.repeat(bodyBytes / 2 - 100), '"a":"b"')),
    ],
  },
  {
    name: 'products: a service of 6,000 ports, and other ports',
    async prepare(ask, namespace) {
      await must(
        ask,
        post(
          core(namespace, 'services'),
          `{"metadata":{"name":"s"},"spec":{"ports":[${times(6000, (i) => `{"name":"p${i}","port":${i + 1}}`)}]}}`,
        ),
      );
    },
    requests: (round, namespace) => [
      patch(
        `${core(namespace, 'services')}/s`,
        `{"spec":{"type":"NodePort","ports":[${times(6000, (i) => `{"name":"p${i}","port":${20_000 - i + round}}`)}]}}`,
        mergePatch,
      ),
    ],
  },
  {
    name: 'collections: 3,000 objects deleted at once, and a namespace of them',
    async prepare(ask, namespace) {
      for (let index = 0; index < 3000; index++) {
        await must(ask, post(core(namespace, 'configmaps'), map(`m-${index}`, '"a":"b"')));
      }
    },
    requests: (round, namespace) =>
      round === 0
        ? [
            {
              method: 'DELETE',
              path: `${core(namespace, 'configmaps')}?labelSelector=${filled(8000, (i) => `!b${i}`)}`,
            },
          ]
        : [get(core(namespace, 'configmaps'))],
  },
];
