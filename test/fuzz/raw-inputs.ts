import { constants, deflateSync } from 'node:zlib';
import { headerDictionary } from '../../src/apiserver/streaming/spdy/dictionary.ts';
import { dataFrameHead, pingFrame, rstStreamFrame, synStreamFrame } from '../../src/apiserver/streaming/spdy/frames.ts';
import type { Random } from './random.ts';
import type { Input } from './request-parts.ts';
import { guardedNamespace, runningPods } from './surroundings.ts';
import { mutateBytes, oddStrings } from './values.ts';

const webSocketProtocols = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
  'SPDY/3.1+portforward.k8s.io',
  'v4.base64.channel.k8s.io',
];

/** HTTP/1.1 as it goes over the wire: upgrades to SPDY and WebSocket with frames of all kinds behind them, or near HTTP. */
export function rawInput(random: Random): Input {
  const at = `/api/v1/namespaces/${guardedNamespace}/pods/${random.pick(runningPods)}`;
  const path = random.pick([
    `${at}/exec?command=a&stdin=true&stdout=true&stderr=true`,
    `${at}/exec?command=a&stdin=true&stdout=true&tty=true`,
    `${at}/attach?stdin=true&stdout=true`,
    `${at}/portforward`,
    `${at}/portforward?ports=80&ports=x`,
    `${at}/log?follow=true`,
    `${at}/proxy/ws`,
    '/api/v1/configmaps?watch=true',
  ]);
  const isSpdy = random.chance(0.5);
  const head = [
    `${random.pick(['GET', 'POST'])} ${path} HTTP/1.1`,
    'Host: x',
    random.chance(0.95) ? 'Connection: Upgrade' : `Connection: ${random.pick(['close', 'keep-alive', 'x'])}`,
    ...(isSpdy
      ? [
          'Upgrade: SPDY/3.1',
          `X-Stream-Protocol-Version: ${random.pick(['v4.channel.k8s.io', 'v5.channel.k8s.io', 'portforward.k8s.io', 'x'])}`,
        ]
      : [
          'Upgrade: websocket',
          'Sec-WebSocket-Version: 13',
          `Sec-WebSocket-Key: ${random.chance(0.95) ? 'dGhlIHNhbXBsZSBub25jZQ==' : 'x'}`,
          `Sec-WebSocket-Protocol: ${random.pick(webSocketProtocols)}`,
        ]),
    ...(random.chance(0.1)
      ? [random.pick(['Content-Length: 5', 'Transfer-Encoding: chunked', 'Expect: 100-continue'])]
      : []),
  ].join('\r\n');
  const frames = isSpdy ? spdyFrames(random) : webSocketFrames(random);
  const bytes = Buffer.concat([Buffer.from(`${head}\r\n\r\n`), frames]);
  return {
    method: 'RAW',
    path,
    headers: {},
    body: random.chance(0.1) ? mutateBytes(random, bytes) : bytes,
  };
}

function headerBlock(random: Random): Buffer {
  const headers: [string, string][] = [
    ['streamtype', random.pick(['error', 'data', 'stdin', 'stdout', 'stderr', 'resize', 'x'])],
    ['port', random.pick(['80', '0', '-1', 'x', '99999'])],
    ['requestid', random.pick(['0', '1', '', 'x'])],
  ];
  const parts: Buffer[] = [];
  const word = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    parts.push(bytes);
  };
  word(random.chance(0.95) ? headers.length : random.pick([0, 100, 2 ** 32 - 1]));
  for (const text of headers.flat()) {
    word(random.chance(0.97) ? text.length : random.pick([0, 2 ** 31, 2 ** 32 - 1]));
    parts.push(Buffer.from(text));
  }
  const plain = Buffer.concat(parts);
  if (random.chance(0.05)) return plain;
  const repeated = random.chance(0.02) ? Buffer.alloc(4 * 1024 * 1024) : plain;
  return deflateSync(repeated, { dictionary: headerDictionary, finishFlush: constants.Z_SYNC_FLUSH });
}

function spdyFrames(random: Random): Buffer {
  const frames: Buffer[] = [];
  const streamId = () => random.pick([1, 3, 5, 7, 0, 2, 0x7fffffff]);
  for (let count = random.below(8); count > 0; count--) {
    const frame = random.weighted<() => Buffer>([
      [6, () => synStreamFrame(streamId(), headerBlock(random), random.chance(0.2))],
      [
        5,
        () => {
          const data = Buffer.from(random.pick([...oddStrings, '{"Width":80,"Height":24}', '{"Width":-1}', '{']));
          const length = random.chance(0.95) ? data.length : random.pick([0, 2 ** 24 - 1]);
          return Buffer.concat([dataFrameHead(streamId(), length, random.chance(0.3)), data]);
        },
      ],
      [1, () => rstStreamFrame(streamId(), random.pick([1, 5, 0, 2 ** 32 - 1]))],
      [1, () => pingFrame(random.below(10))],
      // Settings, window updates, goodbyes, and types that are none; lengths that lie.
      [
        2,
        () => {
          const payload = Buffer.alloc(random.pick([0, 2, 4, 8, 12]), random.below(256));
          const bytes = Buffer.alloc(8);
          bytes.writeUInt16BE(0x8003, 0);
          bytes.writeUInt16BE(random.below(12), 2);
          bytes[4] = random.below(256);
          bytes.writeUIntBE(random.chance(0.9) ? payload.length : random.pick([0, 3, 2 ** 24 - 1]), 5, 3);
          return Buffer.concat([bytes, payload]);
        },
      ],
    ])();
    frames.push(random.chance(0.08) ? mutateBytes(random, frame) : frame);
  }
  return Buffer.concat(frames);
}

function webSocketFrames(random: Random): Buffer {
  const frames: Buffer[] = [];
  for (let count = random.below(8); count > 0; count--) {
    const channel = random.pick([0, 1, 2, 3, 4, 5, 255, 0x30]);
    const text = random.pick([...oddStrings, '{"Width":80,"Height":24}', '{"Width":"x"}', '{', '\x00']);
    const payload = random.chance(0.9) ? Buffer.concat([Buffer.from([channel]), Buffer.from(text)]) : Buffer.alloc(0);
    const opcode = random.pick([2, 2, 2, 1, 0, 8, 9, 10, 3, 15]);
    const isLast = random.chance(0.95) ? 0x80 : 0;
    const length = random.chance(0.95) ? payload.length : random.pick([0, 125, 65535]);
    const head =
      length < 126
        ? [isLast | opcode | (random.chance(0.03) ? 0x40 : 0), (random.chance(0.95) ? 0x80 : 0) | length]
        : [isLast | opcode, 0x80 | 126, length >> 8, length & 255];
    // A mask of zeros.
    frames.push(Buffer.from([...head, 0, 0, 0, 0]), payload);
  }
  return Buffer.concat(frames);
}
