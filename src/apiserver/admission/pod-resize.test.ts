import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { callerOf, pods, refusal, root } from '../testing/in-process-caller.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

describe('resizes', { timeout: 60_000 }, () => {
  let server: TestServer;
  const { send, get, post } = callerOf(() => server.transport);
  before(async () => {
    server = await startTestServer(openMemoryStore(), { tenants: ['a'] });
    for (const [name, os] of Object.entries({ 'node-l': 'linux', 'node-w': 'windows' })) {
      const node = await post(`${root}/nodes`, { metadata: { name, labels: { 'kubernetes.io/os': os } } });
      await send('PUT', `${root}/nodes/${name}/status`, {
        ...node,
        status: { allocatable: { cpu: '4', memory: '8Gi' } },
      });
    }
  });
  after(() => server.close());

  const spec = (nodeName: string, requests: object) => ({
    nodeName,
    containers: [{ name: 'c', image: 'x', resources: { requests } }],
  });
  const make = (name: string, nodeName: string, requests: object) =>
    post(pods, { metadata: { name }, spec: spec(nodeName, requests) });
  async function resize(name: string, requests: object) {
    const pod = await get(`${pods}/${name}`);
    const containers = pod.spec.containers.map((each: object) => ({ ...each, resources: { requests } }));
    return send('PUT', `${pods}/${name}/resize`, { ...pod, spec: { ...pod.spec, containers } });
  }

  it('stay within the node', async () => {
    await make('fits', 'node-l', { cpu: '1', memory: '1Gi' });
    const resized = await resize('fits', { cpu: '3', memory: '1Gi' });
    assert.equal(resized.spec.containers[0].resources.requests.cpu, '3');
    const error = await refusal(resize('fits', { cpu: '5', memory: '9Gi' }));
    assert.equal(error.code, 403);
    assert.equal(
      error.message,
      `pods "fits" is forbidden: node didn't have enough allocatable resources: cpu, requested: 5000, allocatable: 4000; memory, requested: 9663676416, allocatable: 8589934592`,
    );
    assert.deepEqual(error.details?.causes, [{ reason: 'NodeCapacity' }]);
    // Larger than its node from the start, it may still be written as it is.
    await make('large', 'node-l', { cpu: '16' });
    await resize('large', { cpu: '16' });
  });

  it('are measured by limit ranges and quotas', async () => {
    const space = `${root}/namespaces/bounded`;
    await post(`${root}/namespaces`, { metadata: { name: 'bounded' } });
    await post(`${space}/serviceaccounts`, { metadata: { name: 'default' } });
    await post(`${space}/limitranges`, {
      metadata: { name: 'range' },
      spec: { limits: [{ type: 'Container', max: { cpu: '3' } }] },
    });
    const hard = { 'requests.cpu': '2' };
    const quota = await post(`${space}/resourcequotas`, { metadata: { name: 'q' }, spec: { hard } });
    await send('PUT', `${space}/resourcequotas/q/status`, {
      ...quota,
      status: { hard, used: { 'requests.cpu': '0' } },
    });
    const sized = (cpu: string) => ({ requests: { cpu }, limits: { cpu } });
    const pod = await post(`${space}/pods`, {
      metadata: { name: 'p' },
      spec: { nodeName: 'node-l', containers: [{ name: 'c', image: 'x', resources: sized('1') }] },
    });
    const to = (cpu: string) =>
      send('PUT', `${space}/pods/p/resize`, {
        ...pod,
        metadata: { name: 'p' },
        spec: { ...pod.spec, containers: [{ ...pod.spec.containers[0], resources: sized(cpu) }] },
      });
    assert.match((await refusal(to('3500m'))).message, /maximum cpu usage per Container is 3, but limit is 3500m/);
    assert.match(
      (await refusal(to('2500m'))).message,
      /exceeded quota: q, requested: requests.cpu=1500m, used: requests.cpu=1, limited: requests.cpu=2$/,
    );
    await to('1500m');
    assert.equal((await get(`${space}/resourcequotas/q`)).status.used['requests.cpu'], '1500m');
  });

  it('are for Linux, and for nodes that are there', async () => {
    await make('windows', 'node-w', { cpu: '1' });
    const error = await refusal(resize('windows', { cpu: '2' }));
    assert.match(error.message, /pod resize is only supported on linux nodes, node "node-w" is "windows"$/);
    assert.deepEqual(error.details?.causes, [{ reason: 'UnsupportedPlatform' }]);
    await make('lost', 'nowhere', { cpu: '1' });
    assert.match((await refusal(resize('lost', { cpu: '2' }))).message, /node "nowhere" not found$/);
  });
});
