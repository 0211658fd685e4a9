import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMemoryStore } from '../store/memory/memory-store.ts';
import { type Store, UnavailableError, UnknownOutcomeError } from '../store/store.ts';
import { patientStore } from './patient-store.ts';

const create = { compare: [{ key: '/a', modRevision: 0 }], operations: [] };

/** Fails `times` times with this, then is well. */
function failing(times: number, error: Error): Store {
  const store = openMemoryStore();
  return { ...store, commit: async () => (times-- > 0 ? Promise.reject(error) : { committed: true, revision: 1 }) };
}

test('a store that goes away during a start is waited for, and told about once', async () => {
  for (const error of [new UnavailableError('away'), new UnknownOutcomeError('lost')]) {
    const said: string[] = [];
    const stop = new AbortController().signal;
    const store = patientStore(failing(2, error), {
      patienceMs: 60_000,
      stop,
      onWait: (why) => said.push(why.message),
    });
    assert.equal((await store.commit(create)).committed, true);
    assert.deepEqual(said, [error.message]);
  }
});

test('but not for ever, not for other reasons, and not once it serves', async () => {
  const options = { patienceMs: 1, stop: new AbortController().signal, onWait() {} };
  const away = new UnavailableError('away');
  await assert.rejects(patientStore(failing(9, away), options).commit(create), away);
  const full = new Error('full');
  await assert.rejects(patientStore(failing(1, full), { ...options, patienceMs: 60_000 }).commit(create), full);
  const serving = patientStore(failing(1, away), { ...options, patienceMs: 60_000 });
  serving.endPatience();
  await assert.rejects(serving.commit(create), away);
});
