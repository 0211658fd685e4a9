import type { Answer } from '../client.ts';
import type { Twin } from '../twin.ts';
import { APPLY, configMap, MERGE, makeNamespace, PARTIAL, pod, TABLE } from './objects.ts';

/** Watches: what is told of changes, in which order and form. */
export async function watching(twin: Twin): Promise<void> {
  const namespace = `watching-${twin.run}`;
  await makeNamespace(twin, namespace);
  const maps = `/api/v1/namespaces/${namespace}/configmaps`;
  const before = await twin.prepare({
    method: 'POST',
    path: maps,
    body: configMap('before', { a: '1' }, { labels: { x: 'y' } }),
  });
  twin.note('before', before, ({ json }) => json.metadata.resourceVersion);
  const lines = ({ text }: Answer) => text.split('\n').map((line) => (line === '' ? '' : parsed(line)));
  const queries: [string, (notes: Record<string, any>) => string, string?][] = [
    ['plain', () => ''],
    ['from 0', () => '&resourceVersion=0'],
    ['after an object', (notes) => `&resourceVersion=${notes['before']}`],
    ['by label', (notes) => `&resourceVersion=${notes['before']}&labelSelector=x%3Dy`],
    ['by name', (notes) => `&resourceVersion=${notes['before']}&fieldSelector=metadata.name%3Da`],
    ['as a table', (notes) => `&resourceVersion=${notes['before']}`, TABLE],
    ['as partial metadata', (notes) => `&resourceVersion=${notes['before']}`, PARTIAL],
    ['as YAML', (notes) => `&resourceVersion=${notes['before']}`, 'application/yaml'],
    ['pretty', (notes) => `&resourceVersion=${notes['before']}&pretty=true`],
    ['with bookmarks', (notes) => `&resourceVersion=${notes['before']}&allowWatchBookmarks=true`],
  ];
  const open = queries.map(async ([label, query, accept]) =>
    twin.ask(
      `watch ${label}`,
      (side) => ({
        path: `${maps}?watch=true&timeoutSeconds=5${query(side.notes)}`,
        ...(accept !== undefined && { accept }),
      }),
      { reduce: lines },
    ),
  );
  const old = [
    twin.ask(
      'old watch of a list',
      (side) => ({
        path: `/api/v1/watch/namespaces/${namespace}/configmaps?timeoutSeconds=5&resourceVersion=${side.notes['before']}`,
      }),
      { reduce: lines },
    ),
    twin.ask(
      'old watch of one',
      (side) => ({
        path: `/api/v1/watch/namespaces/${namespace}/configmaps/a?timeoutSeconds=5&resourceVersion=${side.notes['before']}`,
      }),
      { reduce: lines },
    ),
    twin.ask(
      'watch of one',
      (side) => ({ path: `${maps}/a?watch=1&timeoutSeconds=5&resourceVersion=${side.notes['before']}` }),
      { reduce: lines },
    ),
    twin.ask(
      'watch of a namespace',
      { path: `/api/v1/namespaces?watch=1&timeoutSeconds=5&fieldSelector=metadata.name%3D${namespace}` },
      { reduce: lines },
    ),
  ];
  const bound = twin.ask(
    'watch of pods on a node',
    { path: `/api/v1/pods?watch=1&timeoutSeconds=5&fieldSelector=spec.nodeName%3Dn-${twin.run}` },
    { reduce: lines },
  );
  await new Promise((resolve) => setTimeout(resolve, 1200));
  await twin.prepare({ method: 'POST', path: maps, body: configMap('a', { a: '1' }, { labels: { x: 'y' } }) });
  await twin.prepare({ method: 'PATCH', path: `${maps}/a`, type: MERGE, body: { data: { a: '2' } } });
  await twin.prepare({ method: 'PATCH', path: `${maps}/a`, type: MERGE, body: {} });
  await twin.prepare({ method: 'PATCH', path: `${maps}/a`, type: MERGE, body: { metadata: { labels: { x: 'z' } } } });
  await twin.prepare({ method: 'PATCH', path: `${maps}/a`, type: MERGE, body: { metadata: { labels: { x: 'y' } } } });
  await twin.prepare({
    method: 'PATCH',
    path: `${maps}/a?fieldManager=m&force=true`,
    type: APPLY,
    body: configMap('a', { a: '9' }),
  });
  await twin.prepare({
    method: 'PATCH',
    path: `${maps}/a`,
    type: MERGE,
    body: { metadata: { finalizers: ['example.com/x'] } },
  });
  await twin.prepare({ method: 'DELETE', path: `${maps}/a` });
  await twin.prepare({ method: 'PATCH', path: `${maps}/a`, type: MERGE, body: { metadata: { finalizers: null } } });
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  await twin.prepare({ method: 'POST', path: pods, body: pod('p') });
  await twin.prepare({
    method: 'POST',
    path: `${pods}/p/binding`,
    body: { metadata: { name: 'p' }, target: { kind: 'Node', name: `n-${twin.run}` } },
  });
  await twin.prepare({ method: 'DELETE', path: `${pods}/p?gracePeriodSeconds=0` });
  await Promise.all([...open, ...old, bound]);
  await Promise.all(
    ['', '0', '-1', 'x', '1.5', '1'].map((seconds) =>
      twin.ask(
        `timeoutSeconds=${seconds}`,
        { path: `${maps}?watch=1&resourceVersion=0&timeoutSeconds=${seconds}`, cutAfterMs: 2500 },
        { bodyIgnored: true },
      ),
    ),
  );
  for (const value of ['1', 'true', 'false', '0', '', 'x', 'True', 'yes']) {
    await twin.ask(
      `watch=${value}`,
      { path: `${maps}?watch=${value}&timeoutSeconds=1`, cutAfterMs: 2500 },
      { reduce: ({ json, text }) => json?.kind ?? text.split('\n').length },
    );
  }
  await twin.ask(
    'watch at a compacted revision',
    { path: `${maps}?watch=1&resourceVersion=1&timeoutSeconds=1` },
    { reduce: lines },
  );
  await twin.ask('list at a compacted revision', { path: `${maps}?resourceVersion=1&resourceVersionMatch=Exact` });
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}
