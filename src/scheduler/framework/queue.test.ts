import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../base/clock.ts';
import type { ClusterChange } from './plugin.ts';
import { SchedulingQueue, UNSCHEDULABLE_RETRY_MS } from './queue.ts';

function queue() {
  const clock = new ManualClock();
  const units = new SchedulingQueue<string>(clock, () => {});
  return { clock, units };
}

const helpedBy = (...changes: ClusterChange[]) => new Set(changes);

test('higher priority first, then first come, first served', () => {
  const { units } = queue();
  for (const [key, priority] of [
    ['a', 0],
    ['b', 5],
    ['c', 0],
    ['d', 5],
  ] as const) {
    units.add(key, key, 'p', priority);
  }
  assert.deepEqual(
    [0, 1, 2, 3, 4].map(() => units.take()?.key),
    ['b', 'd', 'a', 'c', undefined],
  );
});

test('an unschedulable unit comes back for a change of its partition that may help, after its back-off', () => {
  const { clock, units } = queue();
  units.add('a', 'a', 'acme', 0);
  units.putUnschedulable(units.take()!, helpedBy('targetAdded'));
  units.clusterChanged('acme', 'unitPlaced');
  units.clusterChanged('other', 'targetAdded');
  clock.advance(20_000);
  assert.equal(units.take(), undefined);
  units.clusterChanged('acme', 'targetAdded');
  assert.equal(units.take()?.attempts, 2, 'its back-off ran out while it waited');
  units.putUnschedulable({ ...({} as any), key: 'a', partition: 'acme' }, helpedBy('targetAdded'));
  units.clusterChanged(undefined, 'targetAdded');
  assert.equal(units.take(), undefined, 'it was tried just now');
  clock.advance(2_000);
  assert.equal(units.take()?.attempts, 3);
});

test('nothing waits for ever', () => {
  const { clock, units } = queue();
  units.add('a', 'a', 'p', 0);
  units.putUnschedulable(units.take()!, helpedBy());
  clock.advance(UNSCHEDULABLE_RETRY_MS);
  assert.equal(units.take()?.key, 'a');
});

test('failures back off from one second to ten', () => {
  const { clock, units } = queue();
  units.add('a', 'a', 'p', 0);
  const waits: number[] = [];
  for (let attempt = 0; attempt < 6; attempt++) {
    const since = clock.now();
    let taken = units.take();
    while (taken === undefined) {
      clock.advance(500);
      taken = units.take();
    }
    waits.push(clock.now() - since);
    units.putBackoff(taken);
  }
  assert.deepEqual(waits, [0, 1000, 2000, 4000, 8000, 10_000]);
});

test('a unit that went is not handed out, and one that changed is tried at once', () => {
  const { units } = queue();
  units.add('gone', 'gone', 'p', 0);
  units.remove('gone');
  assert.equal(units.take(), undefined);
  units.add('a', 'old', 'p', 0);
  units.putUnschedulable(units.take()!, helpedBy());
  units.add('a', 'new', 'p', 0);
  assert.equal(units.take()?.unit, 'new');
  assert.equal(units.size, 1);
});

test('tenants take turns whatever their priorities, and none holds more than half of the slots', () => {
  const units = new SchedulingQueue<string>(new ManualClock(), () => {}, {
    tenantOf: (unit) => unit.split('/')[0]!,
    slots: 4,
  });
  for (let index = 0; index < 5000; index++) units.add(`noisy/${index}`, `noisy/${index}`, 'zone', 1000);
  units.add('quiet/0', 'quiet/0', 'zone', 0);
  const taken = [units.take()!, units.take()!];
  assert.deepEqual(
    taken.map(({ key }) => key),
    ['noisy/0', 'quiet/0'],
  );
  assert.equal(units.take(), undefined);
  units.add('quiet/1', 'quiet/1', 'zone', 0);
  units.release(taken[1]!);
  assert.equal(units.take()?.key, 'quiet/1');
  assert.equal(units.take(), undefined, 'what hangs is not given more');
  units.release(taken[0]!);
  assert.equal(units.take()?.key, 'noisy/1');
});
