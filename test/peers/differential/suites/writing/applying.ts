import type { Twin } from '../../twin.ts';
import { APPLY, configMap } from '../objects.ts';

/** Server-side apply. */
export async function applying(twin: Twin, maps: string): Promise<void> {
  const apply = (label: string, name: string, body: unknown, query: string) =>
    twin.ask(`apply ${label}`, { method: 'PATCH', path: `${maps}/${name}${query}`, type: APPLY, body: body as object });
  const of = (data: object | undefined, metadata: object = {}) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 's', ...metadata },
    ...(data !== undefined && { data }),
  });
  await apply('without manager', 's', of({ a: '1' }), '');
  await apply('creates', 's', of({ a: '1', b: '1' }), '?fieldManager=one');
  await apply('again', 's', of({ a: '1', b: '1' }), '?fieldManager=one');
  await apply('agrees', 's', of({ a: '1' }), '?fieldManager=two');
  await apply('conflicts', 's', of({ a: '2' }), '?fieldManager=two');
  await apply('conflicts twice', 's', of({ a: '2', b: '2' }), '?fieldManager=three');
  await apply('conflict with several', 's', of({ a: '3' }), '?fieldManager=three');
  await apply('forced', 's', of({ a: '2' }), '?fieldManager=two&force=true');
  await apply('gives up', 's', of({}), '?fieldManager=one');
  await apply('dry', 's', of({ z: '1' }), '?fieldManager=four&dryRun=All');
  await twin.ask('update between', {
    method: 'PUT',
    path: `${maps}/s?fieldManager=updater`,
    body: configMap('s', { a: '9', n: '1' }),
  });
  await apply('conflicts with an update', 's', of({ a: '2' }), '?fieldManager=two');
  await apply('conflicts with more', 's', of({ a: '2', n: '3' }), '?fieldManager=two');
  await apply(
    'with managedFields',
    's',
    of({ a: '2' }, { managedFields: [{ manager: 'x', operation: 'Apply', apiVersion: 'v1' }] }),
    '?fieldManager=two&force=true',
  );
  await apply('name differs', 's', { ...of({}), metadata: { name: 'other' } }, '?fieldManager=two');
  await apply(
    'no name',
    's',
    { apiVersion: 'v1', kind: 'ConfigMap', data: { a: '2' } },
    '?fieldManager=two&force=true',
  );
  await apply('no kind', 's', { apiVersion: 'v1', metadata: { name: 's' } }, '?fieldManager=two');
  await apply('no version', 's', { kind: 'ConfigMap', metadata: { name: 's' } }, '?fieldManager=two');
  await apply('other kind', 's', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } }, '?fieldManager=two');
  await apply(
    'other version',
    's',
    { apiVersion: 'v2', kind: 'ConfigMap', metadata: { name: 's' } },
    '?fieldManager=two',
  );
  await apply('unknown field', 's', { ...of({}), other: 1 }, '?fieldManager=two');
  await apply('unknown field strict', 's', { ...of({}), other: 1 }, '?fieldManager=two&fieldValidation=Strict');
  await apply('wrong type', 's', of({ a: 1 }), '?fieldManager=two');
  await apply('uid', 's', of({ a: '2' }, { uid: '00000000-0000-0000-0000-000000000000' }), '?fieldManager=two');
  await apply(
    'uid creates',
    'fresh',
    of({ a: '2' }, { name: 'fresh', uid: '00000000-0000-0000-0000-000000000000' }),
    '?fieldManager=two',
  );
  await apply('revision', 's', of({ a: '2' }, { resourceVersion: '1' }), '?fieldManager=two');
  await apply(
    'revision creates',
    'fresh',
    of({ a: '2' }, { name: 'fresh', resourceVersion: '1' }),
    '?fieldManager=two',
  );
  await apply(
    'yaml',
    's',
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: s\ndata:\n  y: "1"\n',
    '?fieldManager=five',
  );
  await apply('broken yaml', 's', 'a: [', '?fieldManager=five');
  await apply(
    'yaml duplicate',
    's',
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: s\ndata:\n  y: "1"\n  y: "2"\n',
    '?fieldManager=five',
  );
  await apply(
    'yaml duplicate strict',
    's',
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: s\ndata:\n  y: "1"\n  y: "2"\n',
    '?fieldManager=five&fieldValidation=Strict',
  );
  await apply('null value', 's', of({ a: null }), '?fieldManager=six');
  await apply('long manager', 's', of({}), `?fieldManager=${'m'.repeat(129)}`);
  await apply('bad namespace', 's', of({}, { namespace: 'other' }), '?fieldManager=six');
  await twin.ask('apply cbor', {
    method: 'PATCH',
    path: `${maps}/s?fieldManager=one`,
    type: 'application/apply-patch+cbor',
    body: Buffer.from([0xd9, 0xd9, 0xf7, 0xa0]),
  });
}
