import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { callerOf, pod, pods, refusal, root } from '../testing/in-process-caller.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const zone = 'topology.kubernetes.io/zone';
const region = 'topology.kubernetes.io/region';

describe("a node's topology labels", { timeout: 60_000 }, () => {
  let server: TestServer;
  const { send, get, post } = callerOf(() => server.transport);
  before(async () => {
    server = await startTestServer(openMemoryStore(), { tenants: ['a'] });
    await post(`${root}/nodes`, { metadata: { name: 'here', labels: { [zone]: 'z1', [region]: 'r1', rack: '7' } } });
  });
  after(() => server.close());

  const bind = (name: string, nodeName: string) =>
    post(`${pods}/${name}/binding`, { metadata: { name }, target: { kind: 'Node', name: nodeName } });

  it('come to a pod when it is bound, over its own', async () => {
    await post(pods, { ...pod('bound'), metadata: { name: 'bound', labels: { app: 'web', [zone]: 'mine' } } });
    const { metadata } = await get(`${pods}/bound`);
    await send('PUT', `${pods}/bound/status`, {
      ...(await get(`${pods}/bound`)),
      status: { nominatedNodeName: 'here' },
    });
    assert.equal(metadata.labels[zone], 'mine');
    await bind('bound', 'here');
    const after = await get(`${pods}/bound`);
    assert.deepEqual(after.metadata.labels, { app: 'web', [zone]: 'z1', [region]: 'r1' });
    assert.equal(after.status.nominatedNodeName, undefined, 'the nomination is over');
  });

  it('come to a pod that says its node, and from a node that is not there none come', async () => {
    const placed = await post(pods, pod('placed', { nodeName: 'here' }));
    assert.equal(placed.metadata.labels[zone], 'z1');
    await post(pods, pod('elsewhere'));
    await bind('elsewhere', 'nowhere');
    assert.equal((await get(`${pods}/elsewhere`)).metadata.labels, undefined);
  });

  it('a pod with gates is bound by nobody', async () => {
    await post(pods, pod('gated', { schedulingGates: [{ name: 'example.com/wait' }] }));
    const error = await refusal(bind('gated', 'here'));
    assert.equal(error.code, 409);
    assert.equal(
      error.message,
      'Operation cannot be fulfilled on pods/binding "gated": pod gated has non-empty .spec.schedulingGates',
    );
  });
});
