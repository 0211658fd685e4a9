import { printPath } from '../../../../../src/apiserver/testing/spoil.ts';
import type { Twin } from '../../twin.ts';
import { Several } from '../several.ts';
import { chosen, fieldsOf, outcome, type Subject, valueAt, withValue } from './subject.ts';

const values: unknown[] = ['text', '', 7, -1, 1.5, 3_000_000_000, 1e30, true, null, [], {}, ['x'], [null], { x: 1 }];

/** Every field of a new object, given what JSON has for other types. */
export async function wrongTypes(twin: Twin, { label, path, object }: Subject): Promise<void> {
  const several = new Several();
  for (const steps of fieldsOf(object)) {
    const sound = JSON.stringify(valueAt(object, steps));
    for (const value of values) {
      const shown = JSON.stringify(value);
      if (shown === sound) continue;
      await several.start(
        twin.ask(
          `${label} with ${shown} at ${printPath(steps)}`,
          {
            method: 'POST',
            path: `${path}?dryRun=All&fieldValidation=Strict`,
            body: withValue(object, steps, value),
          },
          { reduce: outcome, replace: chosen! },
        ),
      );
    }
  }
  await several.end();
}
