import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ManualClock } from '../../base/clock.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { callerOf, pod, pods, refusal } from '../testing/in-process-caller.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const budgets = '/clusters/a/apis/policy/v1/namespaces/default/poddisruptionbudgets';

describe('evictions', { timeout: 60_000 }, () => {
  let server: TestServer;
  const { send, get, post } = callerOf(() => server.transport);
  before(async () => {
    const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
    server = await startTestServer(openMemoryStore(), { tenants: ['a'], clock });
  });
  after(() => server.close());

  const evict = (name: string, more: object = {}) => post(`${pods}/${name}/eviction`, { metadata: { name }, ...more });
  async function running(name: string, isReady = true) {
    await post(pods, { ...pod(name, { nodeName: 'n' }), metadata: { name, labels: { app: name } } });
    const conditions = [{ type: 'Ready', status: isReady ? 'True' : 'False' }];
    const current = await get(`${pods}/${name}`);
    await send('PUT', `${pods}/${name}/status`, { ...current, status: { phase: 'Running', conditions } });
  }
  async function budget(app: string, status: object, spec: object = {}, name = app) {
    const created = await post(budgets, {
      metadata: { name },
      spec: { minAvailable: 1, selector: { matchLabels: { app } }, ...spec },
    });
    const full = {
      disruptionsAllowed: 0,
      currentHealthy: 1,
      desiredHealthy: 1,
      expectedPods: 1,
      observedGeneration: 1,
    };
    await send('PUT', `${budgets}/${name}/status`, { ...created, status: { ...full, ...status } });
  }
  const causeOf = async (work: Promise<unknown>) => {
    const error = await refusal(work);
    assert.equal(error.code, 429);
    assert.equal(error.message, "Cannot evict pod as it would violate the pod's disruption budget.");
    return [error.details?.causes?.[0]?.reason, error.details?.causes?.[0]?.message, error.details?.retryAfterSeconds];
  };

  it('says on the pod why it goes', async () => {
    await running('plain');
    const answer = await evict('plain');
    assert.deepEqual([answer.kind, answer.status, answer.code], ['Status', 'Success', 201]);
    const going = await get(`${pods}/plain`);
    assert.ok(going.metadata.deletionTimestamp);
    const condition = going.status.conditions.find(({ type }: { type: string }) => type === 'DisruptionTarget');
    assert.deepEqual(
      [condition.status, condition.reason, condition.message, condition.lastTransitionTime],
      ['True', 'EvictionByEvictionAPI', 'Eviction API: evicting', '2026-01-01T00:00:00Z'],
    );
  });

  it('refuses another name than the URL has, and a version that is not the newest', async () => {
    await running('named');
    const other = await refusal(post(`${pods}/named/eviction`, { metadata: { name: 'else' } }));
    assert.deepEqual([other.code, other.message], [400, 'name in URL does not match name in Eviction object']);
    const stale = await refusal(evict('named', { deleteOptions: { preconditions: { resourceVersion: '1' } } }));
    assert.equal(stale.code, 409);
    assert.match(
      stale.message,
      /^Operation cannot be fulfilled on Pod "named": the ResourceVersion in the precondition/,
    );
    const { resourceVersion } = (await get(`${pods}/named`)).metadata;
    await evict('named', { deleteOptions: { preconditions: { resourceVersion } } });
    assert.ok((await get(`${pods}/named`)).metadata.deletionTimestamp);
  });

  it('tells why a budget lets nothing go', async () => {
    await running('few');
    await budget('few', {});
    assert.deepEqual(await causeOf(evict('few')), [
      'DisruptionBudget',
      'The disruption budget few needs 1 healthy pods and has 1 currently',
      undefined,
    ]);
    await running('unsynced');
    const failed = {
      type: 'DisruptionAllowed',
      status: 'False',
      reason: 'SyncFailed',
      message: 'found no controllers',
    };
    await budget('unsynced', { conditions: [{ ...failed, lastTransitionTime: '2026-01-01T00:00:00Z' }] });
    assert.equal(
      (await causeOf(evict('unsynced')))[1],
      'The disruption budget unsynced does not allow evicting pods currently because it failed sync: found no controllers',
    );
    await running('odd');
    await budget('odd', { currentHealthy: 5 });
    assert.equal((await causeOf(evict('odd')))[1], 'The disruption budget odd does not allow evicting pods currently');
    await running('new');
    await budget('new', { observedGeneration: 0 });
    assert.deepEqual((await causeOf(evict('new'))).slice(1), [
      'The disruption budget new is still being processed by the server.',
      10,
    ]);
    assert.equal((await get(`${pods}/new`)).status.conditions.length, 1, 'nothing was written');
  });

  it('takes from the budget, and says so when that was the last', async () => {
    await running('last');
    await budget('last', { disruptionsAllowed: 1 });
    await evict('last', { deleteOptions: { dryRun: ['All'] } });
    assert.equal((await get(`${budgets}/last`)).status.disruptionsAllowed, 1);
    await evict('last');
    const { status } = await get(`${budgets}/last`);
    assert.equal(status.disruptionsAllowed, 0);
    assert.deepEqual(status.disruptedPods, { last: '2026-01-01T00:00:00Z' });
    assert.deepEqual([status.conditions[0].status, status.conditions[0].reason], ['False', 'InsufficientPods']);
  });

  it('lets unhealthy pods go as the policy says', async () => {
    await running('sick-enough', false);
    await budget('sick-enough', {});
    await evict('sick-enough');
    await running('sick-few', false);
    await budget('sick-few', { currentHealthy: 0 });
    await causeOf(evict('sick-few'));
    await running('sick-always', false);
    await budget('sick-always', { currentHealthy: 0 }, { unhealthyPodEvictionPolicy: 'AlwaysAllow' });
    await evict('sick-always');
    for (const name of ['sick-enough', 'sick-always']) {
      assert.ok((await get(`${pods}/${name}`)).metadata.deletionTimestamp);
      assert.equal((await get(`${budgets}/${name}`)).status.disruptedPods, undefined);
    }
  });

  it('evicts nothing that two budgets guard', async () => {
    await running('twice');
    await budget('twice', { disruptionsAllowed: 1 }, {}, 'one');
    await budget('twice', { disruptionsAllowed: 1 }, {}, 'two');
    const answer = await evict('twice');
    assert.deepEqual(
      [answer.status, answer.code, answer.message],
      [
        'Failure',
        500,
        'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
      ],
    );
    assert.equal((await get(`${pods}/twice`)).metadata.deletionTimestamp, undefined);
  });
});
