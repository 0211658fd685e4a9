import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { SpdyConnection, type SpdyStream } from './connection.ts';
import { headerDictionary } from './dictionary.ts';
import {
  dataFrameHead,
  type Frame,
  FrameReader,
  frameTypes,
  pingFrame,
  rstStreamFrame,
  synStreamFrame,
} from './frames.ts';
import { HeaderDecoder, HeaderEncoder } from './header-codec.ts';

test('the dictionary has the length of the draft', () => {
  assert.equal(headerDictionary.length, 1423);
});

test('header blocks share one compression', async () => {
  const encoder = new HeaderEncoder();
  const decoder = new HeaderDecoder();
  const headers = { streamtype: 'data', port: '8080', requestid: '0', empty: '' };
  const first = await encoder.encode(headers);
  const second = await encoder.encode(headers);
  assert.ok(second.length < first.length);
  assert.deepEqual(await decoder.decode(first), headers);
  assert.deepEqual(await decoder.decode(second), headers);
  encoder.close();
  decoder.close();
});

for (const size of [1, 3, 7, 1000]) {
  test(`frames are found whatever the pieces (${size} bytes)`, () => {
    const bytes = Buffer.concat([
      synStreamFrame(1, Buffer.from('block')),
      dataFrameHead(1, 5, false),
      Buffer.from('hello'),
      pingFrame(3),
      dataFrameHead(1, 0, true),
      rstStreamFrame(1, 5),
    ]);
    const reader = new FrameReader();
    const frames: Frame[] = [];
    for (let offset = 0; offset < bytes.length; offset += size) {
      frames.push(...reader.push(bytes.subarray(offset, offset + size)));
    }
    const data = frames.filter((frame) => frame.type === 'data');
    assert.equal(Buffer.concat(data.map((frame) => frame.data)).toString(), 'hello');
    assert.deepEqual(data.map((frame) => frame.fin).filter(Boolean), [true]);
    const others = frames.filter((frame) => frame.type !== 'data');
    assert.deepEqual(others, [
      { type: 'synStream', streamId: 1, fin: false, headerBlock: Buffer.from('block') },
      { type: 'ping', id: 3 },
      { type: 'rstStream', streamId: 1, status: 5 },
    ]);
  });
}

async function connect() {
  const [near, far] = duplexPair();
  const streams: SpdyStream[] = [];
  const waiting: ((stream: SpdyStream) => void)[] = [];
  const connection = new SpdyConnection(near, (stream) => {
    streams.push(stream);
    waiting.shift()?.(stream);
  });
  const ended = connection.run();
  const encoder = new HeaderEncoder();
  return {
    connection,
    ended,
    far,
    async open(id: number, headers: Record<string, string>): Promise<SpdyStream> {
      const opened = new Promise<SpdyStream>((resolve) => waiting.push(resolve));
      far.write(synStreamFrame(id, await encoder.encode(headers)));
      return opened;
    },
    send(id: number, data: Buffer, fin = false) {
      return far.write(Buffer.concat([dataFrameHead(id, data.length, fin), data]));
    },
  };
}

test('a stream carries bytes both ways and half-closes', async () => {
  const client = await connect();
  const stream = await client.open(1, { streamType: 'data' });
  assert.equal(stream.headers.streamtype, 'data');
  client.send(1, Buffer.from('question'), true);
  assert.equal(await text(stream), 'question');
  stream.end('answer');
  const reader = new FrameReader();
  const decoder = new HeaderDecoder();
  let answer = '';
  reading: for await (const chunk of client.far) {
    for (const frame of reader.push(chunk)) {
      if (frame.type === 'headers') assert.deepEqual(await decoder.decode(frame.headerBlock), {});
      if (frame.type === 'data') answer += frame.data.toString();
      if (frame.type === 'data' && frame.fin) break reading;
    }
  }
  assert.equal(answer, 'answer');
  client.far.destroy();
  await client.ended;
});

test('a reader that is behind holds the connection, and lets it go on', async () => {
  const client = await connect();
  const stream = await client.open(1, { streamType: 'stdin' });
  const total = 8 * 1024 * 1024;
  const chunk = Buffer.alloc(64 * 1024, 7);
  let sent = 0;
  const sender = (async () => {
    while (sent < total) {
      sent += chunk.length;
      if (!client.send(1, chunk)) await new Promise<void>((resolve) => client.far.once('drain', () => resolve()));
    }
    client.send(1, Buffer.alloc(0), true);
  })();
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(sent < total, 'the sender is held');
  assert.ok(stream.readableLength < 2 * 1024 * 1024, `${stream.readableLength} bytes unread`);
  let received = 0;
  for await (const part of stream) received += part.length;
  await sender;
  assert.equal(received, sent);
  client.far.destroy();
  await client.ended;
});

test('a reset stream is destroyed, the others go on', async () => {
  const client = await connect();
  const first = await client.open(1, { streamType: 'data' });
  const second = await client.open(3, { streamType: 'data' });
  const closed = new Promise((resolve) => first.once('close', resolve));
  client.far.write(rstStreamFrame(1, 5));
  await closed;
  client.send(3, Buffer.from('x'), true);
  assert.equal(await text(second), 'x');
  client.far.destroy();
  await client.ended;
  assert.ok(second.destroyed);
});

test('a question is answered, rubbish ends the connection', async () => {
  const client = await connect();
  client.far.write(pingFrame(5));
  const answer = await new Promise<Buffer>((resolve) => client.far.once('data', resolve));
  assert.deepEqual([answer.readUInt16BE(2), answer.readUInt32BE(8)], [frameTypes.ping, 5]);
  const stream = await client.open(1, {});
  client.far.write(Buffer.from('GET / HTTP/1.1\r\n').map((byte) => byte | 0x80));
  await client.ended;
  assert.ok(stream.destroyed);
});
