import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mostValues, outgrown } from './nesting.ts';

const look = (text: string, isYaml = false) => outgrown(Buffer.from(text), isYaml);

test('bodies are refused that open too many brackets or hold too many values', () => {
  assert.equal(look(`${'['.repeat(1000)}${']'.repeat(1000)}`), undefined);
  assert.equal(look(`${'{"a":'.repeat(1001)}1${'}'.repeat(1001)}`), 'depth');
  assert.equal(look(`[${'0,'.repeat(mostValues - 2)}0]`), undefined);
  assert.equal(look(`[${'0,'.repeat(mostValues)}0]`), 'values');
  assert.equal(look(`[${'[]'.repeat(mostValues)}]`), 'values');
  assert.equal(look('a:\n- 1\n'.repeat(mostValues), true), 'values');
});

test('what stands in strings is neither', () => {
  assert.equal(look(`{"a":"${'['.repeat(2000)}","b\\"${','.repeat(mostValues)}":"\\\\"}`), undefined);
});
