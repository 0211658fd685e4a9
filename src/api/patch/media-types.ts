/** What a patch says of itself. Source: apimachinery's types.PatchType. */
export const JSON_PATCH = 'application/json-patch+json';
export const MERGE_PATCH = 'application/merge-patch+json';
export const STRATEGIC_MERGE_PATCH = 'application/strategic-merge-patch+json';
export const APPLY_PATCH = 'application/apply-patch+yaml';

/** Nothing says how lists of custom resources are merged. */
export const customPatchTypes: readonly string[] = [JSON_PATCH, MERGE_PATCH, APPLY_PATCH];
export const patchTypes: readonly string[] = [JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, APPLY_PATCH];
