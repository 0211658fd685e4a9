import { eventually } from '../../../lib/eventually.ts';
import type { Ask } from '../client.ts';
import type { Twin } from '../twin.ts';
import { configMap, makeNamespace, pod } from './objects.ts';

/** Who may do what, and what the others are told. */
export async function access(twin: Twin): Promise<void> {
  const namespace = `access-${twin.run}`;
  await makeNamespace(twin, namespace);
  const maps = `/api/v1/namespaces/${namespace}/configmaps`;
  await twin.prepare({ method: 'POST', path: maps, body: configMap('a') });
  const asks: [string, Ask][] = [
    ['list', { path: maps }],
    ['get', { path: `${maps}/a` }],
    ['get nothing', { path: `${maps}/none` }],
    ['watch', { path: `${maps}?watch=1&timeoutSeconds=1` }],
    ['create', { method: 'POST', path: maps, body: configMap('b') }],
    ['update', { method: 'PUT', path: `${maps}/a`, body: configMap('a') }],
    ['patch', { method: 'PATCH', path: `${maps}/a`, type: 'application/merge-patch+json', body: {} }],
    ['delete', { method: 'DELETE', path: `${maps}/a` }],
    ['delete collection', { method: 'DELETE', path: maps }],
    ['list everywhere', { path: '/api/v1/configmaps' }],
    ['list nodes', { path: '/api/v1/nodes' }],
    ['node', { path: '/api/v1/nodes/x' }],
    ['namespace', { path: `/api/v1/namespaces/${namespace}` }],
    ['namespaces', { path: '/api/v1/namespaces' }],
    ['roles', { path: '/apis/rbac.authorization.k8s.io/v1/clusterroles' }],
    ['deployment scale', { path: `/apis/apps/v1/namespaces/${namespace}/deployments/x/scale` }],
    ['pod log', { path: `/api/v1/namespaces/${namespace}/pods/x/log` }],
    ['pod exec', { method: 'POST', path: `/api/v1/namespaces/${namespace}/pods/x/exec` }],
    ['secret by name', { path: `/api/v1/namespaces/${namespace}/secrets?fieldSelector=metadata.name%3Dx` }],
    ['no resource', { path: '/api/v1/nothings' }],
    ['no group', { path: '/apis/none/v1/things' }],
    ['/', { path: '/' }],
    ['/api', { path: '/api' }],
    ['/apis', { path: '/apis' }],
    ['/version', { path: '/version' }],
    ['/healthz', { path: '/healthz' }],
    ['/livez', { path: '/livez' }],
    ['/readyz', { path: '/readyz?verbose' }],
    ['/metrics', { path: '/metrics' }],
    ['/openapi/v2', { path: '/openapi/v2' }],
    ['/openapi/v3', { path: '/openapi/v3' }],
    ['/nothing', { path: '/nothing' }],
    ['issuer', { path: '/.well-known/openid-configuration' }],
    ['self subject review', { method: 'POST', path: '/apis/authentication.k8s.io/v1/selfsubjectreviews', body: {} }],
    [
      'rules review',
      { method: 'POST', path: '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', body: { spec: { namespace } } },
    ],
  ];
  const reduce = { reduce: ({ json, text, status }: any) => (status === 200 ? (json?.kind ?? '') : (json ?? text)) };
  for (const [label, ask] of asks) {
    await twin.ask(`anonymous ${label}`, { ...ask, anonymous: true }, reduce);
    await twin.ask(
      `bad token ${label}`,
      { ...ask, anonymous: true, headers: { authorization: 'Bearer nonsense' } },
      reduce,
    );
    await twin.ask(`nobody ${label}`, { ...ask, headers: { 'impersonate-user': 'nobody' } }, reduce);
    await twin.ask(
      `service account ${label}`,
      { ...ask, headers: { 'impersonate-user': `system:serviceaccount:${namespace}:default` } },
      reduce,
    );
  }
  for (const authorization of [
    'Basic YTpi',
    'Bearer',
    'Bearer ',
    'bearer x',
    'Other x',
    'Bearer a.b.c',
    'Bearer eyJhbGciOiJub25lIn0.e30.',
  ]) {
    await twin.ask(`authorization ${authorization}`, { path: maps, anonymous: true, headers: { authorization } });
  }
  const impersonations: Record<string, string>[] = [
    { 'impersonate-group': 'x' },
    { 'impersonate-uid': 'x' },
    { 'impersonate-extra-a': 'x' },
    { 'impersonate-user': '' },
    { 'impersonate-user': 'x', 'impersonate-group': 'system:masters' },
    { 'impersonate-user': 'x', 'impersonate-uid': 'y', 'impersonate-extra-a%2fb': 'z' },
    { 'impersonate-user': 'system:anonymous' },
    { 'impersonate-user': 'system:serviceaccount:a:b' },
    { 'impersonate-user': 'system:serviceaccount:bad' },
    { 'impersonate-user': 'x', 'impersonate-group': 'system:unauthenticated' },
    { 'impersonate-user': 'system:node:a' },
    { 'impersonate-user': 'x', 'impersonate-extra-': 'y' },
  ];
  for (const headers of impersonations) {
    await twin.ask(`review as ${JSON.stringify(headers)}`, {
      method: 'POST',
      path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      body: {},
      headers,
    });
    await twin.ask(`list as ${JSON.stringify(headers)}`, { path: maps, headers }, reduce);
  }
  const nested = { 'impersonate-user': 'nobody' };
  await twin.ask('self review', {
    method: 'POST',
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    body: {},
  });
  const reviews = '/apis/authorization.k8s.io/v1';
  const attributes = [
    {},
    { namespace, verb: 'get', resource: 'pods' },
    { verb: '*', resource: '*', group: '*' },
    { namespace, verb: 'get', resource: 'pods', subresource: 'log', name: 'x' },
    { verb: 'list', resource: 'nodes' },
    {
      namespace,
      verb: 'list',
      resource: 'pods',
      fieldSelector: { requirements: [{ key: 'spec.nodeName', operator: 'In', values: ['x'] }] },
    },
    {
      namespace,
      verb: 'list',
      resource: 'pods',
      fieldSelector: { rawSelector: 'spec.nodeName=x', requirements: [{ key: 'a', operator: 'In', values: ['b'] }] },
    },
    { namespace, verb: 'list', resource: 'pods', labelSelector: { requirements: [{ key: 'a', operator: 'Other' }] } },
  ];
  for (const resourceAttributes of attributes) {
    const body = { spec: { resourceAttributes } };
    await twin.ask(`self access ${JSON.stringify(resourceAttributes)}`, {
      method: 'POST',
      path: `${reviews}/selfsubjectaccessreviews`,
      body,
    });
    await twin.ask(`nobody's access ${JSON.stringify(resourceAttributes)}`, {
      method: 'POST',
      path: `${reviews}/selfsubjectaccessreviews`,
      body,
      headers: nested,
    });
    await twin.ask(`access of x ${JSON.stringify(resourceAttributes)}`, {
      method: 'POST',
      path: `${reviews}/subjectaccessreviews`,
      body: { spec: { resourceAttributes, user: 'x' } },
    });
    await twin.ask(`local access of x ${JSON.stringify(resourceAttributes)}`, {
      method: 'POST',
      path: `${reviews}/namespaces/${namespace}/localsubjectaccessreviews`,
      body: { spec: { resourceAttributes, user: 'x' } },
    });
  }
  for (const body of [
    {},
    { spec: {} },
    { spec: { nonResourceAttributes: { path: '/healthz', verb: 'get' } } },
    { spec: { nonResourceAttributes: {}, resourceAttributes: {} } },
    { spec: { user: 'x', groups: ['system:masters'], resourceAttributes: { verb: 'get' } } },
    { metadata: { name: 'x' }, spec: { resourceAttributes: {} } },
    { spec: { user: 'x', extra: { a: ['b'] }, uid: '1', nonResourceAttributes: { path: '/nothing', verb: 'post' } } },
    { spec: { groups: ['x'], resourceAttributes: {} } },
  ]) {
    for (const resource of [
      'selfsubjectaccessreviews',
      'subjectaccessreviews',
      `namespaces/${namespace}/localsubjectaccessreviews`,
    ])
      await twin.ask(`${resource.split('/').at(-1)} of ${JSON.stringify(body)}`, {
        method: 'POST',
        path: `${reviews}/${resource}`,
        body,
      });
  }
  for (const body of [{}, { spec: { namespace } }, { spec: { namespace: 'kube-system' } }]) {
    const sorted = {
      reduce: ({ json }: any) => ({
        ...json,
        status: {
          ...json.status,
          resourceRules: sort(json.status?.resourceRules),
          nonResourceRules: sort(json.status?.nonResourceRules),
        },
      }),
    };
    await twin.ask(
      `rules ${JSON.stringify(body)}`,
      { method: 'POST', path: `${reviews}/selfsubjectrulesreviews`, body },
      sorted,
    );
    await twin.ask(
      `nobody's rules ${JSON.stringify(body)}`,
      { method: 'POST', path: `${reviews}/selfsubjectrulesreviews`, body, headers: nested },
      sorted,
    );
  }
  await tokens(twin, namespace);
  await roles(twin, namespace);
}

