import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { PodAddress } from '../../../api/pod-network.ts';
import { systemClock } from '../../../base/clock.ts';
import { silentLogger } from '../../../base/log.ts';
import { until } from '../../../base/testing/until.ts';
import type { VpcNetwork } from '../../vpc/index.ts';
import { inNamespace, testNetwork, whyNoNamespaces } from '../../vpc/testing/network.ts';
import { vpcService } from '../table/testing.ts';
import { healthAnswer } from './answer.ts';
import { HealthPorts } from './health-ports.ts';
import { openPorts } from './port-opener.ts';

const NODE_A = '10.112.0.1';
const NODE_B = '10.112.0.2';
const checked = (name: string, port: number, ready: Record<string, number>) =>
  vpcService(name, '10.96.7.7', [], { type: 'LoadBalancer', healthCheck: { port, ready } });

test('what a node says, to the letter', () => {
  const { code, headers, body } = healthAnswer(checked('web', 30_001, { [NODE_A]: 2 }), NODE_A, true);
  assert.equal(code, 200);
  assert.deepEqual(headers, {
    'content-type': 'application/json',
    'x-content-type-options': 'nosniff',
    'x-load-balancing-endpoint-weight': '2',
  });
  assert.equal(
    body,
    '{\n\t"service": {\n\t\t"namespace": "default",\n\t\t"name": "web"\n\t},\n\t"localEndpoints": 2,\n\t"serviceProxyHealthy": true\n}',
  );
  assert.equal(healthAnswer(checked('web', 30_001, { [NODE_A]: 2 }), NODE_B, true).code, 503);
  assert.equal(healthAnswer(checked('web', 30_001, { [NODE_A]: 2 }), NODE_A, false).code, 503);
});

describe('health check ports in a VPC', { skip: whyNoNamespaces() }, () => {
  let network: VpcNetwork;
  let end: () => Promise<void>;
  let health: HealthPorts;
  let pod: PodAddress;
  let opened = 0;

  before(async () => {
    ({ network, end } = await testNetwork({ hostIndex: 5 }));
    pod = await network.setUp({ tenant: 'red', uid: 'pod', hostNetwork: false });
    health = new HealthPorts({
      namespacePath: network.carried()[0]!.namespacePath,
      open: (path, ports) => {
        opened++;
        return openPorts(path, ports);
      },
      isProxyHealthy: () => true,
      clock: systemClock,
      logger: silentLogger,
    });
    health.start();
  });
  after(async () => {
    await health?.close();
    await end();
  });

  const ask = async (node: string, port: number) => {
    const script = `fetch('http://${node}:${port}/healthz').then(
      async (answer) => console.log(answer.status, (await answer.json()).localEndpoints),
      (error) => console.log(error.cause.code));`;
    return (await inNamespace(pod.namespacePath!, process.execPath, ['-e', script])).output.trim();
  };

  test('each node answers for its own endpoints', async () => {
    health.set(checked('web', 30_001, { [NODE_A]: 1 }));
    health.set(checked('shop', 30_002, { [NODE_B]: 3 }));
    await health.settled();
    assert.equal(opened, 1, 'both with one process');
    assert.equal(await ask(NODE_A, 30_001), '200 1');
    assert.equal(await ask(NODE_B, 30_001), '503 0');
    assert.equal(await ask(NODE_B, 30_002), '200 3');
  });

  test('a change of endpoints opens nothing, and who goes is refused', async () => {
    health.set(checked('web', 30_001, {}));
    health.delete('default.shop');
    await health.settled();
    assert.equal(opened, 1);
    assert.equal(await ask(NODE_A, 30_001), '503 0');
    await until(async () => (await ask(NODE_B, 30_002)) === 'ECONNREFUSED');
    health.set(vpcService('web', '10.96.7.7', []));
    await until(async () => (await ask(NODE_A, 30_001)) === 'ECONNREFUSED');
  });
});
