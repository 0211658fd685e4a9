import { runAtOnce } from '../../base/steps.ts';
import { cloneJson } from '../json/json.ts';
import type { KubeObject } from '../object.ts';
import type { Endpoint } from './changes.ts';
import { compareObjects } from './compare.ts';
import { difference, type FieldSet } from './field-set.ts';
import { fieldSetOf } from './field-set-of.ts';
import { compareText, goJson } from './path-element.ts';

const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
const annotationsLimitBytes = 256 * 1024;

export const lastAppliedOf = (object: KubeObject): string => object.metadata?.annotations?.[annotation] ?? '';

/**
 * What client-side apply owns, by its annotation: fields of it that still are as it says. Undefined when there is no
 * annotation, or one of another version. Source: apimachinery's lastAppliedManager.
 */
export function fieldsOfLastApplied(endpoint: Endpoint, live: KubeObject): FieldSet | undefined {
  let configuration: any;
  try {
    configuration = JSON.parse(lastAppliedOf(live));
  } catch {
    return undefined;
  }
  if (configuration?.apiVersion !== endpoint.apiVersion) return undefined;
  try {
    const { removed, modified, added } = runAtOnce(compareObjects(endpoint.type, configuration, live));
    const fields = fieldSetOf(endpoint.type, configuration);
    return difference(difference(difference(fields, modified), added), removed);
  } catch {
    return undefined;
  }
}

/** The object with its annotation brought up to what was applied now; too large a one is left out. */
export function withLastApplied(object: KubeObject, applied: KubeObject): KubeObject {
  const configuration = cloneJson(applied);
  if (configuration.metadata?.annotations) delete configuration.metadata.annotations[annotation];
  const annotations: Record<string, string> = {
    ...object.metadata.annotations,
    [annotation]: `${sortedJson(configuration)}\n`,
  };
  let size = 0;
  for (const name in annotations) size += Buffer.byteLength(name) + Buffer.byteLength(annotations[name]!);
  if (size > annotationsLimitBytes) delete annotations[annotation];
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** Go writes maps by key. */
function sortedJson(value: any): string {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return goJson(value);
  const fields = Object.keys(value).filter((name) => value[name] !== undefined);
  return `{${fields
    .sort(compareText)
    .map((name) => `${goJson(name)}:${sortedJson(value[name])}`)
    .join(',')}}`;
}
