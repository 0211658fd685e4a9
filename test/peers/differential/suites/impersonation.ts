import { eventually } from '../../../lib/eventually.ts';
import type { Twin } from '../twin.ts';
import { makeNamespace } from './objects.ts';

type Headers = Record<string, string | string[]>;

/** Constrained impersonation (KEP-5284), of somebody who may do nothing else. */
export async function impersonation(twin: Twin): Promise<void> {
  const namespace = `impersonation-${twin.run}`;
  await makeNamespace(twin, namespace);
  const group = 'authentication.k8s.io';
  const root = '/apis/rbac.authorization.k8s.io/v1';
  const name = `impersonator-${twin.run}`;
  const rule = (resources: string[], verbs: string[], resourceNames?: string[]) => ({
    apiGroups: [group],
    resources,
    verbs,
    ...(resourceNames !== undefined && { resourceNames }),
  });
  const asUser = ['impersonate:user-info'];
  const on = (verb: string) =>
    ['user-info', 'serviceaccount', 'arbitrary-node'].map((mode) => `impersonate-on:${mode}:${verb}`);
  const rules = [
    rule(['users'], asUser, ['jane']),
    rule(['groups'], asUser, ['devs', '*']),
    rule(['uids'], asUser),
    rule(['userextras/acme.io/reason', 'userextras/reason', 'userextras/acme.io/uP'], asUser, ['why']),
    rule(['serviceaccounts'], ['impersonate:serviceaccount']),
    rule(['nodes'], ['impersonate:arbitrary-node'], ['n1']),
    rule(['selfsubjectreviews'], on('create')),
    { apiGroups: [''], resources: ['pods'], verbs: on('list') },
    { nonResourceURLs: ['/version'], verbs: on('get') },
  ];
  await twin.prepare({ method: 'POST', path: `${root}/clusterroles`, body: { metadata: { name }, rules } });
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name };
  const account = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await twin.prepare({ method: 'POST', path: account, body: { metadata: { name: 'impersonator' } } });
  const subjects = [{ kind: 'ServiceAccount', name: 'impersonator', namespace }];
  await twin.prepare({
    method: 'POST',
    path: `${root}/clusterrolebindings`,
    body: { metadata: { name }, roleRef, subjects },
  });
  const made = await twin.prepare({ method: 'POST', path: `${account}/impersonator/token`, body: { spec: {} } });
  twin.note('token', made, ({ json }) => json.status.token);
  const as = (notes: Record<string, any>, headers: Headers): Record<string, string> =>
    ({ authorization: `Bearer ${notes['token']}`, ...headers }) as Record<string, string>;

  const reviews = `/apis/${group}/v1/selfsubjectreviews`;
  const jane = { 'impersonate-user': 'jane' };
  // kube-apiserver hears of roles a moment later.
  await eventually('the impersonator may', async () => {
    const { kubernetes, skypod } = await twin.prepare(
      ({ notes }) => ({ method: 'POST', path: reviews, body: {}, anonymous: true, headers: as(notes, jane) }),
      [201, 403],
    );
    return kubernetes.status === 201 && skypod.status === 201;
  });

  const extra = (key: string, value = 'why'): Headers => ({ ...jane, [`impersonate-extra-${key}`]: value });
  const wanted: Headers[] = [
    jane,
    { ...jane, 'impersonate-uid': 'u' },
    { ...jane, 'impersonate-group': 'devs' },
    { ...jane, 'impersonate-group': 'ops' },
    { ...jane, 'impersonate-group': ['ops', 'system:masters'] },
    { ...jane, 'impersonate-group': ['ops', ''] },
    { ...jane, 'impersonate-group': ['a', 'b', 'c'] },
    { ...jane, 'impersonate-group': ['a', 'b', 'c', 'd'] },
    extra('acme.io%2freason'),
    extra('acme.io%2freason', 'no'),
    extra('acme.io%2freason', ''),
    extra('acme.io%2fu%50'),
    extra('acme.io%2f%5e'),
    extra('acme.io%2f'),
    extra('%2fx'),
    extra('_a%2fx'),
    extra('reason'),
    { 'impersonate-user': 'tom' },
    { 'impersonate-user': 'system:anonymous' },
    { 'impersonate-user': 'system:serviceaccount:a:x' },
    { 'impersonate-user': 'system:serviceaccount:a:x', 'impersonate-group': 'devs' },
    { 'impersonate-user': 'system:serviceaccount:Bad:x' },
    { 'impersonate-user': 'system:serviceaccount:a.b:x' },
    { 'impersonate-user': 'system:serviceaccount:a:x:y' },
    { 'impersonate-user': 'system:node:n1' },
    { 'impersonate-user': 'system:node:n2' },
    { 'impersonate-user': 'system:node:n1', 'impersonate-group': 'system:nodes' },
    { 'impersonate-user': 'system:node:Bad_' },
  ];
  for (const headers of wanted) {
    for (const [label, method, path] of [
      ['review', 'POST', reviews],
      ['list', 'GET', `/api/v1/namespaces/${namespace}/pods`],
      ['version', 'GET', '/version'],
      ['healthz', 'GET', '/healthz'],
    ] as const) {
      const ask = { method, path, anonymous: true, ...(method === 'POST' && { body: {} }) };
      await twin.ask(
        `${label} as ${JSON.stringify(headers)}`,
        ({ notes }) => ({ ...ask, headers: as(notes, headers) }),
        { bodyIgnored: path === '/version' },
      );
    }
  }
}
