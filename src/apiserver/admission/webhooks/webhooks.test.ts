import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { ApiRequest } from '../../../api/transport.ts';
import { openMemoryStore } from '../../../store/memory/memory-store.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';
import {
  type Call,
  exposeService,
  localConnector,
  RawAnswer,
  startWebhookServer,
  type WebhookServer,
} from '../../webhooks/testing/webhook-server.ts';

const configurations = '/apis/admissionregistration.k8s.io/v1';
const patchOf = (operations: object[]) => Buffer.from(JSON.stringify(operations)).toString('base64');
const review = ({ body }: Call, response: object) => ({
  kind: 'AdmissionReview',
  apiVersion: body.apiVersion,
  response: { uid: body.request.uid, ...response },
});
const allow = (call: Call) => review(call, { allowed: true });
const patching = (operations: object[]) => (call: Call) =>
  review(call, { allowed: true, patchType: 'JSONPatch', patch: patchOf(operations) });

describe('admission webhooks', () => {
  let test: TestServer;
  let hook: WebhookServer;
  before(async () => {
    hook = await startWebhookServer(['hook.default.svc']);
    test = await startTestServer(openMemoryStore(), { tenants: ['red', 'blue'] });
    test.server.setConnector(localConnector(() => hook.port));
    await exposeService(test.transport, 'red', 'default', 'hook');
  });
  after(async () => {
    await test.close();
    await hook.close();
  });
  afterEach(async () => {
    for (const resource of ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations']) {
      await call('DELETE', `/clusters/red${configurations}/${resource}`);
    }
    hook.calls.length = 0;
    for (const path of Object.keys(hook.handlers)) delete hook.handlers[path];
  });

  const call = (
    method: string,
    path: string,
    body?: unknown,
    more: Pick<ApiRequest, 'query' | 'contentType'> = {},
  ): Promise<any> => test.transport.request({ method, path, body, ...more } as never);
  const maps = (name = '', tenant = 'red') =>
    `/clusters/${tenant}/api/v1/namespaces/default/configmaps${name === '' ? '' : `/${name}`}`;
  const webhook = (path: string, more: object = {}) => ({
    name: `${path.slice(1)}.example.com`,
    clientConfig: { service: { namespace: 'default', name: 'hook', path }, caBundle: hook.caBundle },
    rules: [{ operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }],
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    ...more,
  });
  const configure = (kind: 'Mutating' | 'Validating', ...webhooks: object[]) =>
    call('POST', `/clusters/red${configurations}/${kind.toLowerCase()}webhookconfigurations`, {
      metadata: { name: `test-${Math.random().toString(36).slice(2)}` },
      webhooks,
    });

  it('asks with the whole request, from the very next write on', async () => {
    hook.handlers['/see'] = allow;
    await configure('Validating', webhook('/see'));
    const created = await call(
      'POST',
      maps(),
      { metadata: { name: 'one' }, data: { a: '1' } },
      { query: { fieldManager: 'me' } },
    );
    const { path, body } = hook.calls[0]!;
    assert.equal(path, '/see?timeout=10s');
    const { uid, object, ...rest } = body.request;
    assert.match(uid, /^[0-9a-f-]{36}$/);
    assert.deepEqual(rest, {
      kind: { group: '', version: 'v1', kind: 'ConfigMap' },
      resource: { group: '', version: 'v1', resource: 'configmaps' },
      requestKind: { group: '', version: 'v1', kind: 'ConfigMap' },
      requestResource: { group: '', version: 'v1', resource: 'configmaps' },
      name: 'one',
      namespace: 'default',
      operation: 'CREATE',
      userInfo: { username: 'test', groups: ['skypod:platform', 'system:masters', 'system:authenticated'] },
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1', fieldManager: 'me' },
    });
    assert.deepEqual([object.kind, object.data, object.metadata.uid], ['ConfigMap', { a: '1' }, created.metadata.uid]);

    await call('PATCH', maps('one'), { data: { b: '2' } }, { contentType: 'application/merge-patch+json' });
    await call('DELETE', maps('one'), { kind: 'DeleteOptions', propagationPolicy: 'Background' });
    const [, update, remove] = hook.calls.map((one) => one.body.request);
    assert.deepEqual(
      [update.operation, update.object.data, update.oldObject.data],
      ['UPDATE', { a: '1', b: '2' }, { a: '1' }],
    );
    assert.equal(update.oldObject.metadata.clusterName, undefined);
    assert.equal(update.options.kind, 'UpdateOptions');
    assert.deepEqual([remove.operation, remove.object, remove.oldObject.data], ['DELETE', null, { a: '1', b: '2' }]);
    assert.equal(remove.options.propagationPolicy, 'Background');

    await call('POST', maps('', 'blue'), { metadata: { name: 'one' } });
    assert.equal(hook.calls.length, 3, 'another tenant is another cluster');
  });

  it('denies in upstream’s words, with the webhook’s code and reason', async () => {
    await configure('Validating', webhook('/deny'));
    const create = () => call('POST', maps(), { metadata: { name: 'denied' } });
    const says = async (status: object | undefined, expected: object) => {
      hook.handlers['/deny'] = (one) => review(one, { allowed: false, status });
      await assert.rejects(create(), expected);
    };
    const by = 'admission webhook "deny.example.com" denied the request';
    await says(undefined, { code: 400, message: `${by} without explanation` });
    await says({ message: 'no such luck', code: 200 }, { code: 400, message: `${by}: no such luck` });
    await says({ reason: 'Forbidden', code: 403 }, { code: 403, reason: 'Forbidden', message: `${by}: Forbidden` });
    await says({ message: 'm', details: { causes: [{ message: 'c' }] } }, { details: { causes: [{ message: 'c' }] } });
    await assert.rejects(call('GET', maps('denied')), { code: 404 });
  });

  it('fails closed or open', async () => {
    const create = (name: string) => call('POST', maps(), { metadata: { name } });
    await configure('Validating', webhook('/gone'));
    await assert.rejects(create('x'), {
      code: 500,
      reason: 'InternalError',
      message:
        'Internal error occurred: failed calling webhook "gone.example.com": failed to call webhook: the server could not find the requested resource',
    });
    hook.handlers['/gone'] = (one) => ({
      ...review(one, { allowed: true }),
      response: { uid: 'other', allowed: true },
    });
    await assert.rejects(create('x'), /received invalid webhook response: expected response.uid="[^"]+", got "other"$/);
    hook.handlers['/gone'] = () => ({ kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1' });
    await assert.rejects(create('x'), /received invalid webhook response: webhook response was absent$/);
    hook.handlers['/gone'] = patching([{ op: 'add', path: '/data', value: {} }]);
    await assert.rejects(create('x'), /validating webhook may not return response.patch$/);
    hook.handlers['/gone'] = () => new RawAnswer(500, 'oh');
    await assert.rejects(create('x'), /failed to call webhook: an error on the server \("oh"\)/);
    hook.handlers['/gone'] = () => new Promise(() => {});
    const slow = { ...webhook('/gone'), name: 'slow.example.com', timeoutSeconds: 1 };
    await call('DELETE', `/clusters/red${configurations}/validatingwebhookconfigurations`);
    await configure('Validating', slow);
    await assert.rejects(create('x'), /"https:\/\/hook.default.svc:443\/gone\?timeout=1s": context deadline exceeded$/);
    await call('DELETE', `/clusters/red${configurations}/validatingwebhookconfigurations`);
    await configure(
      'Validating',
      { ...slow, failurePolicy: 'Ignore' },
      webhook('/nothing', { failurePolicy: 'Ignore' }),
    );
    await create('open');
  });

  it('mutates in order, fills in defaults again, and drops what no schema knows', async () => {
    hook.handlers['/first'] = patching([
      { op: 'add', path: '/spec/initContainers', value: [{ name: 'added', image: 'a' }] },
    ]);
    hook.handlers['/second'] = (one) => {
      assert.equal(one.body.request.object.spec.initContainers[0].terminationMessagePolicy, 'File');
      return patching([{ op: 'add', path: '/spec/unknown', value: 1 }])(one);
    };
    const rules = [{ operations: ['CREATE'], apiGroups: ['*'], apiVersions: ['*'], resources: ['pods'] }];
    await configure('Mutating', webhook('/first', { rules }), webhook('/second', { rules }));
    const pod = await call('POST', '/clusters/red/api/v1/namespaces/default/pods', {
      metadata: { name: 'mutated' },
      spec: { containers: [{ name: 'main', image: 'b' }] },
    });
    assert.equal(pod.spec.initContainers[0].terminationMessagePolicy, 'File');
    assert.equal(pod.spec.initContainers[0].volumeMounts.length, 1, 'in-tree plug-ins go again');
    assert.equal(pod.spec.unknown, undefined);
    hook.handlers['/first'] = patching([{ op: 'remove', path: '/spec/nothing' }]);
    const next = { metadata: { name: 'next' }, spec: { containers: [{ name: 'main', image: 'b' }] } };
    await assert.rejects(call('POST', '/clusters/red/api/v1/namespaces/default/pods', next), {
      code: 500,
      message: /^Internal error occurred: .*nonexistent key: nothing/,
    });
  });

  it('asks those again that want to know what came after them', async () => {
    hook.handlers['/early'] = (one) =>
      one.body.request.object.data?.late === undefined
        ? allow(one)
        : patching([{ op: 'add', path: '/data/seen', value: 'yes' }])(one);
    hook.handlers['/once'] = allow;
    hook.handlers['/late'] = patching([{ op: 'add', path: '/data/late', value: '1' }]);
    await configure(
      'Mutating',
      webhook('/early', { reinvocationPolicy: 'IfNeeded' }),
      webhook('/once'),
      webhook('/late'),
    );
    const map = await call('POST', maps(), { metadata: { name: 'again' }, data: { own: '0' } });
    assert.deepEqual(map.data, { own: '0', late: '1', seen: 'yes' });
    assert.deepEqual(
      hook.calls.map(({ path }) => path.split('?')[0]),
      ['/early', '/once', '/late', '/early'],
    );
  });

  it('matches by rules, scope, selectors and subresource', async () => {
    hook.handlers['/m'] = allow;
    const seen = async (more: object, write: () => Promise<unknown>) => {
      await call('DELETE', `/clusters/red${configurations}/validatingwebhookconfigurations`);
      await configure('Validating', webhook('/m', more));
      hook.calls.length = 0;
      await write();
      return hook.calls.length;
    };
    let n = 0;
    const create = (labels = {}) => call('POST', maps(), { metadata: { name: `m-${n++}`, labels } });
    const rule = (more: object) => ({
      rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['*'], ...more }],
    });
    assert.equal(await seen(rule({}), create), 1);
    assert.equal(await seen(rule({ operations: ['UPDATE', 'DELETE'] }), create), 0);
    assert.equal(await seen(rule({ apiGroups: ['apps'] }), create), 0);
    assert.equal(await seen(rule({ apiVersions: ['v2'] }), create), 0);
    assert.equal(await seen(rule({ resources: ['pods', 'pods/*'] }), create), 0);
    assert.equal(await seen(rule({ scope: 'Cluster' }), create), 0);
    assert.equal(await seen(rule({ scope: 'Namespaced' }), create), 1);
    assert.equal(await seen({ objectSelector: { matchLabels: { a: 'b' } } }, create), 0);
    assert.equal(await seen({ objectSelector: { matchLabels: { a: 'b' } } }, () => create({ a: 'b' })), 1);
    const inDefault = { matchLabels: { 'kubernetes.io/metadata.name': 'default' } };
    const elsewhere = { matchLabels: { 'kubernetes.io/metadata.name': 'elsewhere' } };
    assert.equal(await seen({ namespaceSelector: inDefault }, create), 1);
    assert.equal(await seen({ namespaceSelector: elsewhere }, create), 0);
    const namespace =
      (name: string, labels = {}) =>
      () =>
        call('POST', '/clusters/red/api/v1/namespaces', { metadata: { name, labels } });
    assert.equal(
      await seen({ ...rule({ scope: 'Cluster' }), namespaceSelector: { matchLabels: { x: 'y' } } }, namespace('n-one')),
      0,
    );
    assert.equal(
      await seen(
        { ...rule({ scope: 'Cluster' }), namespaceSelector: { matchLabels: { x: 'y' } } },
        namespace('n-two', { x: 'y' }),
      ),
      1,
    );
    const review = () =>
      call('POST', '/clusters/red/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
        spec: { resourceAttributes: { verb: 'get', resource: 'pods' } },
      });
    assert.equal(await seen(rule({ apiGroups: ['*'], resources: ['selfsubjectaccessreviews'] }), review), 1);
    const all = { rules: [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'] }] };
    const remove = () => call('DELETE', `/clusters/red${configurations}/validatingwebhookconfigurations`);
    assert.equal(await seen(all, remove), 0, 'configurations are not asked about');
  });

  it('shows a subresource in its own kind', async () => {
    hook.handlers['/s'] = allow;
    await call('POST', '/clusters/red/apis/apps/v1/namespaces/default/deployments', {
      metadata: { name: 'scaled' },
      spec: {
        replicas: 1,
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    });
    const rules = [
      { operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/scale', '*/token', 'pods/exec'] },
    ];
    await configure('Validating', webhook('/s', { rules }));
    const path = '/clusters/red/apis/apps/v1/namespaces/default/deployments/scaled/scale';
    await call('PATCH', path, { spec: { replicas: 3 } }, { contentType: 'application/merge-patch+json' });
    const { kind, subResource, requestKind, object, oldObject, resource } = hook.calls[0]!.body.request;
    assert.deepEqual(kind, { group: 'autoscaling', version: 'v1', kind: 'Scale' });
    assert.deepEqual([requestKind, subResource, resource.resource], [kind, 'scale', 'deployments']);
    assert.deepEqual([object.kind, object.spec.replicas, oldObject.spec.replicas], ['Scale', 3, 1]);
    await call('POST', '/clusters/red/api/v1/namespaces/default/serviceaccounts/default/token', { spec: {} });
    assert.equal(hook.calls[1]!.body.request.kind.kind, 'TokenRequest');
    hook.handlers['/s'] = (one) => review(one, { allowed: false, status: { message: 'attaching is not allowed' } });
    const exec = '/clusters/red/api/v1/namespaces/default/pods/hook-0/exec';
    await assert.rejects(
      call('GET', exec, undefined, { query: { command: 'ls', stdout: 'true' } }),
      /attaching is not allowed/,
    );
    const connect = hook.calls.at(-1)!.body.request;
    assert.deepEqual([connect.operation, connect.name, connect.options], ['CONNECT', 'hook-0', null]);
    assert.deepEqual(connect.object, { kind: 'PodExecOptions', apiVersion: 'v1', stdout: true, command: ['ls'] });
    hook.handlers['/s'] = patching([{ op: 'add', path: '/tty', value: true }]);
    await call('DELETE', `/clusters/red${configurations}/validatingwebhookconfigurations`);
    await configure('Mutating', webhook('/s', { rules }));
    await assert.rejects(call('GET', exec, undefined, { query: { command: 'ls', stdout: 'true' } }), {
      message: /does not have a host assigned/,
    });
    await call('DELETE', `/clusters/red${configurations}/mutatingwebhookconfigurations`);
    hook.handlers['/s'] = patching([{ op: 'replace', path: '/spec/replicas', value: 7 }]);
    await call('DELETE', `/clusters/red${configurations}/validatingwebhookconfigurations`);
    await configure('Mutating', webhook('/s', { rules }));
    const scaled = await call(
      'PATCH',
      path,
      { spec: { replicas: 4 } },
      { contentType: 'application/merge-patch+json' },
    );
    assert.equal(scaled.spec.replicas, 7);
  });

  it('matches equivalent APIs, in their form', async () => {
    hook.handlers['/e'] = allow;
    const rules = [
      {
        operations: ['CREATE'],
        apiGroups: ['autoscaling'],
        apiVersions: ['v2'],
        resources: ['horizontalpodautoscalers'],
      },
    ];
    const create = (name: string) =>
      call('POST', '/clusters/red/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers', {
        metadata: { name },
        spec: {
          maxReplicas: 3,
          scaleTargetRef: { kind: 'Deployment', name: 'x', apiVersion: 'apps/v1' },
          targetCPUUtilizationPercentage: 50,
        },
      });
    await configure('Validating', webhook('/e', { rules, matchPolicy: 'Exact' }));
    await create('exact');
    assert.equal(hook.calls.length, 0);
    await configure('Validating', webhook('/e', { rules }));
    await create('equivalent');
    const { kind, requestKind, object } = hook.calls[0]!.body.request;
    assert.deepEqual([kind.version, requestKind.version, object.apiVersion], ['v2', 'v1', 'autoscaling/v2']);
    assert.equal(object.spec.metrics[0].resource.target.averageUtilization, 50);
    await call('DELETE', `/clusters/red${configurations}/validatingwebhookconfigurations`);
    hook.handlers['/e'] = patching([{ op: 'replace', path: '/spec/maxReplicas', value: 9 }]);
    await configure('Mutating', webhook('/e', { rules }));
    const mutated = await create('mutated');
    assert.deepEqual(
      [mutated.apiVersion, mutated.spec.maxReplicas, mutated.spec.targetCPUUtilizationPercentage],
      ['autoscaling/v1', 9, 50],
    );
  });

  it('looks at conditions', async () => {
    hook.handlers['/c'] = (one) => review(one, { allowed: false });
    const matchConditions = [{ name: 'not-me', expression: "object.metadata.name != 'skip-me'" }];
    await configure('Validating', webhook('/c', { matchConditions }));
    await call('POST', maps(), { metadata: { name: 'skip-me' } });
    await assert.rejects(call('POST', maps(), { metadata: { name: 'not-skipped' } }), /denied the request/);
  });

  it('is asked on a dry run only when that does nothing', async () => {
    hook.handlers['/d'] = allow;
    await configure('Validating', webhook('/d', { sideEffects: 'NoneOnDryRun' }));
    await call('POST', maps(), { metadata: { name: 'dry' } }, { query: { dryRun: 'All' } });
    assert.equal(hook.calls[0]!.body.request.dryRun, true);
    assert.deepEqual(hook.calls[0]!.body.request.options.dryRun, ['All']);
  });

  it('speaks v1beta1 too', async () => {
    hook.handlers['/b'] = (one) => ({
      response: {
        allowed: true,
        patch: patchOf([{ op: 'add', path: '/data', value: { [one.body.apiVersion.split('/')[1]]: 'x' } }]),
      },
    });
    await configure('Mutating', webhook('/b', { admissionReviewVersions: ['v1beta1', 'v1'] }));
    assert.deepEqual((await call('POST', maps(), { metadata: { name: 'beta' } })).data, { v1beta1: 'x' });
  });

  it('may not make a kind of something else than text', async () => {
    hook.handlers['/k'] = patching([{ op: 'replace', path: '/kind', value: { toString: null } }]);
    await configure('Mutating', webhook('/k'));
    await assert.rejects(call('POST', maps(), { metadata: { name: 'odd' } }), {
      code: 500,
      message: /: json: cannot unmarshal object into Go struct field \.kind of type string$/,
    });
  });

  it('asks about each object of a deleted collection', async () => {
    for (const name of ['c-1', 'c-2']) await call('POST', maps(), { metadata: { name, labels: { of: 'collection' } } });
    hook.handlers['/x'] = allow;
    await configure('Validating', webhook('/x'));
    await call('DELETE', maps(), undefined, { query: { labelSelector: 'of=collection' } });
    assert.deepEqual(
      hook.calls.map(({ body }) => body.request.oldObject.metadata.name),
      ['c-1', 'c-2'],
    );
  });

  it('lets no webhook change what is being deleted', async () => {
    await call('POST', maps(), { metadata: { name: 'kept' } });
    hook.handlers['/p'] = patching([{ op: 'add', path: '/x', value: 1 }]);
    await configure('Mutating', webhook('/p'));
    await assert.rejects(
      call('DELETE', maps('kept')),
      /attempted to modify the object, which is not supported for this operation/,
    );
  });

  it('prunes and fills in custom resources after a patch', async () => {
    await call('POST', '/clusters/red/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
      metadata: { name: 'things.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { plural: 'things', kind: 'Thing' },
        versions: ['v1', 'v2'].map((name) => ({
          name,
          served: true,
          storage: name === 'v2',
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                data: { type: 'object', properties: { a: { type: 'string' }, size: { type: 'integer', default: 5 } } },
              },
            },
          },
        })),
      },
    });
    const things = '/clusters/red/apis/example.com/v1/namespaces/default/things';
    for (;;) {
      const served = await call('GET', things).then(
        () => true,
        () => false,
      );
      if (served) break;
    }
    hook.handlers['/t'] = patching([{ op: 'add', path: '/data', value: { a: 'patched', lost: 1 } }]);
    const rules = [{ operations: ['CREATE'], apiGroups: ['example.com'], apiVersions: ['v2'], resources: ['things'] }];
    await configure('Mutating', webhook('/t', { rules }));
    const thing = await call('POST', things, { metadata: { name: 'one' } });
    assert.equal(hook.calls[0]!.body.request.object.apiVersion, 'example.com/v2');
    assert.deepEqual(thing.data, { a: 'patched', size: 5 });
    assert.equal(thing.apiVersion, 'example.com/v1');
  });
});
