import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInTurns, type Steps } from '../base/steps.ts';
import { RequestPace } from './pace.ts';
import type { RequestTurn } from './request-context.ts';

function* counting(steps: number, onStep: () => void): Steps<number> {
  for (let step = 0; step < steps; step++) {
    onStep();
    yield;
  }
  return steps;
}

test('long work takes a slice every few milliseconds, more often while somebody else asks for little', async () => {
  for (const [hurried, expected] of [
    [false, 24],
    [true, 99],
  ] as const) {
    let nowMs = 0;
    let slices = 0;
    const turn = { hurried, slice: async () => void slices++ } as unknown as RequestTurn;
    const pace = new RequestPace(turn, () => nowMs);
    const done = runInTurns(
      counting(100, () => (nowMs += 1)),
      pace,
    );
    assert.ok(done instanceof Promise);
    assert.equal(await done, 100);
    assert.ok(Math.abs(slices - expected) <= 1, `${slices}`);
  }
});

test('short work is done at once, and so is what has no turn', () => {
  const turn = { hurried: false, slice: () => assert.fail('nobody waits') } as unknown as RequestTurn;
  const pace = new RequestPace(turn, () => 0);
  assert.equal(
    runInTurns(
      counting(100, () => {}),
      pace,
    ),
    100,
  );
  assert.equal(
    runInTurns(
      counting(100, () => {}),
      undefined,
    ),
    100,
  );
});