const sort = (list: unknown[] | undefined) => list?.map((one) => JSON.stringify(one)).sort();

async function tokens(twin: Twin, namespace: string): Promise<void> {
  const account = `/api/v1/namespaces/${namespace}/serviceaccounts/default`;
  await twin.prepare({ method: 'POST', path: `/api/v1/namespaces/${namespace}/pods`, body: pod('bound') });
  for (const spec of [
    undefined,
    {},
    { expirationSeconds: 600 },
    { expirationSeconds: 5 },
    { expirationSeconds: 9999999999 },
    { audiences: ['a', 'b'] },
    { audiences: [] },
    { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'bound' } },
    { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'none' } },
    { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'bound', uid: 'x' } },
    { boundObjectRef: { kind: 'ConfigMap', apiVersion: 'v1', name: 'a' } },
    { boundObjectRef: { kind: 'Secret', apiVersion: 'v1', name: 'none' } },
    { boundObjectRef: { kind: 'Node', apiVersion: 'v1', name: 'none' } },
  ]) {
    await twin.ask(`token with ${JSON.stringify(spec)}`, {
      method: 'POST',
      path: `${account}/token`,
      body: spec === undefined ? {} : { spec },
    });
  }
  await twin.ask('token of another', {
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/none/token`,
    body: { spec: {} },
  });
  await twin.ask('token with a name', {
    method: 'POST',
    path: `${account}/token`,
    body: { metadata: { name: 'other' }, spec: {} },
  });
  await twin.ask(
    'token dry',
    { method: 'POST', path: `${account}/token?dryRun=All`, body: { spec: {} } },
    { bodyIgnored: true },
  );
  const made = await twin.prepare({ method: 'POST', path: `${account}/token`, body: { spec: {} } });
  twin.note('token', made, ({ json }) => json.status.token);
  const review = '/apis/authentication.k8s.io/v1/tokenreviews';
  await twin.ask('token review', (side) => ({
    method: 'POST',
    path: review,
    body: { spec: { token: side.notes['token'] } },
  }));
  await twin.ask(
    'token review of audience',
    (side) => ({
      method: 'POST',
      path: review,
      body: { spec: { token: side.notes['token'], audiences: ['other'] } },
    }),
    // The issuer is a flag of kube-apiserver's.
    { replace: [[/https:\/\/kubernetes\.default\.svc[\w./]*/g, 'https://issuer']] },
  );
  for (const spec of [{}, { token: '' }, { token: 'nonsense' }, { token: 'a.b.c' }])
    await twin.ask(`token review ${JSON.stringify(spec)}`, { method: 'POST', path: review, body: { spec } });
  const bearer = (side: { notes: Record<string, any> }) => ({ authorization: `Bearer ${side.notes['token']}` });
  await twin.ask('self review by token', (side) => ({
    method: 'POST',
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    body: {},
    anonymous: true,
    headers: bearer(side),
  }));
  await twin.ask('list by token', (side) => ({
    path: `/api/v1/namespaces/${namespace}/pods`,
    anonymous: true,
    headers: bearer(side),
  }));
}

async function roles(twin: Twin, namespace: string): Promise<void> {
  const root = '/apis/rbac.authorization.k8s.io/v1';
  const maker = { 'impersonate-user': `maker-${twin.run}` };
  const rule = {
    apiGroups: ['rbac.authorization.k8s.io'],
    resources: ['roles', 'rolebindings', 'clusterroles', 'clusterrolebindings'],
    verbs: ['*'],
  };
  await twin.prepare({
    method: 'POST',
    path: `${root}/clusterroles`,
    body: { metadata: { name: `maker-${twin.run}` }, rules: [rule] },
  });
  await twin.prepare({
    method: 'POST',
    path: `${root}/clusterrolebindings`,
    body: {
      metadata: { name: `maker-${twin.run}` },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: `maker-${twin.run}` },
      subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: `maker-${twin.run}` }],
    },
  });
  const roles = `${root}/namespaces/${namespace}/roles`;
  // kube-apiserver hears of roles a moment later.
  await eventually('the maker may list roles', async () => {
    const { kubernetes, skypod } = await twin.prepare({ path: roles, headers: maker }, [200, 403]);
    return kubernetes.status === 200 && skypod.status === 200;
  });
  const bindings = `${root}/namespaces/${namespace}/rolebindings`;
  const rules = [
    { apiGroups: [''], resources: ['secrets', 'pods'], verbs: ['get', 'list'] },
    { apiGroups: ['apps'], resources: ['deployments/scale'], resourceNames: ['x'], verbs: ['update'] },
  ];
  await twin.ask('escalation', {
    method: 'POST',
    path: roles,
    body: { metadata: { name: 'a' }, rules },
    headers: maker,
  });
  await twin.ask('cluster escalation', {
    method: 'POST',
    path: `${root}/clusterroles`,
    body: { metadata: { name: `b-${twin.run}` }, rules: [...rules, { nonResourceURLs: ['/metrics'], verbs: ['get'] }] },
    headers: maker,
  });
  await twin.ask('no escalation', {
    method: 'POST',
    path: roles,
    body: { metadata: { name: 'a' }, rules: [rule] },
    headers: maker,
  });
  await twin.ask('update escalates', {
    method: 'PUT',
    path: `${roles}/a`,
    body: { metadata: { name: 'a' }, rules },
    headers: maker,
  });
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' };
  await twin.ask('binding escalates', {
    method: 'POST',
    path: bindings,
    body: { metadata: { name: 'a' }, roleRef, subjects: [] },
    headers: maker,
  });
  await twin.ask('binding to nothing', {
    method: 'POST',
    path: bindings,
    body: { metadata: { name: 'a' }, roleRef: { ...roleRef, name: 'none' }, subjects: [] },
    headers: maker,
  });
  await twin.ask('binding', {
    method: 'POST',
    path: bindings,
    body: { metadata: { name: 'a' }, roleRef, subjects: [{ kind: 'ServiceAccount', name: 'x', namespace }] },
  });
  await twin.ask('role reference is fixed', {
    method: 'PATCH',
    path: `${bindings}/a`,
    type: 'application/merge-patch+json',
    body: { roleRef: { name: 'view' } },
  });
  for (const name of [
    'cluster-admin',
    'admin',
    'edit',
    'view',
    'system:basic-user',
    'system:discovery',
    'system:public-info-viewer',
    'system:aggregate-to-admin',
    'system:aggregate-to-edit',
    'system:aggregate-to-view',
    'system:monitoring',
    'system:auth-delegator',
    'system:node',
    'system:kube-scheduler',
  ]) {
    await twin.ask(`cluster role ${name}`, { path: `${root}/clusterroles/${name}` });
  }
  for (const name of [
    'cluster-admin',
    'system:basic-user',
    'system:discovery',
    'system:public-info-viewer',
    'system:node',
  ])
    await twin.ask(`cluster role binding ${name}`, { path: `${root}/clusterrolebindings/${name}` });
}
