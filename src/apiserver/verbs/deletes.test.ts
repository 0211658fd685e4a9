import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { configMaps, refusal, serverOfSuite } from '../testing/in-process-caller.ts';

describe('deleting objects', { timeout: 60_000 }, () => {
  const { send, get, post } = serverOfSuite();

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
    const longer = await send('DELETE', `${instances}/i`, { gracePeriodSeconds: 60 });
    assert.equal(longer.metadata.deletionGracePeriodSeconds, 30, 'a deletion under way only gets shorter');
    assert.equal(longer.metadata.deletionTimestamp, '2026-01-01T00:00:30Z');
    const shorter = await send('DELETE', `${instances}/i`, { gracePeriodSeconds: 5 });
    assert.equal(shorter.metadata.deletionGracePeriodSeconds, 5);
    await send('DELETE', `${instances}/i`, { gracePeriodSeconds: 0 });
    assert.equal((await refusal(get(`${instances}/i`))).code, 404);
  });

  it('lets others have their turns between the objects of a collection, where nothing else is waited for', async () => {
    for (let index = 0; index < 5000; index++) await post(configMaps, { metadata: { name: `many-${index}` } });
    let turns = 0;
    let isOver = false;
    const count = () => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    try {
      await send('DELETE', configMaps, undefined, { query: { dryRun: 'All' } });
    } finally {
      isOver = true;
    }
    assert.ok(turns > 3, `${turns}`);
    await send('DELETE', configMaps);
  });

  it('answers the deletion of a collection with what was there, in the form that was asked for', async () => {
    const events = '/clusters/a/apis/events.k8s.io/v1/namespaces/default/events';
    const regarding = { kind: 'Pod', name: 'p', namespace: 'default' };
    const event = {
      action: 'Run',
      reason: 'Started',
      regarding,
      type: 'Normal',
      eventTime: '2026-01-01T00:00:00.000000Z',
    };
    const made = { metadata: { name: 'e' }, reportingController: 'example.com/c', reportingInstance: 'i', ...event };
    await post(events, made);
    const taken = await refusal(post(events, made));
    assert.equal(taken.details?.group, 'events.k8s.io');
    const patched = (metadata: object) =>
      refusal(send('PATCH', `${events}/e`, { metadata }, { contentType: 'application/merge-patch+json' }));
    // Of the resource that was asked for what the store says, of the kind that is stored what is wrong with it.
    const modified = await patched({ resourceVersion: '1' });
    assert.deepEqual([modified.details?.group, modified.details?.kind], ['events.k8s.io', 'events']);
    const another = await patched({ uid: 'another' });
    assert.match(another.message, /^Event "e" is invalid: /);
    const gone = await send('DELETE', events, undefined, { query: { propagationPolicy: 'Foreground' } });
    assert.equal(gone.apiVersion, 'events.k8s.io/v1');
    assert.deepEqual(gone.items[0].regarding, regarding);
    assert.equal(gone.items[0].metadata.deletionTimestamp, undefined);
    assert.deepEqual((await get(events)).items, []);
  });
});
