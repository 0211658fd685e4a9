import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeFinding, fuzz } from './fuzz.ts';

/** A short run, the same every time; main.ts goes on for as long as one likes. */
test('nothing a client sends makes the API server fail', { timeout: 120_000 }, async () => {
  const found: string[] = [];
  const report = await fuzz({
    seed: 1,
    from: 0,
    inputs: 20_000,
    maxMs: 15_000,
    // Other tests run at the same time: only what is hopeless counts here.
    slowMs: 5000,
    onFinding: (finding) => found.push(describeFinding(finding)),
  });
  assert.deepEqual(found, []);
  assert.ok(report.inputs > 0);
});
