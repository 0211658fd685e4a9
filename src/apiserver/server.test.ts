import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { KubeObject } from '../api/object.ts';
import { StatusError } from '../api/status.ts';
import type { ApiRequest, WatchEvent } from '../api/transport.ts';
import { ManualClock } from '../base/clock.ts';
import { openMemoryStore } from '../store/memory/memory-store.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

const root = '/clusters/a/api/v1';
const configMaps = `${root}/namespaces/default/configmaps`;
const pods = `${root}/namespaces/default/pods`;
const pod = (name: string, more: object = {}) => ({
  metadata: { name },
  spec: { containers: [{ name: 'main', image: 'x' }], ...more },
});

describe('the verbs, in process', { timeout: 60_000 }, () => {
  let server: TestServer;
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  before(async () => {
    server = await startTestServer(openMemoryStore(), { tenants: ['a', 'b'], clock });
  });
  after(() => server.close());

  const send = (method: ApiRequest['method'], path: string, body?: unknown, more: Partial<ApiRequest> = {}) =>
    server.transport.request<any>({ method, path, body, ...more });
  const get = (path: string, query?: Record<string, string>) => send('GET', path, undefined, { query });
  const post = (path: string, body: unknown, query?: Record<string, string>) => send('POST', path, body, { query });
  const refusal = async (promise: Promise<unknown>): Promise<StatusError> => {
    const error = await promise.then(
      () => assert.fail('it was not refused'),
      (rejection) => rejection,
    );
    assert.ok(error instanceof StatusError, String(error));
    return error;
  };
  /** Gives up when the test's own time limit ends it. */
  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  it('creates an object and fills in what the server decides', async () => {
    const created = await post(configMaps, { metadata: { name: 'one', uid: 'mine', generation: 7 }, data: { a: 'b' } });
    assert.equal(created.kind, 'ConfigMap');
    assert.equal(created.metadata.namespace, 'default');
    assert.notEqual(created.metadata.uid, 'mine');
    assert.equal(created.metadata.creationTimestamp, '2026-01-01T00:00:00Z');
    assert.match(created.metadata.resourceVersion, /^\d+$/);
    assert.equal(created.metadata.clusterName, 'a');
    assert.deepEqual(await get(`${configMaps}/one`), created);
  });

  it('reads its own writes at once', async () => {
    for (let index = 0; index < 50; index++) {
      await post(configMaps, { metadata: { name: `own-${index}`, labels: { own: 'x' } } });
      const list = await get(configMaps, { labelSelector: 'own=x' });
      assert.equal(list.items.length, index + 1);
    }
    await send('DELETE', configMaps, undefined, { query: { labelSelector: 'own=x' } });
    assert.equal((await get(configMaps, { labelSelector: 'own=x' })).items.length, 0);
  });

  it('refuses a name that is taken, with upstream’s status', async () => {
    await post(configMaps, { metadata: { name: 'taken' } });
    const error = await refusal(post(configMaps, { metadata: { name: 'taken' } }));
    assert.equal(error.code, 409);
    assert.equal(error.message, 'configmaps "taken" already exists');
    assert.deepEqual(error.details, { name: 'taken', kind: 'configmaps' });
  });

  it('makes names of generateName', async () => {
    const first = await post(configMaps, { metadata: { generateName: 'gen-' } });
    const second = await post(configMaps, { metadata: { generateName: 'gen-' } });
    assert.match(first.metadata.name, /^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    assert.notEqual(first.metadata.name, second.metadata.name);
  });

  it('writes nothing with dryRun=All', async () => {
    const answer = await post(configMaps, { metadata: { name: 'dry' } }, { dryRun: 'All' });
    assert.equal(answer.metadata.name, 'dry');
    assert.equal((await refusal(get(`${configMaps}/dry`))).code, 404);
    const error = await refusal(post(configMaps, { metadata: { name: 'dry' } }, { dryRun: 'Some' }));
    assert.equal(error.code, 422);
  });

  it('refuses namespaces that do not match, or do not exist', async () => {
    const other = await refusal(post(configMaps, { metadata: { name: 'x', namespace: 'other' } }));
    assert.equal(
      other.message,
      'the namespace of the provided object does not match the namespace sent on the request',
    );
    const missing = await refusal(post(`${root}/namespaces/nope/configmaps`, { metadata: { name: 'x' } }));
    assert.equal(missing.code, 404);
    assert.equal(missing.message, 'namespaces "nope" not found');
  });

  it('updates with optimistic concurrency', async () => {
    const created = await post(configMaps, { metadata: { name: 'update' }, data: { a: '1' } });
    const updated = await send('PUT', `${configMaps}/update`, { ...created, data: { a: '2' } });
    assert.equal(updated.data.a, '2');
    assert.equal(updated.metadata.uid, created.metadata.uid);
    const stale = await refusal(send('PUT', `${configMaps}/update`, { ...created, data: { a: '3' } }));
    assert.equal(stale.code, 409);
    assert.equal(
      stale.message,
      'Operation cannot be fulfilled on configmaps "update": the object has been modified; please apply your changes to the latest version and try again',
    );
    const unconditional = await send('PUT', `${configMaps}/update`, { metadata: { name: 'update' }, data: { a: '4' } });
    assert.equal(unconditional.data.a, '4');
    const absent = await refusal(send('PUT', `${configMaps}/absent`, { metadata: { name: 'absent' } }));
    assert.equal(absent.code, 404);
    const wrongName = await refusal(send('PUT', `${configMaps}/update`, { metadata: { name: 'else' } }));
    assert.equal(wrongName.message, 'the name of the object (else) does not match the name on the URL (update)');
    const wrongUid = await refusal(
      send('PUT', `${configMaps}/update`, { metadata: { name: 'update', uid: 'not-it' }, data: {} }),
    );
    assert.equal(wrongUid.code, 409);
  });

  it('takes no revision for a write that changes nothing', async () => {
    const created = await post(configMaps, { metadata: { name: 'same' }, data: { a: 'b' } });
    const again = await send('PUT', `${configMaps}/same`, created);
    assert.equal(again.metadata.resourceVersion, created.metadata.resourceVersion);
  });

  it('lets no one lose an update when many patch at once', async () => {
    await post(configMaps, { metadata: { name: 'many' }, data: {} });
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        send(
          'PATCH',
          `${configMaps}/many`,
          { data: { [`k${index}`]: 'v' } },
          { contentType: 'application/merge-patch+json' },
        ),
      ),
    );
    assert.equal(Object.keys((await get(`${configMaps}/many`)).data).length, 20);
  });

  it('patches in the three ways, and applies only under a name', async () => {
    const deployments = '/clusters/a/apis/apps/v1/namespaces/default/deployments';
    await post(deployments, {
      metadata: { name: 'd' },
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'x', image: 'one' }] } },
      },
    });
    const patch = (contentType: string, body: unknown) => send('PATCH', `${deployments}/d`, body, { contentType });
    const json = await patch('application/json-patch+json', [{ op: 'replace', path: '/spec/replicas', value: 3 }]);
    assert.equal(json.spec.replicas, 3);
    assert.equal(json.metadata.generation, 2);
    const merge = await patch('application/merge-patch+json', { metadata: { labels: { l: 'm' } } });
    assert.equal(merge.metadata.labels.l, 'm');
    assert.equal(merge.metadata.generation, 2);
    const containers = [{ name: 'y', image: 'two' }];
    const strategic = await patch('application/strategic-merge-patch+json', {
      spec: { template: { spec: { containers } } },
    });
    assert.deepEqual(strategic.spec.template.spec.containers.map((one: { name: string }) => one.name).sort(), [
      'x',
      'y',
    ]);
    const nameless = await refusal(patch('application/apply-patch+yaml', {}));
    assert.equal(
      nameless.message,
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    );
    const conflicting = await refusal(
      patch('application/merge-patch+json', { metadata: { resourceVersion: '1' }, spec: { replicas: 9 } }),
    );
    assert.equal(conflicting.code, 409);

    const scale = await get(`${deployments}/d/scale`);
    assert.equal(scale.spec.replicas, 3);
    assert.equal(scale.status.selector, 'a=b');
    await send('PUT', `${deployments}/d/scale`, { ...scale, spec: { replicas: 7 } });
    assert.equal((await get(`${deployments}/d`)).spec.replicas, 7);
  });

  it('keeps spec and status apart', async () => {
    const deployments = '/clusters/a/apis/apps/v1/namespaces/default/deployments';
    const current = await get(`${deployments}/d`);
    const status = { ...current, spec: { ...current.spec, replicas: 1 }, status: { replicas: 5 } };
    const afterStatus = await send('PUT', `${deployments}/d/status`, status);
    assert.equal(afterStatus.spec.replicas, current.spec.replicas);
    assert.equal(afterStatus.status.replicas, 5);
    assert.equal(afterStatus.metadata.generation, current.metadata.generation);
    const afterSpec = await send('PUT', `${deployments}/d`, { ...afterStatus, status: { replicas: 9 } });
    assert.equal(afterSpec.status.replicas, 5);
  });

  it('holds an object until its finalizers are gone', async () => {
    await post(configMaps, { metadata: { name: 'held', finalizers: ['example.com/hold'] } });
    const deleted = await send('DELETE', `${configMaps}/held`);
    assert.equal(deleted.metadata.deletionTimestamp, '2026-01-01T00:00:00Z');
    const again = await refusal(post(configMaps, { metadata: { name: 'held' } }));
    assert.equal(again.message, 'object is being deleted: configmaps "held" already exists');
    const current = await get(`${configMaps}/held`);
    await send('PUT', `${configMaps}/held`, { ...current, metadata: { ...current.metadata, finalizers: [] } });
    assert.equal((await refusal(get(`${configMaps}/held`))).code, 404);
  });

  it('marks for the garbage collector, checks preconditions, and answers as upstream', async () => {
    const created = await post(configMaps, { metadata: { name: 'gone' } });
    const wrong = await refusal(send('DELETE', `${configMaps}/gone`, { preconditions: { uid: 'other' } }));
    assert.equal(wrong.code, 409);
    const foreground = await send('DELETE', `${configMaps}/gone`, { propagationPolicy: 'Foreground' });
    assert.deepEqual(foreground.metadata.finalizers, ['foregroundDeletion']);
    const background = await send('DELETE', `${configMaps}/gone`, { propagationPolicy: 'Background' });
    assert.deepEqual(background, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: { name: 'gone', kind: 'configmaps', uid: created.metadata.uid },
    });
  });

  it('deletes a container instance gracefully, and shortens the period on demand', async () => {
    const instances = '/clusters/system/apis/pool.skypod.io/v1alpha1/namespaces/a/containerinstances';
    await post(instances, {
      metadata: { name: 'i' },
      spec: {
        podRef: { namespace: 'default', name: 'p', uid: 'u' },
        zone: 'z',
        resources: { cpu: '1', memory: '1Gi' },
        pod: { containers: [{ name: 'main', image: 'x' }], terminationGracePeriodSeconds: 30 },
        vpc: { serviceCidr: '10.96.0.0/12', dnsAddress: '10.96.0.10', clusterDomain: 'cluster.local' },
      },
    });
    await post(`${instances}/i/binding`, { metadata: { name: 'i' }, target: { kind: 'Host', name: 'h1' } });
    const bound = await get(`${instances}/i`);
    assert.equal(bound.spec.hostName, 'h1');
    const twice = await refusal(post(`${instances}/i/binding`, { metadata: { name: 'i' }, target: { name: 'h2' } }));
    assert.equal(twice.code, 409);
    const deleted = await send('DELETE', `${instances}/i`);
    assert.equal(deleted.metadata.deletionGracePeriodSeconds, 30);
    assert.equal(deleted.metadata.deletionTimestamp, '2026-01-01T00:00:30Z');
    const shorter = await send('DELETE', `${instances}/i`, { gracePeriodSeconds: 5 });
    assert.equal(shorter.metadata.deletionGracePeriodSeconds, 5);
    await send('DELETE', `${instances}/i`, { gracePeriodSeconds: 0 });
    assert.equal((await refusal(get(`${instances}/i`))).code, 404);
  });

  it('lists in pages that together are the whole, as of one revision', async () => {
    for (let index = 0; index < 25; index++)
      await post(configMaps, { metadata: { name: `page-${index}`, labels: { page: 'x' } } });
    const names: string[] = [];
    let token: string | undefined;
    let revision: string | undefined;
    do {
      const query: Record<string, string> = {
        limit: '10',
        labelSelector: 'page=x',
        ...(token !== undefined && { continue: token }),
      };
      const page = await get(configMaps, query);
      names.push(...page.items.map((item: KubeObject) => item.metadata.name));
      revision ??= page.metadata.resourceVersion;
      assert.equal(page.metadata.resourceVersion, revision);
      token = page.metadata.continue;
      if (names.length === 10) await post(configMaps, { metadata: { name: 'page-late', labels: { page: 'x' } } });
    } while (token !== undefined);
    assert.equal(names.filter((name) => name !== 'page-late').length, 25);
    assert.equal(new Set(names).size, names.length);
    assert.ok(!names.includes('page-late'), 'a later page shows a later state');
  });

  it('selects by labels and fields', async () => {
    await post(pods, pod('on-node', { nodeName: 'n1' }));
    await post(pods, pod('off-node'));
    const named = async (query: Record<string, string>) =>
      (await get(pods, query)).items.map((item: KubeObject) => item.metadata.name);
    assert.deepEqual(await named({ fieldSelector: 'spec.nodeName=n1' }), ['on-node']);
    assert.deepEqual(await named({ fieldSelector: 'metadata.name=off-node' }), ['off-node']);
    const error = await refusal(get(pods, { fieldSelector: 'spec.color=red' }));
    assert.equal(error.code, 400);
    assert.equal(error.message, 'field label not supported: spec.color');
  });

  it('watches from a revision without a gap, and with a selector', async () => {
    const start = await get(configMaps);
    const seen: WatchEvent[] = [];
    const abort = new AbortController();
    const watching = server.transport.watch({
      path: configMaps,
      query: { resourceVersion: start.metadata.resourceVersion, labelSelector: 'watch=x' },
      signal: abort.signal,
      onEvents: (events) => seen.push(...events),
    });
    await post(configMaps, { metadata: { name: 'watched', labels: { watch: 'x' } } });
    await post(configMaps, { metadata: { name: 'unwatched' } });
    const patch = { contentType: 'application/merge-patch+json' };
    await send('PATCH', `${configMaps}/watched`, { data: { a: 'b' } }, patch);
    await send('PATCH', `${configMaps}/watched`, { metadata: { labels: { watch: 'y' } } }, patch);
    await send('PATCH', `${configMaps}/watched`, { metadata: { labels: { watch: 'x' } } }, patch);
    await send('DELETE', `${configMaps}/watched`);
    await until(() => seen.length >= 5);
    assert.deepEqual(
      seen.map(({ type }) => type),
      ['ADDED', 'MODIFIED', 'DELETED', 'ADDED', 'DELETED'],
    );
    const revisions = seen.map(({ object }) => Number(object.metadata.resourceVersion));
    assert.deepEqual(
      revisions,
      [...revisions].sort((x, y) => x - y),
    );
    abort.abort();
    await watching;
  });

  it('streams a list: initial events, then a bookmark that ends them', async () => {
    const seen: WatchEvent[] = [];
    const abort = new AbortController();
    const watching = server.transport.watch({
      path: `${root}/namespaces`,
      query: { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan', allowWatchBookmarks: 'true' },
      signal: abort.signal,
      onEvents: (events) => seen.push(...events),
    });
    await until(() => seen.some(({ type }) => type === 'BOOKMARK'));
    assert.equal(seen.at(-1)!.object.metadata.annotations?.['k8s.io/initial-events-end'], 'true');
    assert.ok(seen.some(({ object }) => object.metadata.name === 'default'));
    abort.abort();
    await watching;
  });

  it('gives pods their service account, token volume, priority and tolerations', async () => {
    const created = await post(pods, pod('admitted'));
    assert.equal(created.spec.serviceAccountName, 'default');
    assert.equal(created.spec.priority, 0);
    assert.equal(created.spec.preemptionPolicy, 'PreemptLowerPriority');
    assert.equal(created.spec.tolerations.length, 2);
    const [volume] = created.spec.volumes;
    assert.match(volume.name, /^kube-api-access-/);
    assert.equal(volume.projected.sources.length, 3);
    assert.equal(created.spec.containers[0].volumeMounts[0].mountPath, '/var/run/secrets/kubernetes.io/serviceaccount');
    const critical = await post(pods, pod('critical', { priorityClassName: 'system-node-critical' }));
    assert.equal(critical.spec.priority, 2_000_001_000);
    const noAccount = await refusal(post(pods, pod('none', { serviceAccountName: 'nobody' })));
    assert.equal(
      noAccount.message,
      'pods "none" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found',
    );
  });

  it('shows what another API keeps, in its own form', async () => {
    const events = '/clusters/a/apis/events.k8s.io/v1/namespaces/default/events';
    const regarding = { kind: 'Pod', name: 'p', namespace: 'default' };
    const created = await post(events, {
      metadata: { name: 'e' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'c',
      reportingInstance: 'i',
      action: 'Run',
      reason: 'Started',
      regarding,
      note: 'it runs',
      type: 'Normal',
    });
    assert.equal(created.apiVersion, 'events.k8s.io/v1');
    assert.equal(created.note, 'it runs');
    const core = await get(`${root}/namespaces/default/events/e`);
    assert.equal(core.apiVersion, 'v1');
    assert.equal(core.message, 'it runs');
    assert.equal(core.involvedObject.name, 'p');
    const list = await get(events, { fieldSelector: 'regarding.name=p' });
    assert.equal(list.items[0].note, 'it runs');
    const patch = { contentType: 'application/merge-patch+json' };
    const patched = await send(
      'PATCH',
      `${events}/e`,
      { series: { count: 2, lastObservedTime: created.eventTime } },
      patch,
    );
    assert.equal(patched.series.count, 2);
  });

  it('binds a pod once', async () => {
    await post(pods, pod('bindme'));
    await post(`${pods}/bindme/binding`, { metadata: { name: 'bindme' }, target: { kind: 'Node', name: 'node-a' } });
    const bound = await get(`${pods}/bindme`);
    assert.equal(bound.spec.nodeName, 'node-a');
    assert.equal(bound.status.conditions.find((one: { type: string }) => one.type === 'PodScheduled').status, 'True');
    const error = await refusal(
      post(`${pods}/bindme/binding`, { metadata: { name: 'bindme' }, target: { kind: 'Node', name: 'node-b' } }),
    );
    assert.match(error.message, /pod bindme is already assigned to node "node-a"$/);
  });

  it('evicts only what its disruption budget lets go', async () => {
    const budgets = '/clusters/a/apis/policy/v1/namespaces/default/poddisruptionbudgets';
    await post(pods, { ...pod('guarded', { nodeName: 'n' }), metadata: { name: 'guarded', labels: { guard: 'x' } } });
    const ready = [{ type: 'Ready', status: 'True' }];
    const current = await get(`${pods}/guarded`);
    await send('PUT', `${pods}/guarded/status`, { ...current, status: { phase: 'Running', conditions: ready } });
    const budget = await post(budgets, {
      metadata: { name: 'b' },
      spec: { minAvailable: 1, selector: { matchLabels: { guard: 'x' } } },
    });
    const status = {
      disruptionsAllowed: 0,
      currentHealthy: 1,
      desiredHealthy: 1,
      expectedPods: 1,
      observedGeneration: 1,
    };
    await send('PUT', `${budgets}/b/status`, { ...budget, status });
    const eviction = { metadata: { name: 'guarded' }, deleteOptions: { gracePeriodSeconds: 0 } };
    const error = await refusal(post(`${pods}/guarded/eviction`, eviction));
    assert.equal(error.code, 429);
    assert.equal(error.message, "Cannot evict pod as it would violate the pod's disruption budget.");
    await send('PUT', `${budgets}/b/status`, {
      ...(await get(`${budgets}/b`)),
      status: { ...status, disruptionsAllowed: 1 },
    });
    await post(`${pods}/guarded/eviction`, eviction);
    assert.equal((await refusal(get(`${pods}/guarded`))).code, 404);
    assert.equal((await get(`${budgets}/b`)).status.disruptionsAllowed, 0);
  });

  it('lets nothing into a namespace that is going, and keeps the default ones', async () => {
    await post(`${root}/namespaces`, { metadata: { name: 'going' } });
    const deleted = await send('DELETE', `${root}/namespaces/going`);
    assert.equal(deleted.status.phase, 'Terminating');
    const error = await refusal(post(`${root}/namespaces/going/configmaps`, { metadata: { name: 'x' } }));
    assert.equal(
      error.message,
      'configmaps "x" is forbidden: unable to create new content in namespace going because it is being terminated',
    );
    assert.equal(error.details?.causes?.[0]?.reason, 'NamespaceTerminating');
    const current = await get(`${root}/namespaces/going`);
    await send('PUT', `${root}/namespaces/going/finalize`, { ...current, spec: { finalizers: [] } });
    assert.equal((await refusal(get(`${root}/namespaces/going`))).code, 404);
    const immortal = await refusal(send('DELETE', `${root}/namespaces/default`));
    assert.equal(immortal.message, 'namespaces "default" is forbidden: this namespace may not be deleted');
  });

  it('gives services addresses, once each, and takes them back', async () => {
    const services = `${root}/namespaces/default/services`;
    const addresses = '/clusters/a/apis/networking.k8s.io/v1/ipaddresses';
    const service = (name: string, spec: object = {}) => ({
      metadata: { name },
      spec: { ports: [{ port: 80 }], ...spec },
    });
    const one = await post(services, service('one'));
    assert.match(one.spec.clusterIP, /^10\.(9[6-9]|1[01]\d)\./);
    assert.deepEqual(one.spec.clusterIPs, [one.spec.clusterIP]);
    assert.equal((await get(`${addresses}/${one.spec.clusterIP}`)).spec.parentRef.name, 'one');
    const taken = await refusal(post(services, service('two', { clusterIP: one.spec.clusterIP })));
    assert.equal(taken.code, 422);
    assert.match(taken.message, /provided IP is already allocated/);
    assert.match(
      (await refusal(post(services, service('api', { clusterIP: '10.96.0.1' })))).message,
      /already allocated/,
    );
    assert.equal((await post(services, service('headless', { clusterIP: 'None' }))).spec.clusterIP, 'None');
    const port = await post(services, service('port', { type: 'NodePort' }));
    assert.ok(port.spec.ports[0].nodePort >= 30_000 && port.spec.ports[0].nodePort <= 32_767);
    await send('DELETE', `${services}/one`);
    assert.equal((await refusal(get(`${addresses}/${one.spec.clusterIP}`))).code, 404);
    const again = await post(services, service('two', { clusterIP: one.spec.clusterIP }));
    assert.equal(again.spec.clusterIP, one.spec.clusterIP);
    const many = await Promise.all(Array.from({ length: 50 }, (_, index) => post(services, service(`many-${index}`))));
    assert.equal(new Set(many.map((each) => each.spec.clusterIP)).size, 50);
  });

  it('has every tenant’s shared objects, until a tenant writes its own', async () => {
    const kubernetes = await get(`${root}/namespaces/default/services/kubernetes`);
    assert.equal(kubernetes.spec.clusterIP, '10.96.0.1');
    const other = await get('/clusters/b/api/v1/namespaces/default/services/kubernetes');
    assert.notEqual(kubernetes.metadata.uid, other.metadata.uid);
    const range = await get('/clusters/a/apis/networking.k8s.io/v1/servicecidrs/kubernetes/status');
    assert.deepEqual(range.spec.cidrs, ['10.96.0.0/12']);
    assert.equal(range.status.conditions[0].status, 'True');
    const seen: WatchEvent[] = [];
    const abort = new AbortController();
    const watching = server.transport.watch({
      path: `${root}/namespaces/default/configmaps`,
      query: { fieldSelector: 'metadata.name=kube-root-ca.crt' },
      signal: abort.signal,
      onEvents: (events) => seen.push(...events),
    });
    await until(() => seen.length === 1);
    const path = `${configMaps}/kube-root-ca.crt`;
    const patch = { contentType: 'application/merge-patch+json' };
    const changed = await send('PATCH', path, { data: { extra: 'x' } }, patch);
    assert.equal(changed.data.extra, 'x');
    assert.equal(
      (await get('/clusters/b/api/v1/namespaces/default/configmaps/kube-root-ca.crt')).data.extra,
      undefined,
    );
    await send('DELETE', path);
    assert.equal((await get(path)).data.extra, undefined);
    await until(() => seen.length >= 4);
    assert.deepEqual(
      seen.map(({ type }) => type),
      ['ADDED', 'MODIFIED', 'DELETED', 'ADDED'],
    );
    abort.abort();
    await watching;
  });

  it('shows components of the platform every tenant at once', async () => {
    const list = await get('/clusters/*/api/v1/namespaces');
    const names = list.items.map(({ metadata }: KubeObject) => `${metadata.clusterName}/${metadata.name}`);
    assert.ok(names.includes('a/default') && names.includes('b/default') && names.includes('system/skypod-hosts'));
    const seen: WatchEvent[] = [];
    const abort = new AbortController();
    const watching = server.transport.watch({
      path: '/clusters/*/api/v1/namespaces',
      query: { resourceVersion: list.metadata.resourceVersion },
      signal: abort.signal,
      onEvents: (events) => seen.push(...events),
    });
    await server.addTenant('late');
    await until(() => seen.length >= 4);
    assert.deepEqual([...new Set(seen.map(({ object }) => object.metadata.clusterName))], ['late']);
    abort.abort();
    await watching;
    assert.equal((await refusal(get('/clusters/nobody/api/v1/namespaces'))).code, 404);
  });
});
