import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts';
import type { KubeObject } from '../../api/object.ts';
import type { CacheEntry } from '../watch-cache/watch-cache.ts';
import { roughSize } from './grown-forms.ts';
import { versionedEntry, versionedLater } from './versioned-entries.ts';
import { versionedForm } from './versioned-form.ts';

const formWithDefaultOf = (bytes: number) =>
  versionedForm(
    {
      metadata: { name: 'foos.example.com', resourceVersion: '10' },
      spec: {
        group: 'example.com',
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: { type: 'object', properties: { text: { type: 'string', default: 'x'.repeat(bytes) } } },
            },
          },
        ],
      },
    } as unknown as CustomResourceDefinition,
    'v1',
    undefined,
    () => undefined,
  );

const stored = (name: string, looked: string[] = []): CacheEntry => ({
  tenant: 't',
  namespace: 'default',
  name,
  revision: 5,
  key: name,
  get object(): KubeObject {
    looked.push(name);
    return objects.get(name) ?? objects.set(name, fresh(name)).get(name)!;
  },
  bytes: () => assert.fail('the stored bytes are of another form'),
  representation: () => assert.fail('so are those'),
});
const objects = new Map<string, KubeObject>();
const fresh = (name: string): KubeObject => ({
  apiVersion: 'example.com/v1',
  kind: 'Foo',
  metadata: { name, resourceVersion: '5', uid: name, creationTimestamp: '2026-01-01T00:00:00Z' },
});

test('what a version shows is made once, and of what grew by megabytes only the last few are kept', () => {
  const entries = Array.from({ length: 20 }, (_, index) => stored(`foo-${index}`));
  const small = formWithDefaultOf(100);
  const made = entries.map((entry) => versionedEntry(small, entry).object);
  assert.deepEqual(
    entries.map((entry, index) => versionedEntry(small, entry).object === made[index]),
    entries.map(() => true),
  );
  const large = formWithDefaultOf(2 ** 20);
  const grown = entries.map((entry) => versionedEntry(large, entry).object);
  assert.equal((grown[0]!['text'] as string).length, 2 ** 20);
  assert.equal(versionedEntry(large, entries[19]!).object, grown[19]);
  const again = versionedEntry(large, entries[0]!).object;
  assert.notEqual(again, grown[0]);
  assert.deepEqual(again, grown[0]);
});

test('a list works out its entries when they are looked at', () => {
  const looked: string[] = [];
  const [first, second] = versionedLater(formWithDefaultOf(10), [stored('a', looked), stored('b', looked)]);
  assert.deepEqual([first!.name, second!.name, looked], ['a', 'b', []]);
  assert.match(second!.bytes('tenant').toString(), /"text":"xxxxxxxxxx"/);
  assert.deepEqual([...new Set(looked)], ['b']);
});

test('the size of an object is guessed without writing it', () => {
  const object = { a: 'text', list: [1, 2, { b: true }], nothing: null };
  const size = JSON.stringify(object).length;
  assert.ok(Math.abs(roughSize(object) - size) < size / 3, `${roughSize(object)} of ${size}`);
});
