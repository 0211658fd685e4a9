import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { StatusError } from '../../api/status.ts';
import type { ApiRequest, Transport } from '../../api/transport.ts';
import { ManualClock } from '../../base/clock.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { startTestServer, type TestServer } from './test-server.ts';

export const root = '/clusters/a/api/v1';
export const configMaps = `${root}/namespaces/default/configmaps`;
export const pods = `${root}/namespaces/default/pods`;

export const pod = (name: string, more: object = {}) => ({
  metadata: { name },
  spec: { containers: [{ name: 'main', image: 'x' }], ...more },
});

/** The verbs as tests call them, of a server that is there when they do. */
export function callerOf(transport: () => Transport) {
  const send = (method: ApiRequest['method'], path: string, body?: unknown, more: Partial<ApiRequest> = {}) =>
    transport().request<any>({ method, path, body, ...more });
  return {
    send,
    get: (path: string, query?: Record<string, string>) => send('GET', path, undefined, { query }),
    post: (path: string, body: unknown, query?: Record<string, string>) => send('POST', path, body, { query }),
  };
}

/** A server of tenants `a` and `b`, at the beginning of 2026, from the first test of a suite to its last. */
export function serverOfSuite() {
  let server: TestServer | undefined;
  before(async () => {
    const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
    server = await startTestServer(openMemoryStore(), { tenants: ['a', 'b'], clock });
  });
  after(() => server?.close());
  return { ...callerOf(() => server!.transport), started: () => server! };
}

export async function refusal(promise: Promise<unknown>): Promise<StatusError> {
  const error = await promise.then(
    () => assert.fail('it was not refused'),
    (rejection) => rejection,
  );
  assert.ok(error instanceof StatusError, String(error));
  return error;
}

/** What the answer 403 says. */
export async function forbiddance(promise: Promise<unknown>): Promise<string> {
  const { code, message } = await refusal(promise);
  assert.equal(code, 403);
  return message;
}
