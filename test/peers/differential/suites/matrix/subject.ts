import { type GoldenBase, goldenBases } from '../../../../../src/apiserver/testing/golden.ts';
import type { Answer } from '../../client.ts';
import type { CompareOptions, Twin } from '../../twin.ts';
import { MERGE, plain } from '../objects.ts';

/** A kind, shown by one object that has something in every field. */
export interface Subject {
  /** `Pod-a` */
  label: string;
  /** Of its collection, in the suite's namespace. */
  path: string;
  /** Of all namespaces when it has them. */
  everywhere: string;
  /** Of the object itself. */
  one: string;
  object: any;
}

/** What each server chooses for itself. */
export const chosen: CompareOptions['replace'] = [
  [/"(?:clusterIP|name)":"10\.(?:9[6-9]|1[01]\d)\.\d+\.\d+"/g, '"<service address>":""'],
  [/"10\.(9[6-9]|1[01][0-9])\.\d+\.\d+"/g, '"<service address>"'],
  [/"(nodePort|healthCheckNodePort)":\d+/g, '"$1":0'],
];

export function subjects(namespace: string, which: (base: GoldenBase, isFirst: boolean) => boolean): Subject[] {
  const seen = new Set<string>();
  return goldenBases().flatMap((base) => {
    const kind = `${base.object.apiVersion}/${base.object.kind}`;
    const isFirst = !seen.has(kind);
    seen.add(kind);
    if (!which(base, isFirst)) return [];
    const object = plain(base.object, namespace);
    delete object.metadata.finalizers;
    const path = base.path.replace('/namespaces/default/', `/namespaces/${namespace}/`);
    const everywhere = base.path.replace('/namespaces/default/', '/');
    return [{ label: base.label, path, everywhere, one: `${path}/${object.metadata.name}`, object }];
  });
}

/** Makes it in both, and ends it after `work`; nothing is done where it cannot be. */
export async function during(twin: Twin, { path, one, object }: Subject, work: () => Promise<void>): Promise<void> {
  const { kubernetes, skypod } = await twin.prepare({ method: 'POST', path, body: object }, [200, 201, 409, 422]);
  if (kubernetes.status !== 201 || skypod.status !== 201) return;
  try {
    await work();
  } finally {
    await removed(twin, one);
  }
}

export async function removed(twin: Twin, one: string): Promise<void> {
  await twin.prepare({ method: 'DELETE', path: `${one}?gracePeriodSeconds=0` }, [200, 202, 404, 409, 422]);
  const body = { metadata: { finalizers: null } };
  await twin.prepare({ method: 'PATCH', path: one, type: MERGE, body }, [200, 404, 422]);
}

/** The object, or what the server says is wrong: cause by cause, without how Go shows the value that is. */
export function outcome({ json, text }: Answer): unknown {
  const causes: { message: string }[] | undefined = json?.details?.causes;
  if (causes === undefined) return json ?? text;
  const told = causes.map((cause) => ({ ...cause, message: withoutValue(cause.message) }));
  const [message] = json.message.split(' is invalid: ', 1);
  return { ...json, message, details: { ...json.details, causes: told } };
}

/** Structs are shown by Go's names of their fields, and so is what differs between two of them. */
const withoutValue = (message: string): string =>
  message.replace(/^(\w+ value): (?:null|[[{].*[}\]])(?=: |$)/s, '$1: …').replace(/\n.*$/s, '');

/** Where every field of an object is, the first of a list for all of them; the innermost last. */
export function fieldsOf(object: any): (string | number)[][] {
  const found: (string | number)[][] = [];
  const walk = (value: unknown, steps: (string | number)[]): void => {
    if (steps.length > 0) found.push(steps);
    if (Array.isArray(value)) {
      if (value.length > 0) walk(value[0], [...steps, 0]);
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, member] of Object.entries(value)) walk(member, [...steps, name]);
    }
  };
  walk(object, []);
  return found;
}

export const valueAt = (object: any, steps: (string | number)[]): any => steps.reduce((at, step) => at[step], object);

/** A copy with another value there. */
export function withValue(object: any, steps: (string | number)[], value: unknown): any {
  const copy = structuredClone(object);
  const at = valueAt(copy, steps.slice(0, -1));
  at[steps.at(-1)!] = value;
  return copy;
}
