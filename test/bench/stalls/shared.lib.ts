import {
  bodyBytes,
  cluster,
  containersOf,
  core,
  filled,
  get,
  json,
  map,
  mergePatch,
  must,
  objectBytes,
  patch,
  podOf,
  post,
  type StallCase,
  smallFields,
  times,
} from './requests.lib.ts';

/** Roles, quotas, webhooks, lists, watches. */
export const otherCases: StallCase[] = [
  {
    name: 'rbac: a cluster role of 1.4 MiB, and a binding to it, asked of',
    async prepare(ask) {
      const rules = times(12_000, (i) => ({ apiGroups: ['x.example'], resources: [`r${i}`], verbs: ['get'] }));
      await must(
        ask,
        post(cluster('rbac.authorization.k8s.io/v1', 'clusterroles'), { metadata: { name: 'big' }, rules }),
      );
      for (let index = 0; index < 20; index++) {
        await must(
          ask,
          post(cluster('rbac.authorization.k8s.io/v1', 'clusterrolebindings'), {
            metadata: { name: `big-${index}` },
            roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'big' },
            subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'guest' }],
          }),
        );
      }
    },
    requests: (round, namespace) => [
      get(core(namespace, 'pods'), { 'impersonate-user': 'guest' }),
      {
        ...post('/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', { spec: { namespace } }),
        headers: { 'content-type': json, 'impersonate-user': 'guest' },
      },
      {
        ...post(`/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`, {
          metadata: { name: `r-${round}` },
          rules: times(5000, (i) => ({ apiGroups: ['x.example'], resources: [`r${i}`], verbs: ['get', 'list'] })),
        }),
        headers: { 'content-type': json, 'impersonate-user': 'guest' },
      },
    ],
    async cleanUp(ask) {
      for (let index = 0; index < 20; index++) {
        await ask({
          method: 'DELETE',
          path: `${cluster('rbac.authorization.k8s.io/v1', 'clusterrolebindings')}/big-${index}`,
        });
      }
    },
  },
  {
    name: 'rbac: who writes a role is held to 5,000 rules of one’s own',
    async prepare(ask) {
      const rules = [
        { apiGroups: ['rbac.authorization.k8s.io'], resources: ['*'], verbs: ['*'] },
        ...times(5000, (i) => ({ apiGroups: ['x.example'], resources: [`r${i}`], verbs: ['get'] })),
      ];
      await must(
        ask,
        post(cluster('rbac.authorization.k8s.io/v1', 'clusterroles'), { metadata: { name: 'own' }, rules }),
      );
      await must(
        ask,
        post(cluster('rbac.authorization.k8s.io/v1', 'clusterrolebindings'), {
          metadata: { name: 'own' },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'own' },
          subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'owner' }],
        }),
      );
    },
    requests: (round, namespace) => [
      {
        ...post(`/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`, {
          metadata: { name: `r-${round}` },
          rules: times(5000, (i) => ({ apiGroups: ['x.example'], resources: [`r${4999 - i}`, 'z'], verbs: ['get'] })),
        }),
        headers: { 'content-type': json, 'impersonate-user': 'owner' },
      },
    ],
    cleanUp: async (ask) => {
      await ask({ method: 'DELETE', path: `${cluster('rbac.authorization.k8s.io/v1', 'clusterrolebindings')}/own` });
    },
  },
  {
    name: 'quota: 500 quotas of a namespace, each of 100 things, and a pod',
    async prepare(ask, namespace) {
      for (let index = 0; index < 500; index++) {
        await must(
          ask,
          post(core(namespace, 'resourcequotas'), {
            metadata: { name: `q-${index}` },
            spec: { hard: Object.fromEntries(times(100, (i) => [`requests.example.com/r${i}`, '1000'])) },
          }),
        );
      }
    },
    requests: (round, namespace) => [
      post(core(namespace, 'pods'), podOf(`p-${round}`, containersOf('"resources":{"requests":{"cpu":"1"}}'))),
    ],
  },
  {
    name: 'quota: one of 40,000 things and 1.4 MiB of scopes',
    requests: (round, namespace) => [
      post(
        core(namespace, 'resourcequotas'),
        `{"metadata":{"name":"s-${round}"},"spec":{"hard":{${filled(objectBytes, (i) => `"count/r${i}.example.com":"1"`)}}}}`,
      ),
      post(
        core(namespace, 'resourcequotas'),
        `{"metadata":{"name":"t-${round}"},"spec":{"scopeSelector":{"matchExpressions":[${filled(objectBytes, (i) => `{"scopeName":"PriorityClass","operator":"In","values":["c${i}"]}`)}]}}}`,
      ),
    ],
  },
  {
    name: 'webhooks: a configuration of 1.4 MiB with match conditions',
    requests: (round) => [
      post(cluster('admissionregistration.k8s.io/v1', 'validatingwebhookconfigurations'), {
        metadata: { name: `w-${round}` },
        webhooks: times(2500, (i) => ({
          name: `w${i}.example.com`,
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
          clientConfig: { url: 'https://192.0.2.1/' },
          failurePolicy: 'Ignore',
          rules: [{ apiGroups: ['x.example'], apiVersions: ['v1'], operations: ['*'], resources: ['r'] }],
          matchConditions: [{ name: 'a', expression: `object.metadata.name == "${i}"` }],
        })),
      }),
    ],
    cleanUp: async (ask) => {
      await ask({
        method: 'DELETE',
        path: cluster('admissionregistration.k8s.io/v1', 'validatingwebhookconfigurations'),
      });
    },
  },
  {
    name: 'webhooks: 50 of 64 match conditions each, and an object of 1.4 MiB',
    async prepare(ask, namespace) {
      await must(
        ask,
        post(cluster('admissionregistration.k8s.io/v1', 'validatingwebhookconfigurations'), {
          metadata: { name: 'conditions' },
          webhooks: times(50, (i) => ({
            name: `w${i}.example.com`,
            sideEffects: 'None',
            admissionReviewVersions: ['v1'],
            clientConfig: { url: 'https://192.0.2.1/' },
            failurePolicy: 'Ignore',
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
            rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['configmaps'] }],
            matchConditions: times(64, (c) => ({
              name: `c${c}`,
              expression: c === 63 ? 'false' : 'object.data.size() >= 0',
            })),
          })),
        }),
      );
    },
    requests: (round, namespace) => [post(core(namespace, 'configmaps'), map(`m-${round}`, smallFields(objectBytes)))],
    cleanUp: async (ask) => {
      await ask({
        method: 'DELETE',
        path: cluster('admissionregistration.k8s.io/v1', 'validatingwebhookconfigurations'),
      });
    },
  },
  {
    name: 'list: 2,000 objects by long selectors, as tables, as YAML, gzipped',
    async prepare(ask, namespace) {
      for (let index = 0; index < 2000; index++) {
        await must(
          ask,
          post(core(namespace, 'configmaps'), {
            metadata: { name: `m-${index}`, labels: { a: `${index}` } },
            data: { a: 'x'.repeat(5000) },
          }),
        );
      }
    },
    requests: (_round, namespace) => {
      const wanted = filled(9000, (index) => `v${index}`);
      return [
        get(`${core(namespace, 'configmaps')}?labelSelector=${encodeURIComponent(`a notin (${wanted})`)}`),
        get(`${core(namespace, 'configmaps')}?labelSelector=${filled(12_000, (i) => `!b${i}`)}`),
        get(core(namespace, 'configmaps'), { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }),
        get(`${core(namespace, 'configmaps')}?pretty=true`, { 'accept-encoding': 'gzip' }),
        get(`${core(namespace, 'configmaps')}`, { accept: 'application/yaml', 'accept-encoding': 'gzip' }),
        get(`${core(namespace, 'configmaps')}?fieldSelector=${filled(9000, (i) => `metadata.name!=m-${i}`)}`),
      ];
    },
  },
  {
    name: 'get: 0.7 MiB of small fields as YAML, as a table, pretty, gzipped, in protobuf',
    async prepare(ask, namespace) {
      await must(ask, post(core(namespace, 'configmaps'), map('m', smallFields(objectBytes / 2))));
    },
    requests: (_round, namespace) => [
      get(`${core(namespace, 'configmaps')}/m`, { accept: 'application/yaml' }),
      get(`${core(namespace, 'configmaps')}/m`, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }),
      get(`${core(namespace, 'configmaps')}/m?pretty=true`, { 'accept-encoding': 'gzip' }),
      get(`${core(namespace, 'configmaps')}/m`, { accept: 'application/vnd.kubernetes.protobuf' }),
      get(core(namespace, 'configmaps'), { accept: 'application/yaml' }),
      get(core(namespace, 'configmaps'), { accept: 'application/vnd.kubernetes.protobuf' }),
    ],
  },
  {
    name: 'reviews: 3 MiB of groups and extras',
    requests: () => [
      post(
        '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        `{"spec":{"user":"a","resourceAttributes":{"verb":"get","resource":"pods"},"groups":[${filled(bodyBytes - 200, (i) => `"g${i}"`)}]}}`,
      ),
      post(
        '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        `{"spec":{"user":"a","resourceAttributes":{"verb":"get","resource":"pods"},"extra":{${filled(bodyBytes - 200, (i) => `"e${i}":["a"]`)}}}}`,
      ),
      post('/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token: 'a.'.repeat(bodyBytes / 2 - 100) } }),
      post('/apis/authentication.k8s.io/v1/tokenreviews', {
        spec: { token: `${'a'.repeat(1_000_000)}.${'a'.repeat(1_000_000)}.a` },
      }),
    ],
  },
  {
    name: 'services: 20,000 ports',
    requests: (round, namespace) => [
      post(
        core(namespace, 'services'),
        `{"metadata":{"name":"s-${round}"},"spec":{"ports":[${times(20_000, (i) => `{"name":"p${i}","port":${i + 1}}`)}]}}`,
      ),
    ],
  },
  {
    name: 'watch: 200 watches of 0.7 MiB, in other forms, and a change',
    async prepare(ask, namespace) {
      await must(ask, post(core(namespace, 'configmaps'), map('m', smallFields(objectBytes / 2))));
      const forms = [
        json,
        'application/json;as=Table;v=v1;g=meta.k8s.io',
        'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
        'application/vnd.kubernetes.protobuf',
      ];
      for (let index = 0; index < 200; index++) {
        void ask(
          get(
            `${core(namespace, 'configmaps')}?watch=1&resourceVersion=0&timeoutSeconds=60&labelSelector=a!%3D${index}`,
            {
              accept: forms[index % forms.length]!,
            },
          ),
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 2000));
    },
    requests: (round, namespace) => [
      patch(`${core(namespace, 'configmaps')}/m`, `{"data":{"y":"${round}"}}`, mergePatch),
    ],
  },
];
