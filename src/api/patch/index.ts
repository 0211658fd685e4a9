import { runAtOnce, type Steps } from '../../base/steps.ts';
import type { TypeSchema } from '../schema.ts';
import { unsupportedMediaType } from '../status.ts';
import { whyPatchFailed } from './errors.ts';
import { applyJsonPatch, jsonPatchSteps } from './json-patch.ts';
import { JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH } from './media-types.ts';
import { applyMergePatch, mergePatchSteps } from './merge-patch.ts';
import { applyStrategicMergePatch, strategicMergePatchSteps } from './strategic-merge-patch.ts';

export { applyJsonPatch, applyMergePatch, applyStrategicMergePatch, jsonPatchSteps, whyPatchFailed };

/**
 * The patched object, a copy that shares nothing with the arguments; it still has to be decoded and validated.
 * `isLarge`: to copy the object is to be cut too, which takes longer.
 * Throws StatusError: 400 for a bad patch document, 413, 415, or 422 when the patch does not apply.
 */
export function* patchSteps<T = any>(
  contentType: string,
  schema: TypeSchema,
  object: T,
  patch: unknown,
  isLarge = true,
): Steps<T> {
  switch (contentType) {
    case JSON_PATCH:
      return yield* jsonPatchSteps(object, patch, isLarge);
    case MERGE_PATCH:
      return yield* mergePatchSteps(object, patch, isLarge);
    case STRATEGIC_MERGE_PATCH:
      return yield* strategicMergePatchSteps(schema, object, patch, isLarge);
    default:
      throw unsupportedMediaType(
        `the body of the request was in an unknown format - accepted media types include: ${JSON_PATCH}, ${MERGE_PATCH}, ${STRATEGIC_MERGE_PATCH}`,
      );
  }
}

export const applyPatch = <T = any>(contentType: string, schema: TypeSchema, object: T, patch: unknown): T =>
  runAtOnce(patchSteps(contentType, schema, object, patch));
