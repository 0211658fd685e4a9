import type { Functions } from '../declarations.ts';
import { CelList, CelMap, EvaluationFailure, Optional, Uint } from '../values.ts';

/** What a type has when nothing is said. */
function isZero(value: unknown): boolean {
  if (value === null || value === false || value === 0n || value === 0 || value === '') return true;
  if (value instanceof CelList || value instanceof CelMap) return value.size === 0;
  if (value instanceof Uint) return value.value === 0n;
  return value instanceof Uint8Array && value.length === 0;
}

/** `or` and `orValue` are the interpreter's: they look at their argument only when they need it. */
export function addOptionals(functions: Functions): void {
  functions
    .add('optional.of', 'optional_of', '(V) optional(V)', Optional.of)
    .add('optional.ofNonZeroValue', 'optional_ofNonZeroValue', '(V) optional(V)', (value: unknown) =>
      isZero(value) ? Optional.none : Optional.of(value),
    )
    .add('optional.none', 'optional_none', '() optional(V)', () => Optional.none)
    .member('value', 'optional_value', '(optional(V)) V', (optional: Optional) => {
      if (!optional.hasValue) throw new EvaluationFailure('optional.none() dereference');
      return optional.value;
    })
    .member('hasValue', 'optional_hasValue', '(optional(V)) bool', (optional: Optional) => optional.hasValue)
    .member('or', 'optional_or_optional', '(optional(V), optional(V)) optional(V)')
    .member('orValue', 'optional_orValue_value', '(optional(V), V) V')
    .add('_?._', 'select_optional_field', '(dyn, string) optional(V)');
}
