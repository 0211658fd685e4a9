import type { Answer } from '../../client.ts';
import type { Twin } from '../../twin.ts';
import { eventLine } from '../event-line.ts';
import { APPLY, JSON_PATCH, MERGE, PARTIAL, PARTIAL_LIST, PROTOBUF, STRATEGIC, TABLE } from '../objects.ts';
import { Several } from '../several.ts';
import { chosen, outcome, type Subject } from './subject.ts';

/** Every verb at every path of a kind, with the options of its query. */
export async function verbs(twin: Twin, { label, path, everywhere, one, object }: Subject): Promise<void> {
  const several = new Several();
  const ask = (what: string, request: Parameters<Twin['ask']>[1], reduce = outcome) =>
    several.start(twin.ask(`${label} ${what}`, request, { reduce, replace: [...chosen!, ...passing] }));
  const byName = `fieldSelector=metadata.name%3D${object.metadata.name}`;
  for (const [scope, collection] of Object.entries({ 'its namespace': path, 'all namespaces': everywhere })) {
    if (collection === path && scope === 'all namespaces') continue;
    for (const [form, accept] of Object.entries({ JSON: 'application/json', table: TABLE, partial: PARTIAL_LIST })) {
      for (const query of listQueries)
        await ask(`list of ${scope} as ${form} ${query}`, { path: `${collection}?${byName}&${query}`, accept });
    }
    for (const [form, accept] of Object.entries({ JSON: 'application/json', table: TABLE, partial: PARTIAL })) {
      for (const query of watchQueries) {
        const path = `${collection}?watch=1&timeoutSeconds=1&${byName}&${query}`;
        await ask(`watch of ${scope} as ${form} ${query}`, { path, accept }, lines);
      }
    }
    for (const accept of [PROTOBUF, `${PROTOBUF};as=Table;v=v1;g=meta.k8s.io`, 'application/cbor']) {
      await ask(`list of ${scope} as ${accept}`, { path: `${collection}?${byName}`, accept }, binary);
      const watched = `${collection}?watch=1&timeoutSeconds=1&${byName}&resourceVersion=0`;
      await ask(`watch of ${scope} as ${accept}`, { path: watched, accept: `${accept};stream=watch` }, binary);
    }
    for (const method of ['PUT', 'PATCH', 'OPTIONS', 'HEAD'])
      await ask(`${method} to ${scope}`, {
        method,
        path: `${collection}?${byName}&dryRun=All`,
        ...(method === 'PUT' && { body: object }),
        ...(method === 'PATCH' && { body: object, type: MERGE }),
      });
    for (const query of deleteQueries)
      await ask(`delete from ${scope} ${query}`, {
        method: 'DELETE',
        path: `${collection}?${byName}&dryRun=All&${query}`,
      });
  }
  for (const query of getQueries) await ask(`get ${query}`, { path: `${one}?${query}` });
  for (const accept of [TABLE, PARTIAL, PARTIAL_LIST]) {
    for (const include of ['None', 'Metadata', 'Object'])
      await ask(`get as ${accept} with ${include}`, { path: `${one}?includeObject=${include}`, accept });
  }
  for (const query of deleteQueries)
    await ask(`delete ${query}`, { method: 'DELETE', path: `${one}?dryRun=All&${query}` });
  for (const options of deleteBodies) {
    // With a body, what the query says counts for nothing.
    const body = { ...options, dryRun: ['All'] };
    await ask(`delete with ${JSON.stringify(options)}`, { method: 'DELETE', path: one, body });
  }
  await ask('POST to one', { method: 'POST', path: `${one}?dryRun=All`, body: object });
  await ask('create again', { method: 'POST', path: `${path}?dryRun=All`, body: object });
  await ask('create in all namespaces', { method: 'POST', path: `${everywhere}?dryRun=All`, body: object });
  for (const accept of [TABLE, PARTIAL]) {
    const more = { ...object, metadata: { ...object.metadata, name: `${object.metadata.name}2` } };
    await ask(`create as ${accept}`, { method: 'POST', path: `${path}?dryRun=All`, body: more, accept });
    await ask(`merge as ${accept}`, { method: 'PATCH', path: `${one}?dryRun=All`, type: MERGE, body: {}, accept });
    await ask(`delete as ${accept}`, { method: 'DELETE', path: `${one}?dryRun=All`, accept });
  }
  for (const [what, metadata] of Object.entries(metadatas)) {
    const body = { ...object, metadata: { ...object.metadata, ...metadata } };
    await ask(`create with ${what}`, { method: 'POST', path: `${path}?dryRun=All`, body });
    for (const type of [MERGE, STRATEGIC])
      await ask(`${type} with ${what}`, { method: 'PATCH', path: `${one}?dryRun=All`, type, body: { metadata } });
  }
  for (const validation of ['Strict', 'Warn', 'Ignore', 'Other']) {
    const query = `dryRun=All&fieldValidation=${validation}`;
    const unknown = { ...object, unknownField: 1, metadata: { ...object.metadata, unknownLabel: {} } };
    const name = `${object.metadata.name}3`;
    const created = { ...unknown, metadata: { ...unknown.metadata, name } };
    await ask(`create unknown ${validation}`, { method: 'POST', path: `${path}?${query}`, body: created });
    await ask(`replace unknown ${validation}`, { method: 'PUT', path: `${one}?${query}`, body: unknown });
    for (const type of [MERGE, STRATEGIC])
      await ask(`${type} unknown ${validation}`, { method: 'PATCH', path: `${one}?${query}`, type, body: unknown });
    const operations = [{ op: 'add', path: '/unknownField', value: 1 }];
    await ask(`${JSON_PATCH} unknown ${validation}`, {
      method: 'PATCH',
      path: `${one}?${query}`,
      type: JSON_PATCH,
      body: operations,
    });
    await ask(`${APPLY} unknown ${validation}`, {
      method: 'PATCH',
      path: `${one}?${query}&fieldManager=m&force=true`,
      type: APPLY,
      body: unknown,
    });
    const doubled = JSON.stringify(created).replace(
      '"metadata":{',
      '"metadata":{"name":"x","labels":{"a":"b","a":"c"},',
    );
    await ask(`create doubled ${validation}`, { method: 'POST', path: `${path}?${query}`, body: doubled });
  }
  await several.end();
}

