import type { Twin } from '../../twin.ts';
import { configMap, JSON_PATCH, MERGE, STRATEGIC } from '../objects.ts';

/** Merge, strategic and JSON patches. */
export async function patching(twin: Twin, maps: string): Promise<void> {
  await twin.prepare({
    method: 'POST',
    path: maps,
    body: configMap('p', { a: '1', b: '2' }, { labels: { x: 'y' }, finalizers: ['example.com/a'] }),
  });
  const patch = (label: string, type: string, body: unknown, query = '', name = 'p') =>
    twin.ask(`patch ${label}`, { method: 'PATCH', path: `${maps}/${name}${query}`, type, body: body as object });
  await patch('merge', MERGE, { data: { a: null, c: '3' } });
  await patch('merge by manager', MERGE, { data: { d: '4' } }, '?fieldManager=merger');
  await patch('merge nothing', MERGE, {});
  await patch('merge force', MERGE, { data: { d: '4' } }, '?force=true');
  await patch('merge name', MERGE, { metadata: { name: 'q' } });
  await patch('merge namespace', MERGE, { metadata: { namespace: 'q' } });
  await patch('merge uid', MERGE, { metadata: { uid: 'q' } });
  await patch('merge old revision', MERGE, { metadata: { resourceVersion: '1' } });
  await patch('merge kind', MERGE, { kind: 'Pod' });
  await patch('merge apiVersion', MERGE, { apiVersion: 'v2' });
  await patch('merge unknown', MERGE, { other: 1 }, '?fieldValidation=Strict');
  await patch('merge unknown warn', MERGE, { other: 1 });
  await patch('merge duplicate', MERGE, '{"data":{"a":"1","a":"2"}}', '?fieldValidation=Strict');
  await patch('merge wrong type', MERGE, { data: { a: 1 } });
  await patch('merge null data', MERGE, { data: null }, '?dryRun=All');
  await patch('merge null metadata', MERGE, { metadata: null }, '?dryRun=All');
  await patch('merge missing', MERGE, { data: {} }, '', 'missing');
  await patch('strategic', STRATEGIC, { data: { e: '5' }, metadata: { finalizers: ['example.com/b'] } });
  await patch('strategic delete from list', STRATEGIC, {
    metadata: { '$deleteFromPrimitiveList/finalizers': ['example.com/b'] },
  });
  await patch('strategic replace', STRATEGIC, { data: { $patch: 'replace', only: '1' } });
  await patch('strategic unknown directive', STRATEGIC, { data: { $patch: 'other' } });
  await patch('strategic wrong type', STRATEGIC, { data: [] });
  await patch('strategic wrong list', STRATEGIC, { metadata: { finalizers: 'x' } });
  await patch('strategic missing', STRATEGIC, { data: {} }, '', 'missing');
  const operations: [string, unknown][] = [
    ['add', [{ op: 'add', path: '/data/j', value: '1' }]],
    ['replace', [{ op: 'replace', path: '/data/j', value: '2' }]],
    ['remove', [{ op: 'remove', path: '/data/j' }]],
    ['remove missing', [{ op: 'remove', path: '/data/none' }]],
    ['replace missing', [{ op: 'replace', path: '/data/none', value: '' }]],
    ['add deep', [{ op: 'add', path: '/none/none', value: '' }]],
    ['test', [{ op: 'test', path: '/data/only', value: '1' }]],
    ['test fails', [{ op: 'test', path: '/data/only', value: '2' }]],
    ['test missing', [{ op: 'test', path: '/data/none', value: '2' }]],
    ['move', [{ op: 'move', from: '/data/only', path: '/data/moved' }]],
    ['copy', [{ op: 'copy', from: '/data/moved', path: '/data/only' }]],
    ['move missing', [{ op: 'move', from: '/data/none', path: '/data/x' }]],
    ['copy missing', [{ op: 'copy', from: '/data/none', path: '/data/x' }]],
    ['unknown op', [{ op: 'other', path: '/data/x' }]],
    ['no op', [{ path: '/data/x' }]],
    ['no path', [{ op: 'add', value: 1 }]],
    ['no value', [{ op: 'add', path: '/data/x' }]],
    ['not a list', { op: 'add' }],
    ['empty', []],
    ['bad pointer', [{ op: 'add', path: 'data', value: 1 }]],
    ['index', [{ op: 'remove', path: '/metadata/finalizers/5' }]],
    ['index word', [{ op: 'add', path: '/metadata/finalizers/x', value: 'a' }]],
    ['append', [{ op: 'add', path: '/metadata/finalizers/-', value: 'example.com/c' }]],
    ['insert', [{ op: 'add', path: '/metadata/finalizers/0', value: 'example.com/d' }]],
    ['insert too far', [{ op: 'add', path: '/metadata/finalizers/9', value: 'example.com/d' }]],
    ['root', [{ op: 'replace', path: '', value: {} }]],
    ['name', [{ op: 'replace', path: '/metadata/name', value: 'z' }]],
    ['name missing', [{ op: 'remove', path: '/metadata/name' }]],
    ['revision', [{ op: 'replace', path: '/metadata/resourceVersion', value: '1' }]],
    ['test revision', [{ op: 'test', path: '/metadata/resourceVersion', value: '1' }]],
    ['unknown member', [{ op: 'add', path: '/data/x', value: '1', foo: 1 }]],
    ['wrong type', [{ op: 'add', path: '/data/x', value: 1 }]],
    ['unknown field', [{ op: 'add', path: '/other', value: 1 }]],
    [
      'escaped',
      [
        { op: 'add', path: '/metadata/labels', value: { 'a.b/c': '1' } },
        { op: 'replace', path: '/metadata/labels/a.b~1c', value: '2' },
      ],
    ],
    ['member number', [{ op: 1, path: '/a' }]],
    ['list of text', ['x']],
  ];
  for (const [label, body] of operations) {
    await patch(`json ${label}`, JSON_PATCH, body);
    if (label.startsWith('unknown'))
      await patch(`json strict ${label}`, JSON_PATCH, body, '?fieldValidation=Strict&dryRun=All');
  }
  await patch(
    'json many',
    JSON_PATCH,
    Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/data/only', value: '1' })),
  );
  await patch('json missing', JSON_PATCH, [], '', 'missing');
  await patch('large merge', MERGE, { data: { a: 'x'.repeat(1_100_000) } });
}
