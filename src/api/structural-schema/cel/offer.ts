import type { Environment } from '@marcbachmann/cel-js';

/** Registers what the evaluator does not have already; it grows functions of its own. */
export function offer(environment: Environment, signature: string, handler: (...values: any[]) => unknown): void {
  try {
    environment.registerFunction(signature, handler);
  } catch (error) {
    if (!/overlap|already|exist|conflict/i.test((error as Error).message)) throw error;
  }
}
