// Roles, bindings, reviews and impersonation as users of a tenant meet them.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { StatusError } from '../../api/status.ts';
import type { ApiRequest } from '../../api/transport.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { anonymous, type Identity } from '../identity/identity.ts';
import { impersonate } from '../impersonation/modes.ts';
import { wantedUser } from '../impersonation/wanted-user.ts';
import { refusal } from '../testing/in-process-caller.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { resourceAttributes } from './attributes.ts';
import type { Authorizer } from './authorizer.ts';

const rbac = '/apis/rbac.authorization.k8s.io/v1';
const roleGroup = 'rbac.authorization.k8s.io';
const userOf = (tenant: string, name: string, ...groups: string[]): Identity => ({
  name,
  groups: [...groups, 'system:authenticated'],
  kind: 'tenant',
  tenant,
});

describe('role-based access', { timeout: 60_000 }, () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer(openMemoryStore(), { tenants: ['a', 'b'] });
  });
  after(() => server.close());

  const as = (identity: Identity) => {
    const transport = server.server.inProcess(identity);
    return <T = any>(method: ApiRequest['method'], path: string, body?: unknown, more: Partial<ApiRequest> = {}) =>
      transport.request<T>({ method, path, body, ...more });
  };
  const admin = () => as(userOf('a', 'admin', 'system:masters'));
  const code = async (promise: Promise<unknown>): Promise<number> =>
    promise.then(
      () => 200,
      (error: StatusError) => error.code,
    );
  const role = (name: string, verbs: string[], resources: string[], more: object = {}) => ({
    metadata: { name },
    rules: [{ verbs, apiGroups: [''], resources, ...more }],
  });
  const binding = (name: string, kind: string, roleName: string, ...subjects: object[]) => ({
    metadata: { name },
    roleRef: { apiGroup: roleGroup, kind, name: roleName },
    subjects,
  });
  const userSubject = (name: string) => ({ kind: 'User', apiGroup: roleGroup, name });
  const groupSubject = (name: string) => ({ kind: 'Group', apiGroup: roleGroup, name });
  const pods = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`;

  it('gives a user what a role in the namespace gives, and takes it back at once', async () => {
    const alice = as(userOf('a', 'alice'));
    const error = await refusal(alice('GET', pods('default')));
    assert.equal(error.code, 403);
    assert.equal(
      error.message,
      'pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default"',
    );
    assert.deepEqual(error.details, { kind: 'pods' });
    const place = `${rbac}/namespaces/default`;
    await admin()('POST', `${place}/roles`, role('reads', ['get', 'list'], ['pods']));
    await admin()('POST', `${place}/rolebindings`, binding('alice-reads', 'Role', 'reads', userSubject('alice')));
    assert.equal(await code(alice('GET', pods('default'))), 200);
    assert.equal(await code(alice('GET', pods('kube-system'))), 403);
    assert.equal(await code(alice('GET', '/api/v1/pods')), 403);
    await admin()('PUT', `${place}/roles/reads`, role('reads', ['get'], ['pods']));
    assert.equal(await code(alice('GET', pods('default'))), 403);
    await admin()('PUT', `${place}/roles/reads`, role('reads', ['list'], ['pods']));
    assert.equal(await code(alice('GET', pods('default'))), 200);
    await admin()('DELETE', `${place}/rolebindings/alice-reads`);
    assert.equal(await code(alice('GET', pods('default'))), 403);
  });

  it('knows groups, service accounts and names of objects', async () => {
    const dev = as(userOf('a', 'carol', 'devs'));
    const robot = as(userOf('a', 'system:serviceaccount:default:robot', 'system:serviceaccounts'));
    await admin()('POST', `${rbac}/clusterroles`, role('one-secret', ['get'], ['secrets'], { resourceNames: ['s1'] }));
    const subjects = [groupSubject('devs'), { kind: 'ServiceAccount', name: 'robot', namespace: 'default' }];
    await admin()(
      'POST',
      `${rbac}/clusterrolebindings`,
      binding('one-secret', 'ClusterRole', 'one-secret', ...subjects),
    );
    for (const asker of [dev, robot]) {
      // 404: it may look, and there is none.
      assert.equal(await code(asker('GET', '/api/v1/namespaces/default/secrets/s1')), 404);
      assert.equal(await code(asker('GET', '/api/v1/namespaces/default/secrets/s2')), 403);
      assert.equal(await code(asker('GET', '/api/v1/namespaces/default/secrets')), 403);
    }
    const other = as(userOf('a', 'system:serviceaccount:other:robot', 'system:serviceaccounts'));
    assert.equal(await code(other('GET', '/api/v1/namespaces/default/secrets/s1')), 403);
  });

  it('keeps a tenant’s bindings to the tenant', async () => {
    const body = binding('dave-rules', 'ClusterRole', 'cluster-admin', userSubject('dave'));
    await admin()('POST', `${rbac}/clusterrolebindings`, body);
    assert.equal(await code(as(userOf('a', 'dave'))('GET', '/api/v1/secrets')), 200);
    assert.equal(await code(as(userOf('b', 'dave'))('GET', '/api/v1/secrets')), 403);
    assert.equal(await code(as(userOf('a', 'dave'))('GET', '/clusters/b/api/v1/secrets')), 403);
    assert.equal(await code(as(userOf('a', 'dave'))('GET', '/apis/pool.skypod.io/v1alpha1/hosts')), 403);
  });

  it('says which role is missing', async () => {
    const body = binding('erin', 'ClusterRole', 'no-such', userSubject('erin'));
    await admin()('POST', `${rbac}/clusterrolebindings`, body);
    const error = await refusal(as(userOf('a', 'erin'))('GET', '/api/v1/nodes'));
    assert.match(
      error.message,
      /at the cluster scope: RBAC: clusterrole\.rbac\.authorization\.k8s\.io "no-such" not found$/,
    );
  });

  it('lets strangers ask for health and version only', async () => {
    const stranger = as(anonymous);
    for (const path of ['/healthz', '/livez', '/readyz', '/version', '/clusters/a/version', '/clusters/none/version']) {
      assert.notEqual(await code(stranger('GET', path)), 403, path);
    }
    for (const path of [
      '/api',
      '/apis',
      '/openid/v1/jwks',
      '/clusters/a/api',
      '/clusters/none/api',
      '/clusters/*/api',
    ]) {
      assert.equal(await code(stranger('GET', path)), 403, path);
    }
    const body = binding(
      'strangers',
      'ClusterRole',
      'system:service-account-issuer-discovery',
      groupSubject('system:unauthenticated'),
    );
    await admin()('POST', `${rbac}/clusterrolebindings`, body);
    assert.notEqual(await code(stranger('GET', '/clusters/a/openid/v1/jwks')), 403);
    assert.equal(await code(stranger('GET', '/clusters/b/openid/v1/jwks')), 403);
  });

  it('has the roles that clusters start with, which a tenant may write over', async () => {
    const roles = await admin()('GET', `${rbac}/clusterroles`);
    const names = roles.items.map(({ metadata }: any) => metadata.name);
    for (const name of [
      'admin',
      'cluster-admin',
      'edit',
      'view',
      'system:basic-user',
      'system:controller:job-controller',
    ]) {
      assert.ok(names.includes(name), name);
    }
    const edit = roles.items.find(({ metadata }: any) => metadata.name === 'edit');
    assert.ok(edit.rules.some(({ resources }: any) => resources.includes('deployments')));
    assert.ok((await admin()('GET', `${rbac}/namespaces/kube-system/roles`)).items.length > 3);
    const view = as(userOf('a', 'frank'));
    await admin()('POST', `${rbac}/clusterrolebindings`, binding('frank', 'ClusterRole', 'view', userSubject('frank')));
    assert.equal(await code(view('GET', '/api/v1/services')), 200);
    assert.equal(await code(view('GET', '/api/v1/secrets')), 403);
    const discovery = `${rbac}/clusterrolebindings/system:discovery`;
    const original = await admin()('GET', discovery);
    assert.equal(await code(view('GET', '/apis')), 200);
    await admin()('PUT', discovery, { ...original, subjects: [] });
    assert.equal(await code(view('GET', '/apis')), 403);
    assert.equal(await code(as(userOf('b', 'frank'))('GET', '/apis')), 200);
    // Away until the next start: see tenants/withdrawals.test.ts.
    await admin()('DELETE', discovery);
    assert.equal(await code(admin()('GET', discovery)), 404);
    assert.equal(await code(view('GET', '/apis')), 403);
    const { roleRef, subjects } = original;
    await admin()('POST', `${rbac}/clusterrolebindings`, { metadata: { name: 'system:discovery' }, roleRef, subjects });
    assert.equal(await code(view('GET', '/apis')), 200);
  });

  it('shows who looks across tenants only what tenants wrote', async () => {
    const all = await server.transport.request<any>({ method: 'GET', path: `/clusters/*${rbac}/clusterroles` });
    const shared = all.items.filter(({ metadata }: any) => metadata.labels?.['kubernetes.io/bootstrapping']);
    assert.deepEqual(shared, []);
    assert.ok(all.items.length > 0);
  });

  it('lets nobody give away more than they hold', async () => {
    const place = `${rbac}/namespaces/default`;
    const grace = as(userOf('a', 'grace', 'leads'));
    await admin()('POST', `${place}/rolebindings`, binding('grace', 'ClusterRole', 'admin', userSubject('grace')));
    assert.equal(await code(grace('POST', `${place}/roles`, role('fine', ['get', 'list'], ['pods']))), 200);
    const error = await refusal(grace('POST', `${place}/roles`, role('more', ['get', 'list'], ['nodes', 'pods'])));
    assert.equal(error.code, 403);
    assert.equal(
      error.message,
      'roles.rbac.authorization.k8s.io "more" is forbidden: user "grace" (groups=["leads" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n' +
        '{APIGroups:[""], Resources:["nodes"], Verbs:["get" "list"]}',
    );
    const updated = await refusal(grace('PUT', `${place}/roles/fine`, role('fine', ['*'], ['pods'])));
    assert.match(updated.message, /^roles\.rbac\.authorization\.k8s\.io "fine" is forbidden: user "grace"/);
    const bind = (name: string, kind: string, to: string) =>
      grace('POST', `${place}/rolebindings`, binding(name, kind, to, userSubject('heidi')));
    assert.equal(await code(bind('edits', 'ClusterRole', 'edit')), 200);
    assert.match(
      (await refusal(bind('all', 'ClusterRole', 'cluster-admin'))).message,
      /is attempting to grant RBAC permissions/,
    );
    const missing = await refusal(bind('none', 'ClusterRole', 'nothing'));
    assert.equal(missing.message, 'rolebindings.rbac.authorization.k8s.io "nothing" not found');
    const may = (verb: string, resource: string) => ({
      metadata: { name: `may-${verb}` },
      rules: [{ verbs: [verb], apiGroups: [roleGroup], resources: [resource] }],
    });
    await admin()('POST', `${place}/roles`, may('bind', 'clusterroles'));
    await admin()('POST', `${place}/rolebindings`, binding('grace-binds', 'Role', 'may-bind', userSubject('grace')));
    assert.equal(await code(bind('all', 'ClusterRole', 'cluster-admin')), 200);
    await admin()('POST', `${place}/roles`, may('escalate', 'roles'));
    await admin()('POST', `${place}/rolebindings`, binding('grace-up', 'Role', 'may-escalate', userSubject('grace')));
    assert.equal(await code(grace('POST', `${place}/roles`, role('more', ['get'], ['nodes']))), 200);
  });

  it('lets nobody add roles up who does not hold everything', async () => {
    const roles = `${rbac}/clusterroles`;
    const sum = (name: string, more: object = {}) => ({
      metadata: { name },
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { part: 'true' } }] },
      ...more,
    });
    const writes = { verbs: ['create', 'update'], apiGroups: [roleGroup], resources: ['clusterroles'] };
    await admin()('POST', roles, { metadata: { name: 'writes-roles' }, rules: [writes] });
    const bound = binding('judy-writes', 'ClusterRole', 'writes-roles', userSubject('judy'));
    await admin()('POST', `${rbac}/clusterrolebindings`, bound);
    const judy = as(userOf('a', 'judy'));
    const message = (name: string) =>
      `clusterroles.rbac.authorization.k8s.io "${name}" is forbidden: must have cluster-admin privileges to use the aggregationRule`;
    assert.equal((await refusal(judy('POST', roles, sum('hers')))).message, message('hers'));
    assert.equal(await code(judy('POST', roles, { metadata: { name: 'plain' }, rules: [] })), 200);
    assert.equal((await refusal(judy('PUT', `${roles}/plain`, sum('plain')))).message, message('plain'));
    assert.equal(await code(admin()('POST', roles, sum('all'))), 200);
    const ended = { metadata: { name: 'all' }, rules: [] };
    assert.equal((await refusal(judy('PUT', `${roles}/all`, ended))).message, message('all'));
  });

  it('keeps a binding’s role', async () => {
    const path = `${rbac}/namespaces/default/rolebindings`;
    await admin()('POST', path, binding('fixed', 'ClusterRole', 'view', userSubject('x')));
    const error = await refusal(
      admin()('PUT', `${path}/fixed`, binding('fixed', 'ClusterRole', 'edit', userSubject('x'))),
    );
    assert.equal(error.code, 422);
    assert.match(error.message, /roleRef: Invalid value: .*: cannot change roleRef/);
  });

  it('answers reviews by the same rules', async () => {
    const review = (identity: Identity, kind: string, spec: object, namespace = '') =>
      as(identity)('POST', `/apis/authorization.k8s.io/v1${namespace}/${kind}`, { spec });
    const boss = userOf('a', 'admin', 'system:masters');
    const ask = (spec: object) => review(boss, 'subjectaccessreviews', spec).then(({ status }) => status);
    const list = { resourceAttributes: { verb: 'list', resource: 'services', namespace: 'default' } };
    assert.deepEqual(await ask({ user: 'frank', ...list }), {
      allowed: true,
      reason: 'RBAC: allowed by ClusterRoleBinding "frank" of ClusterRole "view" to User "frank"',
    });
    assert.deepEqual(await ask({ user: 'nobody', ...list }), { allowed: false });
    assert.deepEqual(await ask({ groups: ['system:masters'], ...list }), { allowed: true });
    assert.equal(
      (await ask({ user: 'frank', nonResourceAttributes: { verb: 'get', path: '/healthz' } })).allowed,
      false,
    );
    const own = await review(userOf('a', 'frank'), 'selfsubjectaccessreviews', list);
    assert.equal(own.status.allowed, true);
    const local = await refusal(
      review(boss, 'localsubjectaccessreviews', { user: 'frank', ...list }, '/namespaces/kube-system'),
    );
    assert.match(
      local.message,
      /spec\.resourceAttributes\.namespace: Invalid value: "default": must match metadata\.namespace/,
    );
    const rules = await review(userOf('a', 'frank'), 'selfsubjectrulesreviews', { namespace: 'default' });
    assert.equal(rules.status.incomplete, false);
    assert.ok(rules.status.resourceRules.some(({ resources }: any) => resources.includes('services')));
    assert.ok(rules.status.nonResourceRules.some(({ nonResourceURLs }: any) => nonResourceURLs.includes('/healthz')));
  });
});

describe('impersonation', () => {
  const allowing = (...allowed: string[]): Authorizer => ({
    authorize: (_, { verb, group, resource, subresource, namespace, name }) => {
      const what = [verb, group, resource, subresource, namespace, name].join(' ');
      return { allowed: allowed.includes(what), reason: '' };
    },
    rules: () => ({ rules: [], errors: [] }),
  });
  const requestor = userOf('a', 'root');
  const request = resourceAttributes('a', { verb: 'list', group: '', resource: 'pods', namespace: 'dev' });
  const become = (authorizer: Authorizer, headers: string[]) =>
    impersonate(authorizer, requestor, wantedUser(headers)!, request);

  it('reads headers, repeated ones too', () => {
    assert.equal(wantedUser(['Accept', 'x']), undefined);
    const headers = ['Impersonate-User', 'u', 'impersonate-group', 'a, b', 'Impersonate-Group', 'c'];
    assert.deepEqual(wantedUser([...headers, 'Impersonate-Extra-Acme.com%2FScope', 'x']), {
      name: 'u',
      uid: '',
      groups: ['a, b', 'c'],
      extra: { 'acme.com/scope': ['x'] },
    });
    assert.throws(() => wantedUser(['Impersonate-Group', 'c']), /without impersonating a user name/);
  });

  it('becomes a user by the verb impersonate, in the tenant of the request', async () => {
    const authorizer = allowing('impersonate  users   u', 'impersonate  groups   devs');
    const headers = ['Impersonate-User', 'u', 'Impersonate-Group', 'devs'];
    assert.deepEqual(await become(authorizer, headers), userOf('a', 'u', 'devs'));
    await assert.rejects(
      become(authorizer, [...headers, 'Impersonate-Uid', '1']),
      /cannot impersonate-on:user-info:list/,
    );
  });

  it('gives service accounts their groups, and strangers theirs', async () => {
    const robot = await become(allowing('impersonate  serviceaccounts  dev robot'), [
      'Impersonate-User',
      'system:serviceaccount:dev:robot',
    ]);
    assert.deepEqual(robot.groups, ['system:serviceaccounts', 'system:serviceaccounts:dev', 'system:authenticated']);
    const stranger = await become(allowing('impersonate  users   system:anonymous'), [
      'Impersonate-User',
      'system:anonymous',
    ]);
    assert.deepEqual(stranger.groups, ['system:unauthenticated']);
  });

  it('becomes a user for one kind of request, never a master', async () => {
    const verb = 'impersonate:user-info authentication.k8s.io';
    const authorizer = allowing(
      'impersonate-on:user-info:list  pods  dev ',
      `${verb} users   u`,
      `${verb} groups   system:masters`,
    );
    assert.equal((await become(authorizer, ['Impersonate-User', 'u'])).name, 'u');
    await assert.rejects(
      become(authorizer, ['Impersonate-User', 'u', 'Impersonate-Group', 'system:masters']),
      /impersonating the system:masters group is not allowed/,
    );
  });

  it('says no in the words of the first way that applies', async () => {
    await assert.rejects(become(allowing(), ['Impersonate-User', 'u']), {
      message:
        'pods is forbidden: User "root" cannot impersonate-on:user-info:list resource "pods" in API group "" in the namespace "dev"',
    });
  });
});
