import type { Twin } from '../../twin.ts';
import { makeNamespace } from '../objects.ts';
import { changing } from './changing.ts';
import { generators } from './generators.ts';
import { looking } from './looking.ts';
import { Kubectl } from './runner.ts';

/** What kubectl prints and how it ends. */
export async function kubectl(twin: Twin): Promise<void> {
  const namespace = `kubectl-${twin.run}`;
  await makeNamespace(twin, namespace);
  const program = new Kubectl(twin, namespace);
  try {
    await generators(program, twin.run);
    await changing(program);
    await looking(program, twin);
  } finally {
    program.close();
  }
}
