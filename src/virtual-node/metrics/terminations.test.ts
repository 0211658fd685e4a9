import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TerminationCounts } from './terminations.ts';

const running = { running: {} };
const ended = (exitCode: number, reason: string) => ({ terminated: { exitCode, reason } });
const pod = (states: object[], init: object[] = [], uid = 'u'): any => ({
  metadata: { name: 'p', namespace: 'n', uid, clusterName: 'acme' },
  spec: { nodeName: 'virtual-node-a' },
  status: {
    containerStatuses: states.map((state, index) => ({ name: `c${index}`, state })),
    initContainerStatuses: init.map((state, index) => ({ name: `i${index}`, state })),
  },
});

test('each end counts once, by what ended and how', () => {
  const counts = new TerminationCounts();
  const first = pod([running, running], [running]);
  const second = pod([running, running], [ended(0, 'Completed')]);
  const third = pod([ended(139, 'Error'), ended(139, 'Error')], [ended(0, 'Completed')]);
  counts.observe(first, second);
  counts.observe(second, third);
  counts.observe(third, pod([ended(139, 'Error'), ended(139, 'Error')], [ended(0, 'Completed')]));
  counts.observe(third, pod([ended(1, 'Error')], [], 'another'));
  assert.deepEqual(counts.of('acme', 'virtual-node-a'), [
    { type: 'init_container', exitCode: 0, reason: 'Completed', count: 1 },
    { type: 'container', exitCode: 139, reason: 'Error', count: 2 },
  ]);
  assert.deepEqual(counts.of('other', 'virtual-node-a'), []);
});