/** What changes from moment to moment, and names that each server makes. */
const passing: [RegExp, string][] = [
  [/"\d+s"/g, '"<age>"'],
  [/\bA_[a-z0-9]{5}\b/g, 'A_<generated>'],
];

const listQueries = [
  '',
  'limit=1',
  'resourceVersion=0',
  'resourceVersion=0&resourceVersionMatch=NotOlderThan',
  'resourceVersion=0&resourceVersionMatch=Exact',
  'resourceVersionMatch=Exact',
  'labelSelector=none%3Dnone',
  'labelSelector=%21none',
  'pretty=true',
  'includeObject=None',
  'includeObject=Object',
  'sendInitialEvents=true',
  'timeoutSeconds=5',
  'watch=false',
  'continue=abc',
];
const watchQueries = [
  'resourceVersion=0',
  'sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan',
  'sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&labelSelector=none%3Dnone',
  'resourceVersion=0&includeObject=None',
  'resourceVersion=0&includeObject=Object',
  'sendInitialEvents=true&resourceVersionMatch=Exact',
];
const getQueries = ['pretty=true', 'resourceVersion=0', 'export=true', 'exact=true'];
const deleteQueries = [
  '',
  'propagationPolicy=Foreground',
  'propagationPolicy=Background',
  'propagationPolicy=Orphan',
  'propagationPolicy=Other',
  'gracePeriodSeconds=0',
  'gracePeriodSeconds=5',
  'gracePeriodSeconds=-1',
  'orphanDependents=true',
  'orphanDependents=false',
  'ignoreStoreReadErrorWithClusterBreakingPotential=true',
  'fieldValidation=Other',
  'fieldManager=m',
];
const deleteBodies = [
  { preconditions: { uid: 'x' } },
  { preconditions: { resourceVersion: '1' } },
  { propagationPolicy: 'Foreground', gracePeriodSeconds: 3 },
  { unknownField: 1 },
  { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Orphan' },
];
const metadatas: Record<string, object> = {
  'a long name': { name: 'x'.repeat(254) },
  'a bad name': { name: 'A_b' },
  'a dotted name': { name: 'a.b' },
  'no name': { name: undefined },
  'an empty name': { name: '' },
  'a generated name': { name: '', generateName: 'A_' },
  'another namespace': { namespace: 'other' },
  'an empty namespace': { namespace: '' },
  'bad labels': { labels: { 'a b': 'c d', '': '' } },
  'bad annotations': { annotations: { 'a b': 'c', '/': '' } },
  'bad finalizers': { finalizers: ['x', 'a/b/c', 'example.com/fine', ''] },
  'bad owners': {
    ownerReferences: [
      { kind: 'X', controller: true },
      { apiVersion: 'v1', kind: 'Y', controller: true },
    ],
  },
  'a revision': { resourceVersion: '1' },
  'a uid': { uid: '00000000-0000-0000-0000-000000000000' },
  'a generation': { generation: 9 },
  'a deletion time': { deletionTimestamp: '2020-01-01T00:00:00Z' },
  'managed fields': { managedFields: [{ manager: 'a', operation: 'Other', apiVersion: 'v1', fieldsType: 'FieldsV1' }] },
  'many annotations': { annotations: { a: 'x'.repeat(262_145) } },
};

const lines = ({ json, text, status }: Answer): unknown =>
  status === 200 ? text.split('\n').map((line) => [eventLine(line), columns(line)]) : (json ?? text);

/** A table's columns come with its first event only. */
function columns(line: string): unknown {
  try {
    const { object } = JSON.parse(line);
    return [object.columnDefinitions?.length, object.rows?.map((row: any) => [row.cells, row.object?.kind])];
  } catch {
    return undefined;
  }
}

/** Revisions and uids are of different lengths and content; that it is the same form is seen at the start. */
const binary = ({ json, text, bytes, status }: Answer): unknown =>
  status === 200 ? bytes.subarray(0, 4).toString('hex') : (json ?? text);
