import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MERGE_PATCH } from '../api/patch/media-types.ts';
import { startTestServer } from '../apiserver/testing/test-server.ts';
import { aborted } from '../base/abort.ts';
import { systemClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import { fencedStore } from '../store/fenced-store.ts';
import { openMemoryStore } from '../store/memory/memory-store.ts';
import {
  type CommitResult,
  type Store,
  type Transaction,
  UnavailableError,
  UnknownOutcomeError,
} from '../store/store.ts';
import { leadInTurn } from './leadership.ts';

const election = { leaseDurationMs: 2_000, renewDeadlineMs: 1_500, retryPeriodMs: 100 };
const isTerm = ({ operations }: Transaction) => operations.some(({ key }) => key.includes('/terms/'));

const termKey = '/skypod.internal/terms/control-plane';
const leasePath = '/clusters/system/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/skypod-control-plane';

type Way = (commit: () => Promise<CommitResult>) => Promise<CommitResult>;

/** A memory store whose commits of terms, or of others, go these ways, one after the other, and the rest as they are. */
function failing(ways: Way[], isMeant = isTerm): Store {
  const store = openMemoryStore();
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]) => {
        const way = name === 'commit' && isMeant(given[0] as Transaction) ? ways.shift() : undefined;
        return way === undefined ? value.apply(target, given) : way(() => value.apply(target, given));
      };
    },
  });
}

const newNamespace = (name: string) =>
  ({ method: 'POST', path: '/clusters/system/api/v1/namespaces', body: { metadata: { name } } }) as const;

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
    await client.transport.request(newNamespace('of-the-leader'));
  } finally {
    stop.abort();
    await leading;
    await server.close();
  }
});

test('a term begins only while the lease is held: not when another takes it in between', async () => {
  let taken = 0;
  const store = fencedStore(
    failing([
      async (commit) => {
        taken++;
        await server.transport.request({
          method: 'PATCH',
          path: leasePath,
          contentType: MERGE_PATCH,
          body: { spec: { holderIdentity: 'another' } },
        });
        return commit();
      },
    ]),
  );
  const server = await startTestServer(store);
  const stop = new AbortController();
  const holder = Promise.withResolvers<string>();
  const options = { store, transport: server.transport, election, clock: systemClock, logger: silentLogger };
  const leading = leadInTurn(
    options,
    async (client, signal) => {
      const lease = await client.transport.request<any>({ method: 'GET', path: leasePath });
      holder.resolve(lease.spec.holderIdentity);
      return aborted(signal);
    },
    stop.signal,
  );
  try {
    assert.notEqual(await holder.promise, 'another');
    assert.equal(taken, 1);
  } finally {
    stop.abort();
    await leading;
    await server.close();
  }
});

test('nothing arrives of who was replaced, and its work is told to end', async () => {
  const store = fencedStore(openMemoryStore());
  const server = await startTestServer(store);
  const stop = new AbortController();
  const replaced = Promise.withResolvers<number>();
  const options = { store, transport: server.transport, election, clock: systemClock, logger: silentLogger };
  const leading = leadInTurn(
    options,
    async (client, signal) => {
      await store.commit({ compare: [], operations: [{ type: 'put', key: termKey, value: Buffer.from('another') }] });
      const refusal = await client.transport.request(newNamespace('too-late')).then(
        () => undefined,
        (error: { code: number }) => error.code,
      );
      if (refusal !== undefined) await aborted(signal);
      replaced.resolve(refusal ?? 200);
      stop.abort();
    },
    stop.signal,
  );
  try {
    assert.equal(await replaced.promise, 503);
    await assert.rejects(
      server.transport.request({ method: 'GET', path: '/clusters/system/api/v1/namespaces/too-late' }),
      { code: 404 },
    );
  } finally {
    stop.abort();
    await leading;
    await server.close();
  }
});

test('who was replaced does not wait for what its store never answers', async () => {
  const hanging = Promise.withResolvers<CommitResult>();
  const isHanging = ({ operations }: Transaction) => operations.some(({ key }) => key.endsWith('/hangs'));
  const store = fencedStore(failing([() => hanging.promise], isHanging));
  const server = await startTestServer(store);
  const stop = new AbortController();
  const given = Promise.withResolvers<number>();
  const options = { store, transport: server.transport, election, clock: systemClock, logger: silentLogger };
  const leading = leadInTurn(
    options,
    async (client) => {
      const answer = client.transport.request(newNamespace('hangs')).catch(({ code }) => code);
      await store.commit({ compare: [], operations: [{ type: 'put', key: termKey, value: Buffer.from('another') }] });
      await client.transport.request(newNamespace('too-late')).catch(() => {});
      given.resolve(await answer);
      stop.abort();
    },
    stop.signal,
  );
  try {
    assert.equal(await given.promise, 503);
  } finally {
    hanging.reject(new UnavailableError('away'));
    stop.abort();
    await leading;
    await server.close();
  }
});

test('who can neither begin its term nor hear that it cannot ends when it is told to', async () => {
  const hanging = Promise.withResolvers<CommitResult>();
  const asked = Promise.withResolvers<void>();
  const hang: Way = () => {
    asked.resolve();
    return hanging.promise;
  };
  const store = fencedStore(failing([hang]));
  const server = await startTestServer(store);
  const stop = new AbortController();
  const options = { store, transport: server.transport, election, clock: systemClock, logger: silentLogger };
  let begun = 0;
  const leading = leadInTurn(options, async () => void begun++, stop.signal);
  try {
    await asked.promise;
    stop.abort();
    await leading;
    assert.equal(begun, 0);
  } finally {
    hanging.reject(new UnavailableError('away'));
    stop.abort();
    await leading;
    await server.close();
  }
});
