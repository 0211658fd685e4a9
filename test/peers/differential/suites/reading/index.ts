import type { Twin } from '../../twin.ts';
import { configMap, makeNamespace, pod } from '../objects.ts';
import { fieldSelectors } from './field-selectors.ts';
import { forms } from './forms.ts';
import { notFound } from './not-found.ts';
import { pages } from './pages.ts';
import { revisions } from './revisions.ts';
import { selectors } from './selectors.ts';

/** get and list: selectors, revisions, pages, forms. */
export async function reading(twin: Twin): Promise<void> {
  const namespace = `reading-${twin.run}`;
  await makeNamespace(twin, namespace);
  const maps = `/api/v1/namespaces/${namespace}/configmaps`;
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  for (const [index, name] of ['a', 'b', 'c', 'd', 'e'].entries()) {
    const labels = { app: index % 2 === 0 ? 'even' : 'odd', name };
    const made = await twin.prepare({ method: 'POST', path: maps, body: configMap(name, { a: name }, { labels }) });
    twin.note(name, made, ({ json }) => json.metadata.resourceVersion);
  }
  await twin.prepare({ method: 'POST', path: pods, body: pod('p', { metadata: { labels: { app: 'x' } } }) });
  await selectors(twin, maps);
  await fieldSelectors(twin, namespace);
  await revisions(twin, maps);
  await pages(twin, maps);
  await forms(twin, maps, pods);
  await notFound(twin, namespace);
}
