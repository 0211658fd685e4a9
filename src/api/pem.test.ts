import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstPemBlock, pemBlocks } from './pem.ts';

const block = (type: string, content: string) => `-----BEGIN ${type}-----${content}-----END ${type}-----`;

test('blocks are read one after the other, and what never ends is passed over', () => {
  const text = `x\n-----BEGIN A-----\n${block('B', '\nb\n')}\n-----END C-----${block('B', `\n${block('A', 'a')}\n`)}`;
  const found = [...pemBlocks(text)];
  // The first A goes on to the only end of an A, over all that lies between.
  assert.deepEqual(
    found.map(({ type }) => type),
    ['A'],
  );
  const flat = `${block('B', '\nb\n')}\n-----BEGIN C-----\n${block('D', '\nd\n')}-----END B-----`;
  assert.deepEqual(
    [...pemBlocks(flat)],
    [
      { type: 'B', content: '\nb\n', text: block('B', '\nb\n') },
      { type: 'D', content: '\nd\n', text: block('D', '\nd\n') },
    ],
  );
  assert.equal(firstPemBlock('-----END A-----\n-----BEGIN A-----'), undefined);
  assert.deepEqual([...pemBlocks('')], []);
});

test('what begins a hundred thousand times is looked through once', () => {
  for (const type of ['A', '']) {
    const text = Array.from({ length: 100_000 }, (_, index) => `-----BEGIN ${type || index}-----\n`).join('');
    assert.equal(firstPemBlock(text), undefined);
    assert.equal(firstPemBlock(`${text}${block('Z', 'z')}`)?.content, 'z');
  }
});
