import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode } from 'dns-packet';
import { AnswerCache, findTtls } from './answer-cache.ts';

function message(ttls: number[], flags = 0): Buffer {
  return encode({
    type: 'response',
    id: 7,
    flags,
    questions: [{ type: 'A', name: 'a.example' }],
    answers: ttls.map((ttl) => ({ type: 'A' as const, name: 'a.example', ttl, data: '192.0.2.1' })),
    additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 1232, flags: 0, options: [] } as any],
  });
}
const query = Buffer.from([0x12, 0x34]);

test('TTLs run on, the number is the asker’s, and an answer ends with its shortest TTL', () => {
  const cache = new AnswerCache();
  cache.put('a', message([20, 10]), 0);
  const answer = cache.get('a', query, 4500)!;
  assert.equal(answer.readUInt16BE(0), 0x1234);
  assert.deepEqual(
    decode(answer).answers?.map((record: any) => record.ttl),
    [16, 6],
  );
  assert.equal(cache.get('a', query, 10_000), undefined);
});

test('no answer is kept for more than 30 s, and failures and cut answers not at all', () => {
  const cache = new AnswerCache();
  cache.put('long', message([3600]), 0);
  assert.notEqual(cache.get('long', query, 29_999), undefined);
  assert.equal(cache.get('long', query, 30_000), undefined);
  cache.put('failed', message([10], 2), 0);
  cache.put('cut', message([10], 1 << 9), 0);
  assert.equal(cache.get('failed', query, 1), undefined);
  assert.equal(cache.get('cut', query, 1), undefined);
});

test('the oldest goes when there are too many', () => {
  const cache = new AnswerCache(2);
  for (const key of ['a', 'b', 'c']) cache.put(key, message([10]), 0);
  assert.equal(cache.get('a', query, 1), undefined);
  assert.notEqual(cache.get('c', query, 1), undefined);
});

test('nonsense has no TTLs', () => {
  const whole = message([10]);
  assert.equal(findTtls(whole)?.length, 1);
  for (let length = 0; length < whole.length; length++) assert.equal(findTtls(whole.subarray(0, length)), undefined);
});
