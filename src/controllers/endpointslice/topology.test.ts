import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zoneHints, zoneSharesOf } from './topology.ts';

const node = (zone: string | undefined, cpu: string, ready = 'True', labels = {}): any => ({
  metadata: { name: 'n', labels: { ...(zone && { 'topology.kubernetes.io/zone': zone }), ...labels } },
  status: { allocatable: { cpu }, conditions: [{ type: 'Ready', status: ready }] },
});
const endpoints = (counts: Record<string, number>, ready = true): any[] =>
  Object.entries(counts).flatMap(([zone, count]) =>
    Array.from({ length: count }, (_, index) => ({
      addresses: [`${zone}-${index}`],
      conditions: { ready },
      zone,
    })),
  );
const even = new Map([
  ['a', 0.5],
  ['b', 0.5],
]);

function hinted(...input: Parameters<typeof zoneHints>): Record<string, number> | string {
  const result = zoneHints(...input);
  if ('why' in result) return result.why;
  const counts: Record<string, number> = {};
  for (const zone of result.zones.values()) counts[zone] = (counts[zone] ?? 0) + 1;
  return counts;
}

test("zones' shares of the ready nodes' CPU", () => {
  assert.deepEqual(
    [...zoneSharesOf([node('a', '3'), node('b', '1')])!],
    [
      ['a', 0.75],
      ['b', 0.25],
    ],
  );
  assert.equal(zoneSharesOf([node('a', '1'), node('b', '1', 'False')]), undefined, 'one zone is no choice');
  assert.equal(zoneSharesOf([node('a', '1'), node('b', '1'), node(undefined, '1')]), undefined);
  const master = { 'node-role.kubernetes.io/control-plane': '' };
  assert.equal(zoneSharesOf([node('a', '1'), node('b', '1'), node(undefined, '1', 'True', master)])!.size, 2);
});

test('each zone keeps its own, and lends what is beyond its share', () => {
  assert.deepEqual(hinted(endpoints({ a: 3, b: 3 }), even), { a: 3, b: 3 });
  assert.deepEqual(hinted(endpoints({ a: 5, b: 1 }), even), { a: 3, b: 3 });
  assert.deepEqual(hinted([...endpoints({ a: 2, b: 2 }), ...endpoints({ a: 9 }, false)], even), { a: 2, b: 2 });
});

test('why there are none', () => {
  assert.match(hinted([], undefined) as string, /^Insufficient Node information/);
  assert.equal(hinted(endpoints({ a: 1 }), even), 'Insufficient number of endpoints (1 endpoints, 2 zones)');
  const uneven = new Map([
    ['a', 0.9],
    ['b', 0.1],
  ]);
  assert.equal(
    hinted(endpoints({ a: 1, b: 1 }), new Map([...uneven].map(([zone, share]) => [zone, share]))),
    'Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (2 endpoints, 2 zones)',
  );
  const nowhere = { addresses: ['x'], conditions: { ready: true } } as any;
  assert.equal(
    hinted([...endpoints({ a: 3, b: 2 }), nowhere], even),
    'One or more endpoints do not have a zone specified',
  );
});
