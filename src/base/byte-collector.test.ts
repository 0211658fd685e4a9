import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteCollector } from './byte-collector.ts';

test('gives back what came, and holds few pieces of what came a byte at a time', () => {
  const collector = new ByteCollector();
  const expected: Buffer[] = [];
  for (let index = 0; index < 100_000; index++) {
    const chunk = Buffer.alloc(index % 5000 === 0 ? 3000 : 1 + (index % 3), index % 251);
    collector.add(chunk);
    expected.push(chunk);
  }
  const all = Buffer.concat(expected);
  assert.equal(collector.length, all.length);
  assert.ok(collector.pieces < 80, `${collector.pieces}`);
  assert.ok(collector.bytes().equals(all));
});

test('gives one large piece back as it is', () => {
  const collector = new ByteCollector();
  const chunk = Buffer.alloc(5000);
  collector.add(chunk);
  assert.equal(collector.bytes(), chunk);
  assert.equal(new ByteCollector().bytes().length, 0);
});
