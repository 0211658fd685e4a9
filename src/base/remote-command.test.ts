import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeRemoteFrame, encodeRemoteFrame, type RemoteFrame, RemoteFrameError } from './remote-command.ts';

const frames: RemoteFrame[] = [
  { type: 'stdin', data: Buffer.from('in') },
  { type: 'stdout', data: Buffer.alloc(0) },
  { type: 'stderr', data: Buffer.from([0, 255, 10]) },
  { type: 'status', exit: { type: 'exited', exitCode: 137 } },
  { type: 'status', exit: { type: 'failed', code: 400, reason: 'BadRequest', message: 'no such container' } },
  { type: 'resize', width: 80, height: 24 },
  { type: 'closeStream', channel: 'stdin' },
];

for (const frame of frames) {
  test(`${frame.type} comes back as it was sent`, () => {
    assert.deepEqual(decodeRemoteFrame(encodeRemoteFrame(frame)), frame);
  });
}

test('the first byte is the channel', () => {
  assert.deepEqual([...encodeRemoteFrame({ type: 'stdout', data: Buffer.from('x') })], [1, 0x78]);
  assert.deepEqual([...encodeRemoteFrame({ type: 'closeStream', channel: 'stdin' })], [255, 0]);
});

for (const [name, bytes] of [
  ['nothing', []],
  ['an unknown channel', [9, 1]],
  ['a status that is no JSON', [3, 0x7b]],
  ['a status without meaning', [3, ...Buffer.from('{"type":"exited"}')]],
  ['a size that is none', [4, ...Buffer.from('{"Width":-1,"Height":2}')]],
  ['closing the status channel', [255, 3]],
] as const) {
  test(`${name} is refused`, () => {
    assert.throws(() => decodeRemoteFrame(Uint8Array.from(bytes)), RemoteFrameError);
  });
}
