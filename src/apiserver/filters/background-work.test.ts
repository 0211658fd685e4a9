import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Answer } from '../answer.ts';
import type { Scheduler } from '../fairness/scheduler.ts';
import type { RequestContext } from '../request-context.ts';
import { parseRequestInfo } from '../request-info.ts';
import { backgroundWorkFilter } from './background-work.ts';

async function slicesOf(method: string, tenant: string, path: string): Promise<string[]> {
  const told: string[] = [];
  const scheduler = {
    async background(account: string) {
      told.push(account);
    },
  } as unknown as Scheduler;
  const info = parseRequestInfo(method, path, new URLSearchParams());
  await backgroundWorkFilter(scheduler)({ method, tenant, info } as RequestContext, async () => {
    told.push('handled');
    return {} as Answer;
  });
  return told;
}

test('what is written for a tenant takes a slice of its own before, and one after', async () => {
  assert.deepEqual(await slicesOf('POST', 'acme', '/apis/apps/v1/namespaces/default/replicasets'), [
    'acme',
    'handled',
    'acme',
  ]);
});

test('an instance in the pool is the tenant’s whose pod it is', async () => {
  const instances = '/apis/pool.skypod.io/v1alpha1/namespaces/acme/containerinstances';
  assert.deepEqual(await slicesOf('POST', 'system', instances), ['acme', 'handled', 'acme']);
});

test('reads and what is the platform’s own wait for nobody', async () => {
  assert.deepEqual(await slicesOf('GET', 'acme', '/api/v1/pods'), ['handled']);
  const lease = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/leader';
  assert.deepEqual(await slicesOf('PUT', 'system', lease), ['handled']);
});
