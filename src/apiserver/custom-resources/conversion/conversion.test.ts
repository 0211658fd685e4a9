import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { WatchEvent } from '../../../api/transport.ts';
import { until } from '../../../base/testing/until.ts';
import { openMemoryStore } from '../../../store/memory/memory-store.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';
import {
  type Call,
  exposeService,
  localConnector,
  startWebhookServer,
  type WebhookServer,
} from '../../webhooks/testing/webhook-server.ts';

/** v1 says hostPort, v2 says host and port. */
function convert(object: any, apiVersion: string): any {
  if (apiVersion.endsWith('/v2')) {
    const { hostPort = ':', ...rest } = object;
    const [host, port] = hostPort.split(':');
    return { ...rest, apiVersion, host, port };
  }
  const { host, port, ...rest } = object;
  return { ...rest, apiVersion, hostPort: `${host}:${port}` };
}

const answer = ({ body }: Call, more: object = {}) => ({
  kind: 'ConversionReview',
  apiVersion: body.apiVersion,
  response: {
    uid: body.request.uid,
    result: { status: 'Success' },
    convertedObjects: body.request.objects.map((object: any) => convert(object, body.request.desiredAPIVersion)),
    ...more,
  },
});

describe('conversion of custom resources by webhook', () => {
  let test: TestServer;
  let hook: WebhookServer;
  const definitions = '/clusters/red/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const of = (version: string, name = '') =>
    `/clusters/red/apis/stable.example.com/${version}/namespaces/default/endpointses${name === '' ? '' : `/${name}`}`;
  const call = (method: string, path: string, body?: unknown, more: object = {}): Promise<any> =>
    test.transport.request({ method, path, body, ...more } as never);

  before(async () => {
    hook = await startWebhookServer(['hook.default.svc']);
    test = await startTestServer(openMemoryStore(), { tenants: ['red'] });
    test.server.setConnector(localConnector(() => hook.port));
    await exposeService(test.transport, 'red', 'default', 'hook');
    const text = { type: 'string' };
    const version = (name: string, properties: object) => ({
      name,
      served: true,
      storage: name === 'v1',
      selectableFields: name === 'v2' ? [{ jsonPath: '.host' }] : [],
      schema: { openAPIV3Schema: { type: 'object', properties } },
    });
    await call('POST', definitions, {
      metadata: { name: 'endpointses.stable.example.com' },
      spec: {
        group: 'stable.example.com',
        scope: 'Namespaced',
        names: { plural: 'endpointses', kind: 'Endpoint' },
        versions: [version('v1', { hostPort: text }), version('v2', { host: text, port: text })],
        conversion: {
          strategy: 'Webhook',
          webhook: {
            clientConfig: {
              service: { namespace: 'default', name: 'hook', path: '/convert' },
              caBundle: hook.caBundle,
            },
            conversionReviewVersions: ['v1', 'v1beta1'],
          },
        },
      },
    });
    for (;;) {
      const served = await call('GET', of('v2')).then(
        () => true,
        () => false,
      );
      if (served) break;
    }
  });
  after(async () => {
    await test.close();
    await hook.close();
  });
  beforeEach(() => {
    hook.calls.length = 0;
    hook.handlers['/convert'] = answer;
  });

  it('converts what is written and read, once a revision', async () => {
    const created = await call('POST', of('v2'), { metadata: { name: 'one' }, host: 'a', port: '1' });
    assert.deepEqual([created.apiVersion, created.host, created.port], ['stable.example.com/v2', 'a', '1']);
    assert.deepEqual(
      hook.calls.map(({ body }) => body.request.desiredAPIVersion),
      ['stable.example.com/v1', 'stable.example.com/v2'],
    );
    assert.equal(hook.calls[0]!.path, '/convert?timeout=30s');
    assert.equal(hook.calls[1]!.body.request.objects[0].metadata.clusterName, undefined);
    assert.equal((await call('GET', of('v1', 'one'))).hostPort, 'a:1');
    for (let n = 0; n < 3; n++) assert.equal((await call('GET', of('v2', 'one'))).host, 'a');
    assert.equal(hook.calls.length, 2);
    const patched = await call(
      'PATCH',
      of('v2', 'one'),
      { port: '2' },
      { contentType: 'application/merge-patch+json' },
    );
    assert.deepEqual([patched.host, patched.port, patched.metadata.generation], ['a', '2', 2]);
    assert.equal((await call('GET', of('v1', 'one'))).hostPort, 'a:2');
  });

  it('converts a list in one call, and what watches show once for all', async () => {
    for (const name of ['l-1', 'l-2', 'l-3']) {
      await call('POST', of('v1'), { metadata: { name, labels: { of: 'list' } }, hostPort: `${name}:80` });
    }
    assert.equal(hook.calls.length, 0, 'v1 is stored as it is');
    const list = await call('GET', of('v2'), undefined, { query: { fieldSelector: 'host=l-2' } });
    assert.deepEqual(
      list.items.map((item: any) => [item.apiVersion, item.host]),
      [['stable.example.com/v2', 'l-2']],
    );
    const { resourceVersion } = list.metadata;
    assert.equal(hook.calls.length, 1);
    assert.ok(hook.calls[0]!.body.request.objects.length >= 3);
    hook.calls.length = 0;

    const stop = new AbortController();
    const seen: WatchEvent[][] = [[], [], []];
    const watches = seen.map((events, index) =>
      test.transport.watch({
        path: of('v2'),
        query: { resourceVersion, ...(index === 2 && { fieldSelector: 'host=b' }) },
        signal: stop.signal,
        onEvents: (given) => events.push(...given),
      }),
    );
    await call('PUT', of('v1', 'l-1'), { ...(await call('GET', of('v1', 'l-1'))), hostPort: 'b:1' });
    await call('PUT', of('v1', 'l-1'), { ...(await call('GET', of('v1', 'l-1'))), hostPort: 'c:1' });
    await call('DELETE', of('v1', 'l-2'));
    await until(() => seen[0]!.length === 3 && seen[1]!.length === 3 && seen[2]!.length === 2);
    const shown = (events: WatchEvent[]) => events.map(({ type, object }) => [type, object.apiVersion, object['host']]);
    assert.deepEqual(shown(seen[0]!), [
      ['MODIFIED', 'stable.example.com/v2', 'b'],
      ['MODIFIED', 'stable.example.com/v2', 'c'],
      ['DELETED', 'stable.example.com/v2', 'l-2'],
    ]);
    assert.deepEqual(shown(seen[1]!), shown(seen[0]!));
    assert.deepEqual(shown(seen[2]!), [
      ['ADDED', 'stable.example.com/v2', 'b'],
      ['DELETED', 'stable.example.com/v2', 'b'],
    ]);
    const asked = hook.calls.flatMap(({ body }) =>
      body.request.objects.map((one: any) => one.metadata.resourceVersion),
    );
    assert.equal(asked.length, new Set(asked).size, 'no revision is converted twice');
    stop.abort();
    await Promise.all(watches);
  });

  it('knows whose a field is in the version of its manager', async () => {
    const apply = (version: string, manager: string, fields: object, more = '') =>
      call(
        'PATCH',
        of(version, 'owned'),
        { apiVersion: `stable.example.com/${version}`, kind: 'Endpoint', metadata: { name: 'owned' }, ...fields },
        {
          contentType: 'application/apply-patch+yaml',
          query: { fieldManager: manager, ...(more !== '' && { force: more }) },
        },
      );
    const fieldsOf = ({ metadata }: any) =>
      metadata.managedFields.map(({ manager, apiVersion, fieldsV1 }: any) =>
        [manager, apiVersion.split('/')[1], ...Object.keys(fieldsV1)].join(' '),
      );
    await apply('v1', 'old', { hostPort: 'a:1' });
    await assert.rejects(apply('v2', 'new', { host: 'b' }), { code: 409, message: /conflict with "old": \.hostPort$/ });
    // Agreement is no conflict, and takes nothing away.
    const agreed = await apply('v2', 'new', { host: 'a' });
    assert.deepEqual(fieldsOf(agreed).sort(), ['new v2 f:host', 'old v1 f:hostPort']);
    assert.deepEqual([agreed.host, agreed.port], ['a', '1']);
    const forced = await apply('v2', 'new', { host: 'b' }, 'true');
    assert.deepEqual(fieldsOf(forced), ['new v2 f:host']);
    await assert.rejects(apply('v1', 'old', { hostPort: 'a:1' }), { message: /conflict with "new": \.host$/ });
    // Updates take what they change, in whatever version it was someone's.
    const sent = { contentType: 'application/merge-patch+json', query: { fieldManager: 'editor' } };
    const edited = await call('PATCH', of('v1', 'owned'), { hostPort: 'c:1' }, sent);
    assert.deepEqual(fieldsOf(edited), ['editor v1 f:hostPort']);
    // Who applies in another version than before owns what is said now.
    await apply('v1', 'old', { hostPort: 'd:1' }, 'true');
    const moved = await apply('v2', 'old', { host: 'd' });
    assert.deepEqual(fieldsOf(moved), ['old v2 f:host']);
    // And lets go of all metadata it had.
    const metadata = { name: 'owned', labels: { a: 'b' } };
    await apply('v2', 'old', { host: 'd', metadata });
    const bare = await apply('v1', 'old', { hostPort: 'd:1' });
    assert.deepEqual([fieldsOf(bare), bare.metadata.labels], [['old v1 f:hostPort'], undefined]);
    await apply('v2', 'old', { host: 'd' });
    // A webhook that fails is an error to who applies; who updates rather leaves fields to nobody.
    hook.handlers['/convert'] = () => 'down';
    await assert.rejects(apply('v1', 'third', { hostPort: 'd:1' }), { code: 500 });
    const unowned = await call('PATCH', of('v1', 'owned'), { hostPort: 'e:1' }, sent);
    assert.equal(unowned.metadata.managedFields, undefined);
  });

  it('says in upstream’s words what a webhook may not do', async () => {
    await call('POST', of('v1'), { metadata: { name: 'bad' }, hostPort: 'a:1' });
    const of1 = 'conversion webhook for stable.example.com/v1, Kind=Endpoint';
    const fails = (handler: (one: Call) => unknown, message: string | RegExp) => {
      hook.handlers['/convert'] = handler;
      return assert.rejects(call('GET', of('v2', 'bad')), { code: 500, message });
    };
    const changed = (change: (object: any) => object) => (one: Call) =>
      answer(one, {
        convertedObjects: one.body.request.objects.map((object: any) =>
          change(convert(object, one.body.request.desiredAPIVersion)),
        ),
      });
    await fails((one) => answer(one, { result: { status: 'Failed', message: 'no way' } }), `${of1} failed: no way`);
    await fails((one) => answer(one, { result: {} }), `${of1} failed: response.result.status was '', not 'Success'`);
    await fails((one) => answer(one, { uid: 'x' }), /failed: expected response.uid=".*", got "x"$/);
    await fails((one) => answer(one, { convertedObjects: [] }), `${of1} returned 0 objects, expected 1`);
    await fails(
      () => ({}),
      /failed: expected webhook response of apiextensions.k8s.io\/v1, Kind=ConversionReview, got , Kind=$/,
    );
    await fails(
      changed((object) => ({ ...object, apiVersion: 'other/v1' })),
      `${of1} returned invalid converted object at index 0: invalid groupVersion (expected stable.example.com/v2, received other/v1)`,
    );
    await fails(
      changed((object) => ({ ...object, metadata: { ...object.metadata, name: 'other' } })),
      /must have the same name: bad != other$/,
    );
    await fails(
      changed(({ metadata: _metadata, ...object }) => object),
      /must have the same name: bad != $/,
    );
    await fails(
      changed((object) => ({ ...object, metadata: { ...object.metadata, labels: { a: 1 } } })),
      /metadata.labels\[a\] must be a string/,
    );
    hook.handlers['/convert'] = changed((object) => ({
      ...object,
      lost: true,
      metadata: { ...object.metadata, labels: { new: 'label' }, finalizers: ['sneaked.in/x'], generation: 99 },
    }));
    const { metadata, lost } = await call('GET', of('v2', 'bad'));
    assert.deepEqual(
      [metadata.labels, metadata.finalizers, metadata.generation, lost],
      [{ new: 'label' }, undefined, 1, undefined],
    );
    delete hook.handlers['/convert'];
    await assert.rejects(call('POST', of('v2'), { metadata: { name: 'x' } }), {
      message:
        'conversion webhook for stable.example.com/v2, Kind=Endpoint failed: the server could not find the requested resource',
    });
  });

  it('rewrites under the version stored now, ends watches of the old form, and can be deleted without its webhook', async () => {
    await call('POST', of('v1'), { metadata: { name: 'old' }, hostPort: 'a:1' });
    const crd = await call('GET', `${definitions}/endpointses.stable.example.com`);
    let begun = () => {};
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    const ended = test.transport.watch({
      path: of('v1'),
      signal: new AbortController().signal,
      onEvents: () => begun(),
    });
    await hasBegun;
    const versions = crd.spec.versions.map((version: any) => ({ ...version, storage: version.name === 'v2' }));
    await call('PUT', `${definitions}/endpointses.stable.example.com`, { ...crd, spec: { ...crd.spec, versions } });
    await ended;
    hook.calls.length = 0;
    const before = await call('GET', of('v1', 'old'));
    assert.equal(hook.calls.length, 0, 'it is stored in v1 still');
    await call('PUT', of('v1', 'old'), before);
    const now = await call('GET', of('v1', 'old'));
    assert.notEqual(now.metadata.resourceVersion, before.metadata.resourceVersion);
    hook.calls.length = 0;
    assert.equal((await call('GET', of('v2', 'old'))).host, 'a');
    assert.equal(hook.calls.length, 0, 'it is stored in v2');
    await call('PUT', of('v1', 'old'), now);
    assert.equal((await call('GET', of('v1', 'old'))).metadata.resourceVersion, now.metadata.resourceVersion);
    delete hook.handlers['/convert'];
    await call('DELETE', `${definitions}/endpointses.stable.example.com`);
    const definition = () => call('GET', `${definitions}/endpointses.stable.example.com`);
    await until(async () => (await definition().catch(({ code }) => code === 404)) === true);
  });
});
