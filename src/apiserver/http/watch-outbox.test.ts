import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { WatchOutbox } from './watch-outbox.ts';

const frame = (text: string) => Buffer.from(text);

describe('a watcher’s outbox', () => {
  it('writes once a turn, in order', async () => {
    const written: string[] = [];
    const outbox = new WatchOutbox((bytes) => written.push(bytes.toString()));
    outbox.add(frame('a'));
    outbox.add(frame('b'));
    outbox.add(frame('c'));
    assert.deepEqual(written, []);
    await turn();
    assert.deepEqual(written, ['abc']);
    outbox.add(frame('d'));
    await turn();
    assert.deepEqual(written, ['abc', 'd']);
  });

  it('writes at once when flushed, and not again', async () => {
    const written: string[] = [];
    const outbox = new WatchOutbox((bytes) => written.push(bytes.toString()));
    outbox.add(frame('a'));
    outbox.flush();
    outbox.add(frame('b'));
    await turn();
    assert.deepEqual(written, ['a', 'b']);
  });

  it('shares joined bytes among watchers of the same frames only', async () => {
    const written: Buffer[] = [];
    const [a, b, c] = ['a', 'b', 'c'].map(frame) as [Buffer, Buffer, Buffer];
    const outboxes = Array.from({ length: 3 }, () => new WatchOutbox((bytes) => written.push(bytes)));
    for (const outbox of outboxes) outbox.add(a);
    outboxes[0]!.add(b);
    outboxes[2]!.add(c);
    outboxes[1]!.add(b);
    await turn();
    assert.deepEqual(written.map(String), ['ab', 'ab', 'ac']);
    assert.equal(written[0], written[1]);
  });

  it('puts more into each write while writing to many takes long, loses nothing and keeps the order', async () => {
    const written: string[] = [];
    const outboxes = Array.from({ length: 100 }, (_, index) => {
      return new WatchOutbox((bytes) => {
        const untilMs = performance.now() + 0.02;
        while (performance.now() < untilMs);
        if (index === 99) written.push(bytes.toString());
      });
    });
    const all = Array.from({ length: 200 }, (_, index) => `${index},`);
    for (const each of all) {
      for (const outbox of outboxes) outbox.add(frame(each));
      await turn();
    }
    while (written.join('').length < all.join('').length) await turn();
    assert.equal(written.join(''), all.join(''));
    assert.ok(written.length < all.length, 'some went together');
  });

  it('writes to one at once, however long the write before took', async () => {
    const written: string[] = [];
    const outbox = new WatchOutbox((bytes) => {
      const untilMs = performance.now() + 5;
      while (performance.now() < untilMs);
      written.push(bytes.toString());
    });
    outbox.add(frame('before'));
    while (written.length === 0) await turn();
    for (const each of ['a', 'b', 'c']) {
      outbox.add(frame(each));
      await turn();
    }
    assert.deepEqual(written, ['before', 'a', 'b', 'c']);
  });

  it('says what frames the bytes are made of', async () => {
    const told: string[][] = [];
    const outbox = new WatchOutbox((_bytes, frames) => told.push(frames.map(String)));
    outbox.add(frame('a'));
    outbox.add(frame('b'));
    await turn();
    outbox.flush();
    assert.deepEqual(told, [['a', 'b']]);
  });
});
