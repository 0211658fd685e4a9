import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import { openSession } from './streams.ts';

const errorStreamId = 1;
const exitStatus = {
  status: 'Failure',
  reason: 'NonZeroExitCode',
  details: { causes: [{ reason: 'ExitCode', message: '2' }] },
};

function lastFrame(id: number, text: string): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(id, 0);
  header.writeUInt32BE(text.length, 4);
  header[4] = 1;
  return Buffer.concat([header, Buffer.from(text)]);
}

test('what a command ended with is not lost when it is sent input at that moment', async () => {
  const upgraded = Promise.withResolvers<Socket>();
  const server = createServer().on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n');
    upgraded.resolve(socket as Socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/exec`;
    const options = { stdin: true, stdout: true, stderr: true, tty: false };
    const [session, peer] = await Promise.all([openSession(url, options), upgraded.promise]);
    peer.write(lastFrame(errorStreamId, JSON.stringify(exitStatus)));
    peer.resetAndDestroy();
    session.stdin!.write(Buffer.alloc(100_000));
    assert.deepEqual(await session.done, { exitCode: 2 });
    session.close();
  } finally {
    server.close();
  }
});
