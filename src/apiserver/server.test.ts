import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '../api/object.ts';
import type { WatchEvent } from '../api/transport.ts';
import { until } from '../base/testing/until.ts';
import { configMaps, pod, pods, refusal, root, serverOfSuite } from './testing/in-process-caller.ts';

describe('the API server, in process', { timeout: 60_000 }, () => {
  const { send, get, post, started } = serverOfSuite();

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
    const watching = started().transport.watch({
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
    const uidsOfTheEnd = [(await send('DELETE', path)).details.uid];
    assert.equal((await get(path)).data.extra, undefined);
    uidsOfTheEnd.push((await send('DELETE', path)).details.uid);
    // Who waits for the end of what was deleted, as kubectl does, must see another there.
    assert.ok(!uidsOfTheEnd.includes((await get(path)).metadata.uid));
    const critical = '/clusters/a/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical';
    assert.equal(
      (await refusal(send('DELETE', critical))).message,
      'priorityclasses.scheduling.k8s.io "system-node-critical" is forbidden: this is a system priority class and cannot be deleted',
    );
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
    const watching = started().transport.watch({
      path: '/clusters/*/api/v1/namespaces',
      query: { resourceVersion: list.metadata.resourceVersion },
      signal: abort.signal,
      onEvents: (events) => seen.push(...events),
    });
    await started().addTenant('late');
    await until(() => seen.length >= 4);
    assert.deepEqual([...new Set(seen.map(({ object }) => object.metadata.clusterName))], ['late']);
    abort.abort();
    await watching;
    assert.equal((await refusal(get('/clusters/nobody/api/v1/namespaces'))).code, 404);
  });
});
