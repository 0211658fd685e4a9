import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { whyNoNamespaces } from './testing/network.ts';

test('pods reach the world behind the machine, and neither the machine nor its metadata', {
  skip: whyNoNamespaces(),
}, async () => {
  const script = fileURLToPath(new URL('./testing/egress.ts', import.meta.url));
  const child = spawn('unshare', ['--net', process.execPath, script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const output = (await Array.fromAsync(child.stdout.setEncoding('utf8') as AsyncIterable<string>)).join('');
  const { podToMetadata, podToBlocked, podToMachine, podToOtherLink, hostNetworkToMachine, ...reached } =
    JSON.parse(output);
  assert.deepEqual(reached, {
    podToWorld: 'world 198.51.100.2',
    sameAddressOfAnotherTenant: 'world 198.51.100.2',
    hostNetworkToWorld: 'world 198.51.100.2',
    machineToMachine: 'machine 198.51.100.2',
    forwarding: ['0', '1', '0'],
  });
  for (const answer of [podToMetadata, podToBlocked, podToMachine, podToOtherLink, hostNetworkToMachine]) {
    assert.match(answer, /^error/);
  }
});
