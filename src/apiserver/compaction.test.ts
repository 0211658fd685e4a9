import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { SettableClock } from '../base/testing/settable-clock.ts';
import { settled, until } from '../base/testing/until.ts';
import type { Store } from '../store/store.ts';
import { startCompaction } from './compaction.ts';

const minuteMs = 60_000;

/** A store that writes so many revisions a minute, and what was compacted. */
async function harness(keep: { keepMs: number; keepRevisions: number }, perMinute: number) {
  const clock = new SettableClock(0);
  const compacted: number[] = [];
  let looks = 0;
  const store = {
    async currentRevision() {
      looks++;
      return (clock.monotonic() / minuteMs) * perMinute;
    },
    async compact(revision: number) {
      compacted.push(revision);
    },
  } as unknown as Store;
  const stop = startCompaction(store, clock, silentLogger, keep);
  const pass = async (ms: number) => {
    const before = looks;
    clock.advance(ms);
    await until(() => looks > before);
    await settled(20);
  };
  await pass(0);
  const minute = () => pass(minuteMs);
  return { clock, compacted, minute, stop, looks: () => looks };
}

test('keeps what is younger, and forgets what is older a step a minute', async () => {
  const { compacted, minute, stop } = await harness({ keepMs: 5 * minuteMs, keepRevisions: 1_000_000 }, 100);
  for (let passed = 0; passed < 6; passed++) await minute();
  // What was the newest after the first minute is five minutes old then.
  assert.deepEqual(compacted, [100]);
  await minute();
  await minute();
  assert.deepEqual(compacted, [100, 200, 300]);
  stop();
});

test('keeps no more revisions than it may, however young', async () => {
  const { compacted, minute, stop } = await harness({ keepMs: 60 * minuteMs, keepRevisions: 150 }, 100);
  for (let passed = 0; passed < 3; passed++) await minute();
  assert.deepEqual(compacted, [50, 150]);
  stop();
});

test('looks no more when it is stopped', async () => {
  const { clock, minute, stop, looks } = await harness({ keepMs: minuteMs, keepRevisions: 10 }, 1);
  await minute();
  stop();
  const before = looks();
  clock.advance(10 * minuteMs);
  await settled(20);
  assert.equal(looks(), before);
});

test('a clock that is set an hour forward makes no history old', async () => {
  const { clock, compacted, minute, stop } = await harness({ keepMs: 5 * minuteMs, keepRevisions: 1_000_000 }, 100);
  await minute();
  clock.offsetMs = 60 * minuteMs;
  await minute();
  assert.deepEqual(compacted, []);
  stop();
});
