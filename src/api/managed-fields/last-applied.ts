import type { Steps } from '../../base/steps.ts';
import type { KubeObject } from '../object.ts';
import type { Endpoint } from './changes.ts';
import { compareObjects } from './compare.ts';
import { differenceSteps, type FieldSet } from './field-set.ts';
import { fieldSetSteps } from './field-set-of.ts';
import { compareText, goJson } from './path-element.ts';

const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
const annotationsLimitBytes = 256 * 1024;

export const lastAppliedOf = (object: KubeObject): string => object.metadata?.annotations?.[annotation] ?? '';

/**
 * What client-side apply owns, by its annotation: fields of it that still are as it says. Undefined when there is no
 * annotation, or one of another version. Source: apimachinery's lastAppliedManager.
 */
export function* fieldsOfLastApplied(endpoint: Endpoint, live: KubeObject): Steps<FieldSet | undefined> {
  let configuration: any;
  try {
    configuration = JSON.parse(lastAppliedOf(live));
  } catch {
    return undefined;
  }
  if (configuration?.apiVersion !== endpoint.apiVersion) return undefined;
  try {
    const { removed, modified, added } = yield* compareObjects(endpoint.type, configuration, live);
    let fields = yield* fieldSetSteps(endpoint.type, configuration);
    for (const changed of [modified, added, removed]) fields = yield* differenceSteps(fields, changed);
    return fields;
  } catch {
    return undefined;
  }
}

/** The object with its annotation brought up to what was applied now; too large a one is left out. */
export function* withLastApplied(object: KubeObject, applied: KubeObject): Steps<KubeObject> {
  const { [annotation]: _last, ...others } = applied.metadata?.annotations ?? {};
  const configuration: KubeObject = applied.metadata?.annotations
    ? { ...applied, metadata: { ...applied.metadata, annotations: others } }
    : applied;
  const json = new SortedJson();
  yield* json.write(configuration);
  const annotations: Record<string, string> = { ...object.metadata.annotations, [annotation]: `${json.text}\n` };
  let size = 0;
  for (const name in annotations) size += Buffer.byteLength(name) + Buffer.byteLength(annotations[name]!);
  if (size > annotationsLimitBytes) delete annotations[annotation];
  return { ...object, metadata: { ...object.metadata, annotations } };
}

const membersAtOnce = 256;

/** JSON as Go writes it: maps by key. No more of it than an annotation may hold, and a little. */
class SortedJson {
  text = '';
  #count = 0;

  *write(value: any): Steps<void> {
    if (typeof value !== 'object' || value === null) {
      this.text += goJson(value);
      return;
    }
    const isList = Array.isArray(value);
    const keys: (string | number)[] = isList
      ? [...value.keys()]
      : Object.keys(value)
          .filter((name) => value[name] !== undefined)
          .sort(compareText);
    this.text += isList ? '[' : '{';
    for (const [index, key] of keys.entries()) {
      if (this.text.length > annotationsLimitBytes) return;
      if (++this.#count % membersAtOnce === 0) yield;
      this.text += `${index > 0 ? ',' : ''}${isList ? '' : `${goJson(key)}:`}`;
      yield* this.write(value[key]);
    }
    this.text += isList ? ']' : '}';
  }
}
