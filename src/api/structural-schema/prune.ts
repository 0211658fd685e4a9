import { type DecodeIssues, indexSegment, mapKeySegment } from '../decode/issues.ts';
import { cloneJson } from '../json/json.ts';
import {
  isEmbeddedResource,
  isRecord,
  itemsOf,
  type JsonSchema,
  preservesUnknownFields,
  propertyOf,
  setOwn,
  valuesOf,
} from './json-schema.ts';

/** Decodes the metadata of a resource, the outermost one or one that is embedded. */
export type DecodeMetadata = (value: unknown, issues: DecodeIssues) => any;

/**
 * A copy of a value without the fields its schema does not know, each reported to `issues`. Types are not looked at:
 * validation does, so that all findings come together. Source: apiextensions' pruning and objectmeta coercion.
 */
export function prune(
  schema: JsonSchema | undefined,
  value: unknown,
  issues: DecodeIssues,
  decodeMetadata: DecodeMetadata,
  isRoot = false,
): unknown {
  if (Array.isArray(value)) return pruneList(schema, value, issues, decodeMetadata);
  if (!isRecord(value)) return value;
  const isResource = isRoot || (schema !== undefined && isEmbeddedResource(schema));
  const preserve = schema !== undefined && preservesUnknownFields(schema);
  const values = schema === undefined ? undefined : valuesOf(schema);
  const object: Record<string, unknown> = {};
  for (const key in value) {
    const count = issues.found.length;
    let segment = key;
    const property = schema === undefined ? undefined : propertyOf(schema, key);
    if (isResource && key === 'metadata') {
      const metadata = decodeMetadata(value[key], issues);
      if (metadata !== undefined) object[key] = isRoot ? metadata : withoutEmptyTime(metadata);
    } else if (isResource && (key === 'apiVersion' || key === 'kind')) {
      object[key] = cloneJson(value[key]);
    } else if (property !== undefined) {
      setOwn(object, key, prune(property, value[key], issues, decodeMetadata));
    } else if (values !== undefined || schema?.additionalProperties === true) {
      segment = mapKeySegment(key);
      setOwn(object, key, preserve ? cloneJson(value[key]) : prune(values, value[key], issues, decodeMetadata));
    } else if (preserve) {
      setOwn(object, key, cloneJson(value[key]));
    } else {
      if (issues.strict) issues.unknownField(key);
      continue;
    }
    if (issues.found.length > count) issues.within(count, segment);
  }
  return object;
}

/** What decode writes for an object that was never created means nothing in an embedded one. */
function withoutEmptyTime(metadata: any): any {
  if (metadata?.creationTimestamp === null) delete metadata.creationTimestamp;
  return metadata;
}

function pruneList(
  schema: JsonSchema | undefined,
  list: unknown[],
  issues: DecodeIssues,
  decodeMetadata: DecodeMetadata,
): unknown[] {
  const items = schema === undefined ? undefined : itemsOf(schema);
  if (items === undefined && schema !== undefined && preservesUnknownFields(schema)) return cloneJson(list);
  return list.map((item, index) => {
    const count = issues.found.length;
    const pruned = prune(items, item, issues, decodeMetadata);
    if (issues.found.length > count) issues.within(count, indexSegment(index));
    return pruned;
  });
}
