import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StartSteps } from './start-hooks.ts';

test('a hook is well when its step of the start is done', async () => {
  const steps = new StartSteps();
  const fails = async () => {
    const names: string[] = [];
    for (const { name, check } of steps.checks) {
      try {
        await check();
      } catch {
        names.push(name);
      }
    }
    return names;
  };
  assert.ok((await fails()).includes('informer-sync'));
  assert.ok((await fails()).includes('autoregister-completion'));
  for (const step of ['admission', 'tenants', 'fairness', 'aggregation'] as const) steps.done(step);
  assert.deepEqual(await fails(), [
    'poststarthook/start-apiextensions-informers',
    'poststarthook/start-apiextensions-controllers',
    'poststarthook/crd-informer-synced',
  ]);
  steps.done('custom resources');
  assert.deepEqual(await fails(), []);
});
