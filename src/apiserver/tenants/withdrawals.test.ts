import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { StatusError } from '../../api/status.ts';
import type { ApiRequest, WatchEvent } from '../../api/transport.ts';
import { until } from '../../base/testing/until.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Store } from '../../store/store.ts';
import type { Identity } from '../identity/identity.ts';
import { startTestServer } from '../testing/test-server.ts';

const rbac = '/clusters/a/apis/rbac.authorization.k8s.io/v1';
const admin: Identity = {
  name: 'admin',
  groups: ['system:masters', 'system:authenticated'],
  kind: 'tenant',
  tenant: 'a',
};
const user: Identity = { name: 'u', groups: ['system:authenticated'], kind: 'tenant', tenant: 'a' };

/** The same store outlives servers: a restart. */
async function start(t: TestContext, store: Store, tenants: string[] = []) {
  const { server, transport, addTenant } = await startTestServer(store, { tenants });
  let isOpen = true;
  const stop = async () => {
    if (isOpen) await server.close();
    isOpen = false;
  };
  t.after(stop);
  const as =
    (identity: Identity) =>
    <T = any>(method: ApiRequest['method'], path: string, body?: unknown, contentType?: string) =>
      server.inProcess(identity).request<T>({ method, path, body, ...(contentType !== undefined && { contentType }) });
  return { server, stop, transport, addTenant, ask: as(admin), asUser: as(user) };
}

const code = (asked: Promise<unknown>) =>
  asked.then(
    () => 200,
    (error: StatusError) => error.code,
  );

test('a default role that a tenant deletes stays away until the next start', async (t) => {
  const store = openMemoryStore();
  let one = await start(t, store, ['a', 'b']);
  const view = `${rbac}/clusterroles/view`;
  const { metadata } = await one.ask('GET', view);
  const seen: WatchEvent[] = [];
  const ended = new AbortController();
  const watching = one.server.inProcess(admin).watch({
    path: `${rbac}/clusterroles`,
    query: { resourceVersion: (await one.ask('GET', `${rbac}/clusterroles`)).metadata.resourceVersion },
    signal: ended.signal,
    onEvents: (events: WatchEvent[]) => void seen.push(...events),
  } as never);
  await one.ask('DELETE', view);
  assert.equal(await code(one.ask('GET', view)), 404);
  assert.equal(await code(one.ask('DELETE', view)), 404);
  const names = async () => (await one.ask('GET', `${rbac}/clusterroles`)).items.map((item: any) => item.metadata.name);
  assert.equal((await names()).includes('view'), false);
  assert.equal((await names()).includes('edit'), true);
  await until(() => seen.some(({ type, object }: any) => type === 'DELETED' && object.metadata.name === 'view'));
  const { object } = seen.find(({ type }) => type === 'DELETED') as any;
  assert.equal(object.metadata.uid, metadata.uid);
  assert.ok(Number(object.metadata.resourceVersion) > Number(metadata.resourceVersion));
  ended.abort();
  await Promise.resolve(watching).catch(() => undefined);
  assert.equal(await code(one.transport.request({ method: 'GET', path: view.replace('/a/', '/b/') })), 200);
  // What takes its place is an object as any other, and away when it is deleted.
  await one.ask('POST', `${rbac}/clusterroles`, { metadata: { name: 'view' }, rules: [] });
  assert.deepEqual((await one.ask('GET', view)).rules ?? [], []);
  await one.ask('DELETE', view);
  assert.equal(await code(one.ask('GET', view)), 404);

  await one.stop();
  one = await start(t, store);
  assert.equal((await one.ask('GET', view)).metadata.name, 'view');
  await one.stop();
  await store.close();
});

