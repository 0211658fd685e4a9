import { after, afterEach, before, describe, test } from 'node:test';
import type { AddTest } from './add-test.ts';
import { containerTests } from './container-tests.ts';
import { ContractBench, type RuntimeHarness } from './harness.ts';
import { imageTests } from './image-tests.ts';
import { isolationTests } from './isolation-tests.ts';
import { sandboxTests } from './sandbox-tests.ts';
import { streamTests } from './stream-tests.ts';

/**
 * The suite that every implementation of the sandbox runtime port passes.
 * @param skip reason why this machine cannot run it at all.
 */
export function runtimeContract(name: string, makeHarness: () => Promise<RuntimeHarness>, skip?: string): void {
  describe(`${name} passes the runtime contract`, { skip: skip ?? false }, () => {
    let bench: ContractBench;
    before(async () => {
      bench = await ContractBench.open(await makeHarness());
    });
    afterEach(() => bench.removePods());
    after(() => bench.harness.dispose(bench.runtime));

    const add: AddTest = (title, run, needs) =>
      test(title, { timeout: 60_000 }, async (context) => {
        const reason = needs === 'processes' ? bench.harness.withoutProcesses : undefined;
        if (reason !== undefined) context.skip(reason);
        else await run(bench, context);
      });
    for (const tests of [sandboxTests, containerTests, imageTests, streamTests, isolationTests]) tests(add);
  });
}
