import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiscoveredResources, discoveredResources } from './discovered.ts';

test('leaves out what is no list of resources', () => {
  const odd: unknown[] = [null, true, 1, 'text', [], {}, { name: 1 }, { name: {} }, { name: null, verbs: 1 }];
  for (const one of odd) {
    assert.deepEqual(discoveredResources('g', 'v1', one), []);
    assert.deepEqual(discoveredResources('g', 'v1', { resources: one }), []);
    assert.deepEqual(discoveredResources('g', 'v1', { resources: [one] }), []);
    const [found] = discoveredResources('g', 'v1', {
      resources: [{ name: 'a', kind: one, group: one, version: one, namespaced: one, verbs: one, shortNames: one }],
    });
    for (const value of Object.values(found!))
      assert.ok(!(value instanceof Object) || JSON.stringify(value).length < 100);
  }
  const many = Array.from({ length: 1000 }, (_, index) => ({ name: `r${index}`, verbs: Array(1000).fill('get') }));
  const kept = discoveredResources('g', 'v1', { resources: many }) as { verbs: string[] }[];
  assert.deepEqual([kept.length, kept[0]!.verbs.length], [500, 100]);
});

test('keeps so much of one tenant, and of another all the same', () => {
  const discovered = new DiscoveredResources();
  const large = [{ resource: 'x'.repeat(1024 * 1024) }];
  for (let index = 0; index < 10; index++) discovered.set('red', `v${index}`, large);
  const kept = () => Array.from({ length: 10 }, (_, index) => discovered.get('red', `v${index}`)!.resources.length);
  assert.deepEqual(kept(), [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
  discovered.set('blue', 'v0', large);
  assert.equal(discovered.get('blue', 'v0')!.resources, large);
  // What goes makes room, and the same once more takes none.
  discovered.set('red', 'v0', large);
  discovered.set('red', 'v1', []);
  discovered.set('red', 'v9', large);
  assert.deepEqual(kept(), [1, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
  discovered.markStale('red', 'v9');
  assert.equal(discovered.get('red', 'v9')!.isStale, true);
  for (let index = 0; index < 10; index++) discovered.delete('red', `v${index}`);
  assert.equal(discovered.get('red', 'v9'), undefined);
});
