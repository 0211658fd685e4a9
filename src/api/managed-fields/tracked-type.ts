import { type FieldSet, leaf, setOf } from './field-set.ts';
import { type MergeType, typeOfField } from './merge-type.ts';
import { fieldElement } from './path-element.ts';

/** Fields that are nobody's: names and what the server keeps. */
const metadataFields = [
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'clusterName',
  'generation',
  'managedFields',
  'resourceVersion',
];

/** Source: apimachinery's stripMetaManager. */
export const strippedFields: FieldSet = setOf(
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ...metadataFields.map((name) => ['f:metadata', fieldElement(name)]),
);

const withoutMetadataFields = new WeakMap<MergeType, MergeType>();
const tracked = new WeakMap<MergeType, Map<FieldSet, MergeType>>();

/**
 * The type as a comparison for managers walks it: without the fields that are stripped anyway, and without those at the
 * top level that the endpoint resets as a whole (a status update can't change a spec).
 */
export function trackedTypeOf(type: MergeType, reset: FieldSet): MergeType {
  let byReset = tracked.get(type);
  if (byReset === undefined) tracked.set(type, (byReset = new Map()));
  let result = byReset.get(reset);
  if (result === undefined) {
    const skipped = new Set(['apiVersion', 'kind']);
    for (const element in reset) if (reset[element] === leaf) skipped.add(element.slice(2));
    const map = type.map!;
    const fields = new Map<string, MergeType>();
    for (const [name, field] of map.fields) if (!skipped.has(name)) fields.set(name, field);
    const metadata = typeOfField(map, 'metadata');
    if (metadata?.map !== undefined && !skipped.has('metadata')) fields.set('metadata', metadataType(metadata));
    result = { map: { atomic: false, fields, elements: map.elements, skipped } };
    byReset.set(reset, result);
  }
  return result;
}

function metadataType(type: MergeType): MergeType {
  let result = withoutMetadataFields.get(type);
  if (result === undefined) {
    const { atomic, fields, elements } = type.map!;
    const skipped = new Set(metadataFields);
    const kept = new Map([...fields].filter(([name]) => !skipped.has(name)));
    result = { map: { atomic, fields: kept, elements, skipped } };
    withoutMetadataFields.set(type, result);
  }
  return result;
}
