import type { Twin } from '../../twin.ts';
import { configMap } from '../objects.ts';

/** Updates, and who may make them. */
export async function updating(twin: Twin, maps: string): Promise<void> {
  const put = (label: string, name: string, body: object, query = '') =>
    twin.ask(`update ${label}`, { method: 'PUT', path: `${maps}/${name}${query}`, body });
  await twin.prepare({ method: 'POST', path: maps, body: configMap('u') });
  const first = await twin.prepare({ path: `${maps}/u` });
  twin.note('first', first, ({ json }) => json);
  await put('without revision', 'u', configMap('u', { a: '2' }), '?fieldManager=second');
  await twin.ask('update at an old revision', (side) => ({
    method: 'PUT',
    path: `${maps}/u`,
    body: { ...side.notes['first'], data: { a: '3' } },
  }));
  await put('revision 0', 'u', configMap('u', { a: '3' }, { resourceVersion: '0' }));
  await put('revision word', 'u', configMap('u', { a: '3' }, { resourceVersion: 'abc' }));
  await put('revision future', 'u', configMap('u', { a: '3' }, { resourceVersion: '999999999' }));
  await put('name differs', 'u', configMap('v'));
  await put('namespace differs', 'u', configMap('u', {}, { namespace: 'other' }));
  await put('no name', 'u', { data: {} });
  await put('other uid', 'u', configMap('u', {}, { uid: '00000000-0000-0000-0000-000000000000' }));
  await put('nothing there', 'nothing', configMap('nothing'));
  await put('nothing there with revision', 'nothing', configMap('nothing', {}, { resourceVersion: '5' }));
  await put(
    'nothing there with uid',
    'nothing',
    configMap('nothing', {}, { uid: '00000000-0000-0000-0000-000000000000' }),
  );
  await put('dry', 'u', configMap('u', { a: 'dry' }), '?dryRun=All');
  await put('changes nothing', 'u', configMap('u', { a: '3' }));
  await put('changes nothing again', 'u', configMap('u', { a: '3' }));
  await put('managed by another', 'u', configMap('u', { a: '4', b: '1' }), '?fieldManager=third');
  await put('generateName added', 'u', configMap('u', { a: '4' }, { generateName: 'x-' }));
  await put('managedFields reset', 'u', configMap('u', { a: '5' }, { managedFields: [{}] }));
  await put('managedFields empty', 'u', configMap('u', { a: '6' }, { managedFields: [] }));
  await put('creationTimestamp', 'u', configMap('u', { a: '6' }, { creationTimestamp: '2001-01-01T00:00:00Z' }));
  await put('deletionTimestamp', 'u', configMap('u', { a: '6' }, { deletionTimestamp: '2001-01-01T00:00:00Z' }));
  await put('immutable', 'u', { ...configMap('u', { a: '6' }), immutable: true });
  await put('after immutable', 'u', { ...configMap('u', { a: '7' }), immutable: true });
  await put('immutable off', 'u', { ...configMap('u', { a: '6' }), immutable: false });
  await put('labels while immutable', 'u', { ...configMap('u', { a: '6' }, { labels: { a: 'b' } }), immutable: true });
}