test('what a tenant has deleted gives nobody anything; a tenant of the same name has all', async (t) => {
  const store = openMemoryStore();
  const one = await start(t, store, ['a']);
  const reviews = '/clusters/a/apis/authorization.k8s.io/v1/subjectaccessreviews';
  const spec = { user: 'u', groups: ['system:authenticated'], nonResourceAttributes: { path: '/apis', verb: 'get' } };
  const mayDiscover = async () => (await one.ask('POST', reviews, { spec })).status.allowed;
  assert.equal(await mayDiscover(), true);
  await one.ask('DELETE', `${rbac}/clusterrolebindings/system:discovery`);
  assert.equal(await mayDiscover(), false);
  await one.ask('DELETE', `${rbac}/clusterroles/system:basic-user`);
  const review = '/clusters/a/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  assert.equal(
    await code(one.asUser('POST', review, { spec: { nonResourceAttributes: { path: '/x', verb: 'get' } } })),
    403,
  );
  await one.stop();
  await store.close();
});

test('a start gives back what was taken from default roles and bindings, unless they are not to be updated', async (t) => {
  const store = openMemoryStore();
  let one = await start(t, store, ['a']);
  const merge = 'application/merge-patch+json';
  const basic = `${rbac}/clusterroles/system:basic-user`;
  const original = await one.ask('GET', basic);
  const extra = { apiGroups: [''], resources: ['pods'], verbs: ['get'] };
  await one.ask(
    'PATCH',
    basic,
    { rules: [extra], metadata: { labels: { own: 'x', 'kubernetes.io/bootstrapping': null } } },
    merge,
  );
  const discovery = `${rbac}/clusterroles/system:discovery`;
  await one.ask(
    'PATCH',
    discovery,
    { rules: [extra], metadata: { annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } } },
    merge,
  );
  const binding = `${rbac}/clusterrolebindings/system:discovery`;
  const { subjects } = await one.ask('GET', binding);
  const other = { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'other' };
  await one.ask('PATCH', binding, { subjects: [other] }, merge);

  await one.stop();
  one = await start(t, store);
  // It is done beside requests.
  while ((await one.ask('GET', binding)).subjects.length < 2) await new Promise((resolve) => setImmediate(resolve));
  const { rules, metadata } = await one.ask('GET', basic);
  assert.deepEqual(rules[0], extra);
  const verbs = (all: any[]) => all.flatMap(({ verbs }) => verbs).length;
  assert.equal(verbs(rules), verbs(original.rules.flatMap((rule: any) => rule.resources.map(() => rule))) + 1);
  assert.deepEqual(metadata.labels, { own: 'x', 'kubernetes.io/bootstrapping': 'rbac-defaults' });
  assert.deepEqual((await one.ask('GET', discovery)).rules, [extra]);
  assert.deepEqual((await one.ask('GET', binding)).subjects, [other, ...subjects]);
  const { resourceVersion } = metadata;
  await one.stop();
  one = await start(t, store);
  assert.equal((await one.ask('GET', basic)).metadata.resourceVersion, resourceVersion, 'nothing is written twice');
  await one.stop();
  await store.close();
});

test('who watches all tenants hears in passing of a default role that goes', async (t) => {
  const store = openMemoryStore();
  const { transport, ask, stop } = await start(t, store, ['a', 'b']);
  const all = '/clusters/*/apis/rbac.authorization.k8s.io/v1/clusterroles';
  const { items, metadata } = await transport.request<any>({ method: 'GET', path: all });
  assert.deepEqual(items, []);
  const seen: string[] = [];
  const ended = new AbortController();
  const watching = transport.watch({
    path: all,
    query: { resourceVersion: metadata.resourceVersion },
    signal: ended.signal,
    onEvents: (events: WatchEvent[]) => {
      for (const { type, object } of events as any[])
        seen.push(`${type} ${object.metadata.clusterName}/${object.metadata.name}`);
    },
  } as never);
  await ask('DELETE', `${rbac}/clusterroles/system:aggregate-to-view`);
  await ask('POST', `${rbac}/clusterroles`, { metadata: { name: 'own' }, rules: [] });
  await until(() => seen.length >= 3);
  const name = 'a/system:aggregate-to-view';
  assert.deepEqual(seen.toSorted(), [`ADDED ${name}`, 'ADDED a/own', `DELETED ${name}`].toSorted());
  assert.ok(seen.indexOf(`ADDED ${name}`) < seen.indexOf(`DELETED ${name}`));
  ended.abort();
  await Promise.resolve(watching).catch(() => undefined);
  await stop();
  await store.close();
});
