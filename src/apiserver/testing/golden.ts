import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { builtinResources } from '../../api/resources/index.ts';
import { type Ask, findingsOf } from './ask.ts';
import { apply, type Spoiled } from './spoil.ts';

/** One unsound object and everything a server finds in it. */
export interface GoldenCase extends Spoiled {
  on: 'create' | 'update';
  /** `FieldValueInvalid spec.replicas: Invalid value: ...`, sorted. */
  findings: string[];
}

export interface GoldenBase {
  /** `Pod-a` */
  label: string;
  /** The collection's path. */
  path: string;
  object: any;
}

export const goldenDirectory = new URL('../../api/validation/golden/', import.meta.url);

/**
 * The cases in which we still answer otherwise, each under the line that says why (`# ...`); an empty line ends a
 * reason.
 */
export function knownDifferences(): Set<string> {
  const lines = readFileSync(new URL('differences.txt', goldenDirectory), 'utf8').split('\n');
  return new Set(lines.filter((line) => line !== '' && !line.startsWith('#')));
}

export function goldenBases(): GoldenBase[] {
  const documents = ['bases.yaml', 'bases-more.yaml'].flatMap((file) =>
    parseAllDocuments(readFileSync(new URL(file, goldenDirectory), 'utf8')),
  );
  return documents.map((document) => {
    const object = document.toJS();
    const [group, version] = object.apiVersion.includes('/') ? object.apiVersion.split('/') : ['', object.apiVersion];
    const definition = builtinResources.find(
      (one) => one.group === group && one.version === version && one.kind === object.kind,
    )!;
    const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
    const scope = definition.namespaced ? '/namespaces/default' : '';
    const kind = group.endsWith('k8s.io') && object.kind === 'Event' ? 'NewEvent' : object.kind;
    return { label: `${kind}-${object.metadata.name}`, path: `${root}${scope}/${definition.resource}`, object };
  });
}

/**
 * Shows one server all spoilt forms of an object: as new ones, then in place of the sound one, each as a dry run.
 */
export async function ask(
  { path, object }: GoldenBase,
  cases: Iterable<{ change: Spoiled; on: GoldenCase['on'] }>,
  send: Ask,
): Promise<string[][]> {
  const answers: string[][] = [];
  const { name } = object.metadata;
  let stored: any;
  for (const { change, on } of cases) {
    if (on === 'create') {
      answers.push(findingsOf(await send('POST', `${path}?dryRun=All`, apply(object, change))));
      continue;
    }
    if (stored === undefined) {
      const created = await send('POST', path, object);
      if (created.code >= 300) throw new Error(`${path}/${name}: ${findingsOf(created).join('; ')}`);
      stored = created.body;
    }
    const body = apply(stored, change);
    // Others write too (controllers of kube-apiserver's own): the newest is meant.
    delete body.metadata?.resourceVersion;
    const { body: current } = await send('GET', `${path}/${name}`);
    body.metadata.resourceVersion = current.metadata.resourceVersion;
    answers.push(findingsOf(await send('PUT', `${path}/${name}?dryRun=All`, body)));
  }
  if (stored !== undefined) await remove(path, name, send);
  return answers;
}

async function remove(path: string, name: string, send: Ask): Promise<void> {
  const current = await send('GET', `${path}/${name}`);
  if (current.code !== 200) return;
  if (current.body.metadata.finalizers?.length > 0) {
    await send('PUT', `${path}/${name}`, { ...current.body, metadata: { ...current.body.metadata, finalizers: [] } });
  }
  await send('DELETE', `${path}/${name}?gracePeriodSeconds=0&propagationPolicy=Background`);
}

/**
 * What may be compared: upstream shows structs by the names of its own fields, prints differences of Go values, and
 * makes uids; one finding may be told twice.
 */
export function comparable(findings: string[]): string[] {
  const plain = findings.map((finding) =>
    finding
      .split('\n')[0]!
      .replace(/((?:Invalid|Duplicate|Unsupported) value): (?:[{[].*[}\]]|null)(?=: |$)/s, '$1: …')
      // A patched object as a whole, with times and fields in some order.
      .replace(/(patch: Invalid value): \\?"(?:\{|map\[).*\\?": (?=[a-z])/s, '$1: …: ')
      .replace(/kube-api-access-[a-z0-9]{5}\b/g, 'kube-api-access-…')
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UID'),
  );
  return [...new Set(plain)].sort();
}
