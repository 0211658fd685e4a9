import assert from 'node:assert/strict';
import { PassThrough, Writable } from 'node:stream';
import { it } from 'node:test';
import type { Status } from '../../api/status.ts';
import { runCommand } from './run-command.ts';

it('says the last word only when a slow client has taken all output', async () => {
  const taken: string[] = [];
  const slow = new Writable({
    highWaterMark: 1 << 20,
    write: (chunk: Buffer, _encoding, callback) => {
      setImmediate(() => {
        taken.push(chunk.toString());
        callback();
      });
    },
  });
  const stdout = new PassThrough();
  for (const word of ['one', 'two', 'three']) stdout.write(word);
  stdout.end();
  const success: Status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 200 };
  await runCommand(
    {
      stdout: slow,
      onResize() {},
      finish: async (status) => void taken.push(status.status),
      gone: new AbortController().signal,
    },
    { stdout, resize() {}, done: Promise.resolve(success), close() {} },
  );
  assert.equal(taken.join(''), 'onetwothreeSuccess');
});
