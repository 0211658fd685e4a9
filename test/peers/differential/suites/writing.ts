import type { Twin } from '../twin.ts';
import { APPLY, configMap, JSON_PATCH, MERGE, makeNamespace, pod, STRATEGIC } from './objects.ts';

/** create, update, patch and delete: what they answer, refuse, and leave behind. */
export async function writing(twin: Twin): Promise<void> {
  const namespace = `writing-${twin.run}`;
  await makeNamespace(twin, namespace);
  const maps = `/api/v1/namespaces/${namespace}/configmaps`;
  await creating(twin, maps, namespace);
  await updating(twin, maps);
  await patching(twin, maps);
  await applying(twin, maps, namespace);
  await deleting(twin, maps, namespace);
}

async function creating(twin: Twin, maps: string, namespace: string): Promise<void> {
  const post = (label: string, body: unknown, query = '', type?: string) =>
    twin.ask(
      `create ${label}`,
      { method: 'POST', path: `${maps}${query}`, body: body as object, ...(type !== undefined && { type }) },
      { replace: [[/(generated-x*|Bad_)[a-z0-9]{5}\b/g, '$1<random>']] },
    );
  await post('a map', configMap('a'));
  await post('it again', configMap('a'));
  await post('it again dry', configMap('a'), '?dryRun=All');
  await post('dry', configMap('dry'), '?dryRun=All');
  await twin.ask('the dry one is not there', { path: `${maps}/dry` });
  for (const value of ['All', 'None', '', 'true', 'All,All'])
    await post(`dryRun=${value}`, configMap(`dry-${value.toLowerCase().replace(/\W/g, '-')}x`), `?dryRun=${value}`);
  await post('dryRun twice', configMap('twice'), '?dryRun=All&dryRun=All');
  for (const value of ['me', '', 'a'.repeat(128), 'a'.repeat(129), 'a%01b', 'a%0Ab', '%E2%98%83', 'a/b c'])
    await post(
      `fieldManager=${value.slice(0, 20)}${value.length}`,
      configMap('managed'),
      `?dryRun=All&fieldManager=${value}`,
    );
  for (const value of ['Strict', 'Warn', 'Ignore', 'Other', '']) {
    await post(
      `unknown field ${value}`,
      { ...configMap('unknown'), spec: { a: 1 }, metadata: { name: 'unknown', labelz: {} } },
      `?dryRun=All&fieldValidation=${value}`,
    );
    await post(
      `duplicate field ${value}`,
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"duplicate","name":"duplicate"},"data":{"a":"1","a":"2"}}',
      `?dryRun=All&fieldValidation=${value}`,
    );
    await post(
      `duplicate field yaml ${value}`,
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: duplicate\n  name: duplicate\ndata:\n  a: "1"\n  a: "2"\nother: 1\n',
      `?dryRun=All&fieldValidation=${value}`,
      'application/yaml',
    );
    await post(
      `wrong case ${value}`,
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"Name":"case","name":"case"},"Data":{"a":"1"}}',
      `?dryRun=All&fieldValidation=${value}`,
    );
  }
  for (const [label, body] of [
    ['nothing', ''],
    ['space', ' '],
    ['null', 'null'],
    ['array', '[]'],
    ['string', '"a"'],
    ['number', '1'],
    ['true', 'true'],
    ['empty object', '{}'],
    ['broken', '{'],
    ['trailing', '{"metadata":{"name":"x"}} x'],
    ['two objects', '{"metadata":{"name":"x"}}{}'],
    ['bad escape', '{"a":"\\x"}'],
    ['comma', '{"a":1,}'],
    ['no quotes', '{a:1}'],
    ['kind number', '{"kind":1}'],
    ['apiVersion list', '{"apiVersion":[]}'],
    ['another kind', '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x"}}'],
    ['another version', '{"kind":"ConfigMap","apiVersion":"v2","metadata":{"name":"x"}}'],
    ['another group', '{"kind":"ConfigMap","apiVersion":"apps/v1","metadata":{"name":"x"}}'],
    ['unknown kind', '{"kind":"Thing","apiVersion":"v1","metadata":{"name":"x"}}'],
    ['kind only', '{"kind":"ConfigMap","metadata":{"name":"kind-only"}}'],
    ['version only', '{"apiVersion":"v1","metadata":{"name":"version-only"}}'],
    ['bad version', '{"kind":"ConfigMap","apiVersion":"a/b/c","metadata":{"name":"x"}}'],
    ['neither', '{"metadata":{"name":"neither"}}'],
    ['metadata text', '{"metadata":"x"}'],
    ['metadata list', '{"metadata":[]}'],
    ['metadata null', '{"metadata":null}'],
    ['data list', '{"metadata":{"name":"x"},"data":[]}'],
    ['data number', '{"metadata":{"name":"x"},"data":{"a":1}}'],
    ['data nested', '{"metadata":{"name":"x"},"data":{"a":{}}}'],
    ['labels number', '{"metadata":{"name":"x","labels":{"a":1}}}'],
    ['name number', '{"metadata":{"name":1}}'],
    ['time', '{"metadata":{"name":"x","creationTimestamp":"yesterday"}}'],
    ['time number', '{"metadata":{"name":"x","creationTimestamp":5}}'],
    ['immutable text', '{"metadata":{"name":"x"},"immutable":"yes"}'],
    ['binaryData', '{"metadata":{"name":"x"},"binaryData":{"a":"***"}}'],
    ['control characters', '{"metadata":{"name":"x"},"data":{"a":"\u0001"}}'],
    ['deep', '['.repeat(20000)],
    ['list kind', '{"kind":"ConfigMapList","apiVersion":"v1","items":[]}'],
    ['generation', '{"metadata":{"name":"generation","generation":7,"selfLink":"/x"}}'],
    ['uid', '{"metadata":{"name":"uid","uid":"00000000-0000-0000-0000-000000000000"}}'],
    ['resourceVersion', '{"metadata":{"name":"revision","resourceVersion":"5"}}'],
    ['resourceVersion 0', '{"metadata":{"name":"revision0","resourceVersion":"0"}}'],
    [
      'deletionTimestamp',
      '{"metadata":{"name":"gone","deletionTimestamp":"2020-01-01T00:00:00Z","deletionGracePeriodSeconds":5}}',
    ],
    ['invalid utf-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ] as [string, string | Buffer][]) {
    await post(`from ${label}`, body, '?dryRun=All');
    if (!Buffer.isBuffer(body) && body.length < 1000) {
      await post(`from ${label} yaml`, body, '?dryRun=All', 'application/yaml');
      await twin.ask(`update from ${label}`, { method: 'PUT', path: `${maps}/a?dryRun=All`, body });
      await twin.prepare({ method: 'POST', path: maps, body: configMap('del') });
      await twin.ask(`delete with ${label}`, { method: 'DELETE', path: `${maps}/del?dryRun=All`, body });
      await twin.ask(`merge ${label}`, { method: 'PATCH', path: `${maps}/a?dryRun=All`, body, type: MERGE });
      await twin.ask(`strategic ${label}`, { method: 'PATCH', path: `${maps}/a?dryRun=All`, body, type: STRATEGIC });
      await twin.ask(`json patch ${label}`, { method: 'PATCH', path: `${maps}/a?dryRun=All`, body, type: JSON_PATCH });
      await twin.ask(`apply ${label}`, {
        method: 'PATCH',
        path: `${maps}/a?dryRun=All&fieldManager=m`,
        body,
        type: APPLY,
      });
      await twin.ask(`create pod from ${label}`, {
        method: 'POST',
        path: `/api/v1/namespaces/${namespace}/pods?dryRun=All`,
        body,
      });
      await twin.ask(`create role from ${label}`, {
        method: 'POST',
        path: '/apis/rbac.authorization.k8s.io/v1/clusterroles?dryRun=All',
        body,
      });
    }
  }
  for (const type of [
    '',
    'text/plain',
    'application/xml',
    'application/json; charset=utf-8',
    'APPLICATION/JSON',
    'application/yaml',
    'text/yaml',
    'application/x-yaml',
    'application/vnd.kubernetes.protobuf',
    'application/cbor',
    'application/merge-patch+json',
    'multipart/form-data',
    'application/json,application/yaml',
    'garbage',
    ';',
    'application/json;as=x',
  ]) {
    await twin.ask(`create with type ${type || 'none'}`, {
      method: 'POST',
      path: `${maps}?dryRun=All`,
      body: configMap('typed'),
      type,
    });
    await twin.ask(`update with type ${type || 'none'}`, {
      method: 'PUT',
      path: `${maps}/a?dryRun=All`,
      body: configMap('a'),
      type,
    });
    await twin.ask(`patch with type ${type || 'none'}`, {
      method: 'PATCH',
      path: `${maps}/a?dryRun=All`,
      body: configMap('a'),
      type,
    });
    await twin.prepare({ method: 'POST', path: maps, body: configMap('del') });
    await twin.ask(`delete with type ${type || 'none'}`, { method: 'DELETE', path: `${maps}/del`, body: {}, type });
    await twin.ask(`apply status with type ${type || 'none'}`, {
      method: 'PATCH',
      path: `/api/v1/namespaces/${namespace}/status?dryRun=All`,
      body: {},
      type,
    });
  }
  await post('namespace differs', configMap('x', {}, { namespace: 'other' }));
  await post('namespace same', configMap('same', {}, { namespace }), '?dryRun=All');
  await post('generateName', { metadata: { generateName: 'generated-' } });
  await post('generateName and name', { metadata: { generateName: 'generated-', name: 'named' } });
  await post('generateName long', { metadata: { generateName: `generated-${'x'.repeat(80)}` } }, '?dryRun=All');
  await post('generateName bad', { metadata: { generateName: 'Bad_' } }, '?dryRun=All');
  await post('no name', { metadata: {} });
  await post('bad name', configMap('A_B'));
  await post('name with slash', configMap('a/b'));
  await post('name dots', configMap('..'));
  await post('name percent', configMap('a%b'));
  await post('too large', configMap('large', { a: 'x'.repeat(1_100_000) }));
  await twin.ask('create too large for the server', {
    method: 'POST',
    path: maps,
    body: Buffer.alloc(3_200_000, 0x20),
  });
  await twin.ask('create in no namespace', {
    method: 'POST',
    path: '/api/v1/configmaps',
    body: configMap('x', {}, { namespace }),
  });
  await twin.ask('create in a missing namespace', {
    method: 'POST',
    path: '/api/v1/namespaces/missing/configmaps',
    body: configMap('x'),
  });
  await twin.ask('create in a missing namespace dry', {
    method: 'POST',
    path: '/api/v1/namespaces/missing/configmaps?dryRun=All',
    body: configMap('x'),
  });
  await twin.ask('create on a name', { method: 'POST', path: `${maps}/x`, body: configMap('x') });
  await twin.ask('create namespace with namespace', {
    method: 'POST',
    path: '/api/v1/namespaces?dryRun=All',
    body: { metadata: { name: `n-${twin.run}`, namespace: 'x' } },
  });
  await twin.ask('create role with namespace', {
    method: 'POST',
    path: '/apis/rbac.authorization.k8s.io/v1/clusterroles?dryRun=All',
    body: { metadata: { name: `n-${twin.run}`, namespace: 'x' } },
  });
  for (const [label, metadata] of Object.entries({
    'labels bad': { labels: { 'a b': 'c', a: 'b c' } },
    'annotations large': { annotations: { a: 'x'.repeat(300_000) } },
    'annotation bad': { annotations: { 'a b': '' } },
    'finalizer bad': { finalizers: ['x'] },
    finalizer: { finalizers: ['example.com/x'] },
    'finalizers standard': { finalizers: ['orphan', 'foregroundDeletion'] },
    'owner without uid': { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x' }] },
    owner: { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x', uid: '1' }] },
    'two controllers': {
      ownerReferences: [
        { apiVersion: 'v1', kind: 'Pod', name: 'x', uid: '1', controller: true },
        { apiVersion: 'v1', kind: 'Pod', name: 'y', uid: '2', controller: true },
      ],
    },
    'owner event': { ownerReferences: [{ apiVersion: 'v1', kind: 'Event', name: 'x', uid: '1' }] },
    'owner duplicate': {
      ownerReferences: [
        { apiVersion: 'v1', kind: 'Pod', name: 'x', uid: '1' },
        { apiVersion: 'v1', kind: 'Pod', name: 'x', uid: '1' },
      ],
    },
    'owner bad version': { ownerReferences: [{ apiVersion: 'a/b/c', kind: 'Pod', name: 'x', uid: '1' }] },
    'managed bad': { managedFields: [{ manager: 'x' }] },
    'managed bad version': {
      managedFields: [{ manager: 'x', operation: 'Update', apiVersion: 'x/y/z', fieldsType: 'FieldsV1', fieldsV1: {} }],
    },
    'managed bad operation': {
      managedFields: [{ manager: 'x', operation: 'Other', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: {} }],
    },
    'managed bad type': {
      managedFields: [{ manager: 'x', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV2', fieldsV1: {} }],
    },
    managed: {
      managedFields: [
        {
          manager: 'x',
          operation: 'Update',
          apiVersion: 'v1',
          time: '2020-01-01T00:00:00Z',
          fieldsType: 'FieldsV1',
          fieldsV1: { 'f:data': { 'f:a': {} } },
        },
      ],
    },
    'managed broken': {
      managedFields: [
        { manager: 'x', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: { x: {} } },
      ],
    },
    'managed empty': { managedFields: [] },
  })) {
    await post(`metadata ${label}`, configMap('metadata', { a: '1' }, metadata), '?dryRun=All');
  }
}

async function updating(twin: Twin, maps: string): Promise<void> {
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

async function patching(twin: Twin, maps: string): Promise<void> {
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

async function applying(twin: Twin, maps: string, namespace: string): Promise<void> {
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
  const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const deployment = (spec: object, metadata: object = {}) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd', ...metadata },
    spec,
  });
  const template = (containers: object[]) => ({ metadata: { labels: { app: 'd' } }, spec: { containers } });
  const selector = { matchLabels: { app: 'd' } };
  const on = (label: string, body: object, query: string, sub = '') =>
    twin.ask(`apply deployment ${label}`, {
      method: 'PATCH',
      path: `${deployments}/d${sub}${query}`,
      type: APPLY,
      body,
    });
  await on(
    'creates',
    deployment({
      replicas: 1,
      selector,
      template: template([{ name: 'a', image: 'a', ports: [{ containerPort: 80 }], env: [{ name: 'X', value: '1' }] }]),
    }),
    '?fieldManager=one',
  );
  await on(
    'adds a container',
    deployment({ selector, template: template([{ name: 'b', image: 'b' }]) }),
    '?fieldManager=two',
  );
  await on(
    'conflicts',
    deployment({ replicas: 2, selector, template: template([{ name: 'a', image: 'c' }]) }),
    '?fieldManager=three',
  );
  await on(
    'duplicate container',
    deployment({
      selector,
      template: template([
        { name: 'a', image: 'c' },
        { name: 'a', image: 'd' },
      ]),
    }),
    '?fieldManager=three',
  );
  await on(
    'duplicate port',
    deployment({
      selector,
      template: template([{ name: 'a', image: 'a', ports: [{ containerPort: 80 }, { containerPort: 80 }] }]),
    }),
    '?fieldManager=one',
  );
  await on(
    'container without name',
    deployment({ selector, template: template([{ image: 'c' }]) }),
    '?fieldManager=three',
  );
  await on(
    'removes',
    deployment({ replicas: 1, selector, template: template([{ name: 'a', image: 'a' }]) }),
    '?fieldManager=one',
  );
  await on(
    'status',
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      status: { replicas: 1, conditions: [{ type: 'Available', status: 'True', reason: 'r', message: 'm' }] },
    },
    '?fieldManager=status',
    '/status',
  );
  await on(
    'status conflicts',
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      status: { replicas: 2, conditions: [{ type: 'Available', status: 'False', reason: 'r', message: 'm' }] },
    },
    '?fieldManager=status2',
    '/status',
  );
  await on(
    'scale',
    { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'd' }, spec: { replicas: 3 } },
    '?fieldManager=scaler',
    '/scale',
  );
  await on(
    'scale forced',
    { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'd' }, spec: { replicas: 3 } },
    '?fieldManager=scaler&force=true',
    '/scale',
  );
  await twin.ask('deployment after it all', { path: `${deployments}/d` });
  await twin.ask('get scale', { path: `${deployments}/d/scale` });
  for (const body of [
    { spec: { replicas: 5 } },
    { spec: { replicas: -1 } },
    { kind: 'Scale', apiVersion: 'autoscaling/v1', metadata: { name: 'e' }, spec: { replicas: 1 } },
    { kind: 'Deployment', apiVersion: 'apps/v1' },
    { kind: 'Scale', apiVersion: 'autoscaling/v1', metadata: { name: 'd', namespace }, spec: { replicas: 4 } },
    { kind: 'Scale', apiVersion: 'extensions/v1beta1', metadata: { name: 'd', namespace }, spec: { replicas: 4 } },
    {
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      metadata: { name: 'd', resourceVersion: '1' },
      spec: { replicas: 4 },
    },
    { metadata: { name: 'd', uid: 'x' }, spec: { replicas: 4 } },
  ]) {
    await twin.ask(`put scale ${JSON.stringify(body)}`, {
      method: 'PUT',
      path: `${deployments}/d/scale?fieldManager=put`,
      body,
    });
    await twin.ask(`merge scale ${JSON.stringify(body)}`, {
      method: 'PATCH',
      path: `${deployments}/d/scale?fieldManager=merge`,
      type: MERGE,
      body,
    });
  }
  for (const type of [STRATEGIC, JSON_PATCH])
    await twin.ask(`scale by ${type}`, {
      method: 'PATCH',
      path: `${deployments}/d/scale`,
      type,
      body: type === JSON_PATCH ? [{ op: 'replace', path: '/spec/replicas', value: 6 }] : { spec: { replicas: 7 } },
    });
  await twin.ask('scale as a table', {
    path: `${deployments}/d/scale`,
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
  });
  await twin.ask('delete scale', { method: 'DELETE', path: `${deployments}/d/scale` });
  await twin.ask('put status', {
    method: 'PUT',
    path: `${deployments}/d/status?fieldManager=statusputter`,
    body: {
      ...deployment({ selector, template: template([{ name: 'z', image: 'z' }]) }, { labels: { ignored: 'yes' } }),
      status: { observedGeneration: 3, replicas: 2, readyReplicas: 1 },
    },
  });
  await twin.ask('merge status', {
    method: 'PATCH',
    path: `${deployments}/d/status?fieldManager=statusmerger`,
    type: MERGE,
    body: { status: { readyReplicas: 0 }, spec: { replicas: 100 } },
  });
  await twin.ask('strategic status', {
    method: 'PATCH',
    path: `${deployments}/d/status`,
    type: STRATEGIC,
    body: { status: { conditions: [{ type: 'Progressing', status: 'True' }] } },
  });
  await twin.ask('post status', { method: 'POST', path: `${deployments}/d/status`, body: {} });
  await twin.ask('delete status', { method: 'DELETE', path: `${deployments}/d/status`, body: {} });
  await twin.ask('rollback is gone', { method: 'POST', path: `${deployments}/d/rollback`, body: {} });
  await twin.ask('strategic container', {
    method: 'PATCH',
    path: `${deployments}/d`,
    type: STRATEGIC,
    body: {
      spec: {
        template: {
          spec: {
            containers: [
              { name: 'a', image: 'new' },
              { name: 'b', $patch: 'delete' },
            ],
            $setElementOrderz: 1,
          },
        },
      },
    },
  });
  await twin.ask('strategic container without key', {
    method: 'PATCH',
    path: `${deployments}/d`,
    type: STRATEGIC,
    body: { spec: { template: { spec: { containers: [{ image: 'new' }] } } } },
  });
  await twin.ask('strategic order', {
    method: 'PATCH',
    path: `${deployments}/d`,
    type: STRATEGIC,
    body: {
      spec: {
        template: {
          spec: {
            '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }],
            containers: [{ name: 'c', image: 'c' }],
          },
        },
      },
    },
  });
  await twin.ask('delete the deployment', { method: 'DELETE', path: `${deployments}/d` });
}

async function deleting(twin: Twin, maps: string, namespace: string): Promise<void> {
  const make = (name: string, metadata: object = {}) =>
    twin.prepare({ method: 'POST', path: maps, body: configMap(name, { a: '1' }, metadata) });
  const remove = (label: string, name: string, body?: object, query = '') =>
    twin.ask(`delete ${label}`, {
      method: 'DELETE',
      path: `${maps}/${name}${query}`,
      ...(body !== undefined && { body }),
    });
  for (const name of ['x1', 'x2', 'x3', 'x4', 'x5', 'x6']) await make(name);
  await remove('dry', 'x1', undefined, '?dryRun=All');
  await remove('plainly', 'x1');
  await remove('again', 'x1');
  const bodies: [string, object][] = [
    ['uid wrong', { preconditions: { uid: '00000000-0000-0000-0000-000000000000' } }],
    ['revision wrong', { preconditions: { resourceVersion: '1' } }],
    ['both policies', { orphanDependents: true, propagationPolicy: 'Orphan' }],
    ['unknown policy', { propagationPolicy: 'Other' }],
    ['negative grace', { gracePeriodSeconds: -1 }],
    ['kind', { kind: 'DeleteOptions', apiVersion: 'v1', dryRun: ['All'] }],
    ['kind meta', { kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1', dryRun: ['All'] }],
    ['kind of group', { kind: 'DeleteOptions', apiVersion: 'apps/v1', dryRun: ['All'] }],
    ['wrong kind', { kind: 'Pod', apiVersion: 'v1' }],
    ['wrong version', { kind: 'DeleteOptions', apiVersion: 'v9' }],
    ['unknown field', { other: 1, dryRun: ['All'] }],
    ['dry other', { dryRun: ['Other'] }],
    ['dry twice', { dryRun: ['All', 'All'] }],
    ['grace text', { gracePeriodSeconds: 'x' }],
    ['ignore error', { ignoreStoreReadErrorWithClusterBreakingPotential: true }],
    [
      'ignore error with others',
      { ignoreStoreReadErrorWithClusterBreakingPotential: true, gracePeriodSeconds: 5, propagationPolicy: 'Orphan' },
    ],
  ];
  for (const [label, body] of bodies) {
    await remove(`with ${label}`, 'x2', body);
    await twin.ask(`delete collection with ${label}`, { method: 'DELETE', path: `${maps}?labelSelector=none`, body });
  }
  for (const query of [
    'gracePeriodSeconds=-5',
    'gracePeriodSeconds=x',
    'propagationPolicy=Other',
    'propagationPolicy=Orphan&orphanDependents=true',
    'orphanDependents=x',
    'orphanDependents=true&dryRun=All',
    'dryRun=Other',
    'ignoreStoreReadErrorWithClusterBreakingPotential=true',
    'ignoreStoreReadErrorWithClusterBreakingPotential=x',
  ])
    await remove(`by query ${query}`, 'x3', undefined, `?${query}`);
  await remove('by query and body', 'x3', { dryRun: ['All'] }, '?gracePeriodSeconds=5');
  await remove('foreground', 'x4', { propagationPolicy: 'Foreground' });
  await twin.ask('get while foreground', { path: `${maps}/x4` });
  await remove('foreground again', 'x4');
  await twin.ask('finish foreground', {
    method: 'PATCH',
    path: `${maps}/x4`,
    type: MERGE,
    body: { metadata: { finalizers: null } },
  });
  await twin.ask('gone after foreground', { path: `${maps}/x4` });
  await remove('orphan', 'x5', { propagationPolicy: 'Orphan' });
  await twin.ask('get while orphan', { path: `${maps}/x5` });
  await make('f', { finalizers: ['example.com/hold'] });
  await remove('held', 'f');
  await remove('held again', 'f');
  await twin.ask('add a finalizer while held', {
    method: 'PATCH',
    path: `${maps}/f`,
    type: MERGE,
    body: { metadata: { finalizers: ['example.com/hold', 'example.com/more'] } },
  });
  await twin.ask('change while held', { method: 'PATCH', path: `${maps}/f`, type: MERGE, body: { data: { b: '1' } } });
  await twin.ask('undelete', {
    method: 'PATCH',
    path: `${maps}/f`,
    type: MERGE,
    body: { metadata: { deletionTimestamp: null } },
  });
  await twin.ask('create while held', { method: 'POST', path: maps, body: configMap('f') });
  await twin.ask('let go by update', { method: 'PUT', path: `${maps}/f`, body: configMap('f') });
  await twin.ask('gone', { path: `${maps}/f` });
  await twin.ask(
    'delete collection dry',
    { method: 'DELETE', path: `${maps}?dryRun=All` },
    {
      reduce: ({ json }) => ({
        kind: json.kind,
        apiVersion: json.apiVersion,
        names: json.items?.map((one: any) => one.metadata.name),
      }),
      replace: [[/generated-[a-z0-9]{5}\b/g, 'generated-<random>']],
    },
  );
  await twin.ask('delete collection by label', { method: 'DELETE', path: `${maps}?labelSelector=x%3Dy` });
  await twin.ask('delete collection limited', { method: 'DELETE', path: `${maps}?limit=1&labelSelector=none` });
  await twin.ask('delete collection of everything', { method: 'DELETE', path: '/api/v1/configmaps?dryRun=All' });
  await twin.ask('delete collection of namespaces', { method: 'DELETE', path: '/api/v1/namespaces' });
  await twin.ask('delete collection of services', {
    method: 'DELETE',
    path: `/api/v1/namespaces/${namespace}/services?dryRun=All`,
  });
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  await twin.ask('create a pod', { method: 'POST', path: pods, body: pod('p') });
  await twin.ask('delete an unscheduled pod', { method: 'DELETE', path: `${pods}/p` });
  const bound = { spec: { nodeName: 'nowhere', terminationGracePeriodSeconds: 60 } };
  await twin.ask('create a bound pod', { method: 'POST', path: pods, body: pod('q', bound) });
  await twin.ask('delete a bound pod', { method: 'DELETE', path: `${pods}/q` });
  await twin.ask('delete it again', { method: 'DELETE', path: `${pods}/q` });
  await twin.ask('delete it sooner', { method: 'DELETE', path: `${pods}/q?gracePeriodSeconds=5` });
  await twin.ask('delete it later', { method: 'DELETE', path: `${pods}/q?gracePeriodSeconds=500` });
  await twin.ask('get a terminating pod as a table', {
    path: `${pods}/q`,
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  });
  await twin.ask('update a terminating pod', {
    method: 'PATCH',
    path: `${pods}/q`,
    type: MERGE,
    body: { metadata: { labels: { a: 'b' } } },
  });
  await twin.ask('create over a terminating pod', { method: 'POST', path: pods, body: pod('q') });
  await twin.ask('delete it now', { method: 'DELETE', path: `${pods}/q?gracePeriodSeconds=0` });
  await twin.ask('deleted', { path: `${pods}/q` });
  const other = `ending-${twin.run}`;
  await makeNamespace(twin, other);
  await twin.prepare({ method: 'POST', path: `/api/v1/namespaces/${other}/configmaps`, body: configMap('a') });
  await twin.ask('delete a namespace', { method: 'DELETE', path: `/api/v1/namespaces/${other}` });
  await twin.ask('get a terminating namespace', { path: `/api/v1/namespaces/${other}` });
  await twin.ask('create in a terminating namespace', {
    method: 'POST',
    path: `/api/v1/namespaces/${other}/configmaps`,
    body: configMap('b'),
  });
  await twin.ask('update in a terminating namespace', {
    method: 'PUT',
    path: `/api/v1/namespaces/${other}/configmaps/a`,
    body: configMap('a', { b: '1' }),
  });
  await twin.ask('delete it again', { method: 'DELETE', path: `/api/v1/namespaces/${other}` });
  await twin.ask('finalize something else', {
    method: 'PUT',
    path: `/api/v1/namespaces/${other}/finalize`,
    body: { metadata: { name: 'other' }, spec: {} },
  });
  await twin.ask('finalize without kind', {
    method: 'PUT',
    path: `/api/v1/namespaces/${other}/finalize`,
    body: { metadata: { name: other }, spec: { finalizers: [] } },
  });
  await twin.ask('delete it when finalized', { method: 'DELETE', path: `/api/v1/namespaces/${other}` });
  await twin.ask('get it when finalized', { path: `/api/v1/namespaces/${other}` });
  for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease'])
    await twin.ask(`delete ${name}`, { method: 'DELETE', path: `/api/v1/namespaces/${name}?dryRun=All` });
}
