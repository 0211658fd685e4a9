import { MadeObject, mismatchedTypes } from '../../../api/cel/mutation-types.ts';
import { CelList, EvaluationFailure, toJson } from '../../../api/cel/values.ts';
import type { KubeObject } from '../../../api/object.ts';
import { applyJsonPatch, whyPatchFailed } from '../../../api/patch/index.ts';

/**
 * An object after the patch an expression made; the object itself when a `test` in it fails. Throws an Error in
 * upstream's words. Source: policy/mutating/patch/json_patch.go.
 */
export function patchMade(object: KubeObject, made: unknown): KubeObject {
  if (!(made instanceof CelList)) {
    throw new Error('type mismatch: JSONPatchType.expression should evaluate to array');
  }
  const patch = made.toArray().map(operationOf);
  try {
    return applyJsonPatch(object, patch);
  } catch (error) {
    const why = whyPatchFailed(error);
    if (/testing value .* failed|test failed/.test(why)) return object;
    throw new Error(`JSON Patch: ${why}`);
  }
}

function operationOf(made: unknown): Record<string, unknown> {
  if (!(made instanceof MadeObject) || made.typeName !== 'JSONPatch') {
    throw new Error('type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch');
  }
  const operation: Record<string, unknown> = { op: made.get('op') ?? '', path: made.get('path') ?? '' };
  const from = made.get('from');
  if (from !== undefined && from !== '') operation['from'] = from;
  const value = made.get('value');
  if (value === undefined) return operation;
  if (value instanceof MadeObject) {
    const mismatches = mismatchedTypes(value, value.typeName);
    if (mismatches.length > 0) throw new Error(`type mismatch: ${mismatches.join('\n')}`);
  }
  try {
    operation['value'] = toJson(value);
  } catch (error) {
    if (!(error instanceof EvaluationFailure)) throw error;
    throw new Error(`JSONPath valueExpression evaluated to a type that could not marshal to JSON: ${error.message}`);
  }
  return operation;
}
