export { type Application, applyConfiguration } from './apply.ts';
export type { Endpoint } from './changes.ts';
export { encodeEntries } from './encode.ts';
export { emptySet, type FieldSet, setOf } from './field-set.ts';
export type { ManagedFieldsEntry } from './managed.ts';
export { deducedType, type MergeType, mergeTypeOf } from './merge-type.ts';
export { elementsOfJsonPath, entriesOfScale, entriesOfScaled } from './scale-entries.ts';
export { type TrackedUpdate, trackUpdate } from './update.ts';
export { onlyVersion, type Versions } from './versions.ts';
