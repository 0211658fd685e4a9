import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitErrorMessage, preemptionMessage } from './fit-error.ts';
import { NO_VICTIMS } from './preemption.ts';

const rejection = (resolvable: boolean, ...reasons: string[]) => ({ reasons, resolvable });

test('reasons are counted and sorted as upstream prints them', () => {
  const rejections = [
    rejection(false, 'node(s) had untolerated taint(s)'),
    rejection(true, 'Insufficient cpu', 'Too many pods'),
    rejection(true, 'Insufficient cpu'),
  ];
  assert.equal(
    fitErrorMessage('nodes', 3, rejections, undefined),
    '0/3 nodes are available: 1 Too many pods, 1 node(s) had untolerated taint(s), 2 Insufficient cpu.',
  );
  assert.equal(
    preemptionMessage(3, [rejection(false, NO_VICTIMS), rejection(false, NO_VICTIMS)]),
    '0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.',
  );
});

test('no nodes at all, and a reason that holds everywhere', () => {
  assert.equal(fitErrorMessage('nodes', 0, [], undefined), 'no nodes available to schedule pods');
  assert.equal(
    fitErrorMessage('nodes', 2, [], 'persistentvolumeclaim "x" not found'),
    '0/2 nodes are available: persistentvolumeclaim "x" not found.',
  );
});
