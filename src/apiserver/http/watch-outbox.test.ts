import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { WatchOutbox } from './watch-outbox.ts';

const frame = (text: string) => Buffer.from(text);

describe('a watcher’s outbox', () => {
  it('writes once a turn, in order', async () => {
    const written: string[] = [];
    const outbox = new WatchOutbox((bytes) => written.push(bytes.toString()));
    outbox.add([frame('a')]);
    outbox.add([frame('b'), frame('c')]);
    assert.deepEqual(written, []);
    await turn();
    assert.deepEqual(written, ['abc']);
    outbox.add([frame('d')]);
    await turn();
    assert.deepEqual(written, ['abc', 'd']);
  });

  it('writes at once when flushed, and not again', async () => {
    const written: string[] = [];
    const outbox = new WatchOutbox((bytes) => written.push(bytes.toString()));
    outbox.add([frame('a')]);
    outbox.flush();
    outbox.add([frame('b')]);
    await turn();
    assert.deepEqual(written, ['a', 'b']);
  });

  it('shares joined bytes among watchers of the same frames only', async () => {
    const written: Buffer[] = [];
    const [a, b, c] = ['a', 'b', 'c'].map(frame) as [Buffer, Buffer, Buffer];
    const outboxes = Array.from({ length: 3 }, () => new WatchOutbox((bytes) => written.push(bytes)));
    outboxes[0]!.add([a, b]);
    outboxes[1]!.add([a]);
    outboxes[1]!.add([b]);
    outboxes[2]!.add([a, c]);
    await turn();
    assert.deepEqual(written.map(String), ['ab', 'ab', 'ac']);
    assert.equal(written[0], written[1]);
  });
});
