import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type HttpAnswer, HttpAnswerReader } from './http-answer-reader.ts';

/** What is read of the bytes, however they are cut. */
function read(text: string, size = text.length): HttpAnswer[] {
  const answers: HttpAnswer[] = [];
  const reader = new HttpAnswerReader((answer) => answers.push(answer));
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
  reader.end();
  return answers;
}

test('answers one after the other, in pieces of any size', () => {
  const text = [
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: y\r\n\r\né1',
    'HTTP/1.1 404 Not Found\r\ntransfer-encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n3\r\n, y\r\n2\r\nou\r\n0\r\nTrailer: t\r\n\r\n',
    'HTTP/1.1 204 No Content\r\n\r\n',
    'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
  ].join('');
  for (const size of [1, 2, 3, 7, 64, text.length]) {
    assert.deepEqual(
      read(text, size).map(({ code, text: body, isLast }) => [code, body, isLast]),
      [
        [200, 'é1', false],
        [404, 'hello, you', false],
        [204, '', false],
        [503, '', true],
      ],
      `in pieces of ${size}`,
    );
  }
});

test('a body without a length ends with the connection', () => {
  assert.deepEqual(read('HTTP/1.0 200 OK\r\n\r\nall of it', 4), [{ code: 200, text: 'all of it', isLast: true }]);
  // Cut short: that is no answer.
  assert.deepEqual(read('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'), []);
});

test('what is no answer is refused', () => {
  assert.throws(() => read('SSH-2.0-OpenSSH\r\n\r\n'), /does not speak HTTP/);
  assert.throws(() => read('HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'), /no length/);
  assert.throws(() => read('HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'), /encoded as/);
  assert.throws(() => read('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n'), /without a size/);
  assert.throws(() => read(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}`), /too long/);
});
