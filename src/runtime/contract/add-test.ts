import type { TestContext } from 'node:test';
import type { ContractBench } from './harness.ts';

/** Adds a test to the suite; `processes` marks one that looks into a process. */
export type AddTest = (
  name: string,
  run: (bench: ContractBench, context: TestContext) => Promise<void>,
  needs?: 'processes',
) => void;
