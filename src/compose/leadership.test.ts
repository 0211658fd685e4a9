import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestServer } from '../apiserver/testing/test-server.ts';
import { aborted } from '../base/abort.ts';
import { systemClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import { fencedStore } from '../store/fenced-store.ts';
import { openMemoryStore } from '../store/memory/memory-store.ts';
import { type Store, type Transaction, UnavailableError, UnknownOutcomeError } from '../store/store.ts';
import { leadInTurn } from './leadership.ts';

const election = { leaseDurationMs: 2_000, renewDeadlineMs: 1_500, retryPeriodMs: 100 };
const isTerm = ({ operations }: Transaction) => operations.some(({ key }) => key.includes('/terms/'));

/** A memory store whose commits of terms go wrong, each in one of these ways, the rest well. */
function failing(ways: ((commit: () => Promise<unknown>) => Promise<never>)[]): Store {
  const store = openMemoryStore();
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]) => {
        const way = name === 'commit' && isTerm(given[0] as Transaction) ? ways.shift() : undefined;
        return way === undefined ? value.apply(target, given) : way(() => value.apply(target, given));
      };
    },
  });
}

test('a store that is away when a term begins ends nothing: the term begins when it is back', async () => {
  const store = fencedStore(
    failing([
      async () => {
        throw new UnavailableError('away');
      },
      async (commit) => {
        await commit();
        throw new UnknownOutcomeError('the answer was lost');
      },
    ]),
  );
  const server = await startTestServer(store);
  const stop = new AbortController();
  const led = Promise.withResolvers<Client>();
  const options = { store, transport: server.transport, election, clock: systemClock, logger: silentLogger };
  const leading = leadInTurn(
    options,
    (client, signal) => {
      led.resolve(client);
      return aborted(signal);
    },
    stop.signal,
  );
  try {
    const client = await Promise.race([led.promise, leading.then(() => assert.fail('nobody led'))]);
    await client.transport.request({
      method: 'POST',
      path: '/clusters/system/api/v1/namespaces',
      body: { metadata: { name: 'of-the-leader' } },
    });
  } finally {
    stop.abort();
    await leading;
    await server.close();
  }
});
