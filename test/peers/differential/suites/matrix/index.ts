import type { Twin } from '../../twin.ts';
import { makeNamespace } from '../objects.ts';
import { applying } from './applying.ts';
import { merging } from './merging.ts';
import { during, subjects } from './subject.ts';
import { subresources } from './subresources.ts';
import { verbs } from './verbs.ts';
import { wrongTypes } from './wrong-types.ts';

/** Every kind by every verb, in every form and with every option. */
export async function matrix(twin: Twin): Promise<void> {
  const namespace = `matrix-${twin.run}`;
  await makeNamespace(twin, namespace);
  for (const subject of subjects(namespace, (_, isFirst) => isFirst)) {
    await during(twin, subject, () => verbs(twin, subject));
  }
}

export async function matrixOfTypes(twin: Twin): Promise<void> {
  const namespace = `types-${twin.run}`;
  await makeNamespace(twin, namespace);
  for (const subject of subjects(namespace, (_, isFirst) => isFirst)) await wrongTypes(twin, subject);
}

/** Every part of every kind that can be patched, by every sort of patch. */
export async function matrixOfPatches(twin: Twin): Promise<void> {
  const namespace = `patches-${twin.run}`;
  await makeNamespace(twin, namespace);
  for (const subject of subjects(namespace, () => true)) {
    await applying(twin, subject);
    await during(twin, subject, () => merging(twin, subject));
  }
}

export async function matrixOfSubresources(twin: Twin): Promise<void> {
  const namespace = `parts-${twin.run}`;
  await makeNamespace(twin, namespace);
  const parts = new Map<string, string[]>();
  for (const subject of subjects(namespace, (_, isFirst) => isFirst)) {
    const root = subject.path.replace(/(\/namespaces\/[^/]+)?\/[^/]+$/, '');
    const resource = subject.path.split('/').at(-1);
    const listed = (await twin.prepare({ path: root })).kubernetes.json.resources;
    const names = listed.flatMap(({ name }: any) => {
      const [of, part] = name.split('/');
      return of === resource && part !== undefined && !streams.includes(part) ? [part] : [];
    });
    parts.set(subject.label, names);
    if (names.length > 0) await during(twin, subject, () => subresources(twin, subject, names));
  }
}

/** What leads to a node, which there is none of. */
const streams = ['exec', 'attach', 'portforward', 'proxy', 'log'];
