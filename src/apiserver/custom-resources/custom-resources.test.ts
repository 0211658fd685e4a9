import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Transport } from '../../api/transport.ts';
import { until } from '../../base/testing/until.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

function cronTabs(more: object = {}, schema: object = {}) {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'crontabs.stable.example.com' },
    spec: {
      group: 'stable.example.com',
      scope: 'Namespaced',
      names: { plural: 'crontabs', kind: 'CronTab', shortNames: ['ct'] },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          subresources: {
            status: {},
            scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
          },
          selectableFields: [{ jsonPath: '.spec.image' }],
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: {
                  type: 'object',
                  required: ['image'],
                  properties: {
                    image: { type: 'string', pattern: '^[a-z]+$' },
                    replicas: { type: 'integer', minimum: 0, maximum: 10, default: 1 },
                    port: { 'x-kubernetes-int-or-string': true },
                    ...schema,
                  },
                },
                status: { type: 'object', properties: { replicas: { type: 'integer' } } },
              },
            },
          },
        },
      ],
      ...more,
    },
  };
}

describe('custom resources', () => {
  let test: TestServer;
  before(async () => {
    test = await startTestServer(openMemoryStore(), { tenants: ['red', 'blue'] });
  });
  after(() => test.close());

  const call = (method: string, path: string, body?: unknown, contentType?: string): Promise<any> =>
    (test.transport as Transport).request({ method, path, body, contentType } as never);
  const of = (tenant: string, name = '') =>
    `/clusters/${tenant}/apis/stable.example.com/v1/namespaces/default/crontabs${name === '' ? '' : `/${name}`}`;
  const established = async (tenant: string, name = 'crontabs.stable.example.com') => {
    let crd: any;
    await until(async () => {
      crd = await call('GET', `/clusters/${tenant}${definitions}/${name}`);
      return crd.status?.conditions?.some((one: any) => one.type === 'Established' && one.status === 'True');
    });
    return crd;
  };

  it('serves what a tenant defines, to that tenant alone', async () => {
    await assert.rejects(call('GET', of('red')), { code: 404 });
    const created = await call('POST', `/clusters/red${definitions}`, cronTabs());
    assert.deepEqual(created.status, {
      conditions: [],
      acceptedNames: { plural: '', kind: '' },
      storedVersions: ['v1'],
    });
    const crd = await established('red');
    assert.deepEqual(
      crd.status.conditions.map(({ type, status, reason, message }: any) => [type, status, reason, message]),
      [
        ['NamesAccepted', 'True', 'NoConflicts', 'no conflicts found'],
        ['Established', 'True', 'InitialNamesAccepted', 'the initial names have been accepted'],
      ],
    );
    const path = `/clusters/red${definitions}/${crd.metadata.name}/status`;
    const emptied = await call('PATCH', path, { status: { storedVersions: [] } }, 'application/merge-patch+json');
    assert.deepEqual(emptied.status.storedVersions, ['v1']);
    const object = await call('POST', of('red'), {
      metadata: { name: 'one' },
      spec: { image: 'busybox', lost: 1, port: 'http' },
      status: { replicas: 3 },
    });
    assert.deepEqual(object.spec, { image: 'busybox', port: 'http', replicas: 1 });
    assert.equal(object.status, undefined);
    assert.equal(object.metadata.generation, 1);
    assert.equal((await call('GET', of('red', 'one'))).spec.replicas, 1);
    await assert.rejects(call('GET', of('blue')), { code: 404 });
  });

  it('holds values to the schema in upstream words', async () => {
    await assert.rejects(
      call('POST', of('red'), { metadata: { name: 'bad' }, spec: { image: 'A', replicas: 11, port: true } }),
      (error: any) => {
        assert.equal(error.code, 422);
        assert.deepEqual(
          error.details.causes.map(({ field, message, reason }: any) => `${field} ${reason} ${message}`),
          [
            'spec.image FieldValueInvalid Invalid value: "A": spec.image in body should match \'^[a-z]+$\'',
            'spec.replicas FieldValueInvalid Invalid value: 11: spec.replicas in body should be less than or equal to 10',
            'spec.port FieldValueTypeInvalid Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"',
          ],
        );
        return true;
      },
    );
    await assert.rejects(call('POST', of('red'), { metadata: { name: 'bad' }, spec: {} }), {
      message: 'CronTab.stable.example.com "bad" is invalid: spec.image: Required value',
    });
  });

  it('finds out where the paths of a scale lead, and says that rules wait for the rest to be right', async () => {
    const rules = [{ rule: 'self.image != "x"' }];
    const definition = cronTabs({ group: 'ruled.example.com' });
    const { schema } = definition.spec.versions[0]!;
    Object.assign(schema.openAPIV3Schema.properties.spec, { 'x-kubernetes-validations': rules });
    const name = 'crontabs.ruled.example.com';
    await call('POST', `/clusters/red${definitions}`, { ...definition, metadata: { name } });
    await established('red', name);
    const path = of('red').replace('stable', 'ruled');
    const causes = (body: object) =>
      call('POST', path, body).then(
        () => [],
        (error: any) => error.details.causes.map(({ field, message }: any) => `${field} ${message}`),
      );
    const unchecked =
      '<nil> Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
    assert.deepEqual(await causes({ metadata: { name: 'a' }, spec: [1, { b: null }] }), [
      'spec Invalid value: "array": spec in body must be of type object: "array"',
      '.spec.replicas Invalid value: 0: .spec.replicas accessor error: [1 map[]] is of the type []interface {}, expected map[string]interface{}',
      unchecked,
    ]);
    assert.deepEqual(await causes({ spec: { image: 'x' } }), [
      'metadata.name Required value: name or generateName is required',
      unchecked,
    ]);
    await call('DELETE', `/clusters/red${definitions}/${name}`);
  });

  it('writes what has a name and a namespace only', async () => {
    const everywhere = of('red').replace('/namespaces/default', '');
    for (const method of ['POST', 'DELETE']) {
      await assert.rejects(call(method, everywhere, method === 'POST' ? {} : undefined), { code: 404 });
    }
    const another = { apiVersion: 'stable.example.com/v1', kind: 'Other', metadata: { name: {} } };
    await assert.rejects(call('POST', of('red'), another), {
      code: 422,
      message: 'Other.stable.example.com "" is invalid: kind: Invalid value: "Other": must be CronTab',
    });
    const unnamed = { code: 400, message: 'name must be provided' };
    await assert.rejects(call('PUT', of('red'), {}), unnamed);
    await assert.rejects(call('PATCH', of('red'), {}, 'application/merge-patch+json'), unnamed);
    await assert.rejects(call('PATCH', of('red'), {}, 'text/plain'), { code: 415 });
  });

  it('changes status and scale by their subresources only', async () => {
    const put = await call('PATCH', of('red', 'one'), { status: { replicas: 5 } }, 'application/merge-patch+json');
    assert.equal(put.status, undefined);
    const status = await call(
      'PATCH',
      `${of('red', 'one')}/status`,
      { status: { replicas: 5 } },
      'application/merge-patch+json',
    );
    assert.equal(status.status.replicas, 5);
    assert.equal(status.metadata.generation, 1);
    const scale = await call(
      'PATCH',
      `${of('red', 'one')}/scale`,
      { spec: { replicas: 4 } },
      'application/merge-patch+json',
    );
    assert.deepEqual([scale.spec.replicas, scale.status.replicas], [4, 5]);
    const now = await call('GET', of('red', 'one'));
    assert.deepEqual([now.spec.replicas, now.metadata.generation], [4, 2]);
    await assert.rejects(call('PATCH', of('red', 'one'), {}, 'application/strategic-merge-patch+json'), { code: 415 });
  });

  it('lets another tenant mean another thing by the same name', async () => {
    await call('POST', `/clusters/blue${definitions}`, cronTabs({}, { image: { type: 'integer' } }));
    await established('blue');
    const object = await call('POST', of('blue'), { metadata: { name: 'one' }, spec: { image: 7 } });
    assert.equal(object.spec.image, 7);
    assert.equal((await call('GET', of('red', 'one'))).spec.image, 'busybox');
    const everywhere = await call('GET', '/clusters/*/apis/stable.example.com/v1/crontabs');
    assert.deepEqual(everywhere.items.map((item: any) => item.metadata.clusterName).sort(), ['blue', 'red']);
  });

  it('applies new defaults to what is stored, and serves several versions', async () => {
    const path = `/clusters/red${definitions}/crontabs.stable.example.com`;
    const crd = structuredClone(await call('GET', path));
    const [v1] = crd.spec.versions;
    v1.schema.openAPIV3Schema.properties.spec.properties.color = { type: 'string', default: 'green' };
    crd.spec.versions = [
      { ...v1, storage: false, deprecated: true },
      { ...v1, name: 'v2', selectableFields: undefined },
    ];
    await call('PUT', path, crd);
    const old = await call('GET', of('red', 'one'));
    assert.deepEqual([old.apiVersion, old.spec.color], ['stable.example.com/v1', 'green']);
    const v2 = await call('GET', of('red', 'one').replace('/v1/', '/v2/'));
    assert.deepEqual([v2.apiVersion, v2.spec.color], ['stable.example.com/v2', 'green']);
    await call('PATCH', of('red', 'one'), { spec: { color: 'red' } }, 'application/merge-patch+json');
    const list = await call('GET', of('red').replace('/v1/', '/v2/'));
    assert.deepEqual(
      list.items.map((item: any) => [item.apiVersion, item.spec.color]),
      [['stable.example.com/v2', 'red']],
    );
    assert.equal(list.apiVersion, 'stable.example.com/v2');
    assert.deepEqual((await call('GET', path)).status.storedVersions, ['v1', 'v2']);
  });

  it('refuses names that are taken until they are free', async () => {
    const other = cronTabs({ names: { plural: 'others', kind: 'CronTab', shortNames: ['ct'] } });
    other.metadata.name = 'others.stable.example.com';
    await call('POST', `/clusters/red${definitions}`, other);
    const path = `/clusters/red${definitions}/others.stable.example.com`;
    let crd: any;
    await until(async () => (crd = await call('GET', path)).status.conditions.length > 0);
    assert.deepEqual(
      crd.status.conditions.map(({ type, status, reason, message }: any) => [type, status, reason, message]),
      [
        ['NamesAccepted', 'False', 'ListKindConflict', '"CronTabList" is already in use'],
        ['Established', 'False', 'NotAccepted', 'not all names are accepted'],
      ],
    );
  });

  it('empties a resource before its definition goes', async () => {
    const path = `/clusters/red${definitions}/crontabs.stable.example.com`;
    const pinned = await call('POST', of('red'), {
      metadata: { name: 'pinned', finalizers: ['example.com/wait'] },
      spec: { image: 'a' },
    });
    const marked = await call('DELETE', path);
    assert.deepEqual(marked.metadata.finalizers, ['customresourcecleanup.apiextensions.k8s.io']);
    await assert.rejects(call('POST', of('red'), { metadata: { name: 'late' }, spec: { image: 'a' } }), { code: 405 });
    await until(async () => (await call('GET', of('red'))).items.length === 1);
    const { metadata } = await call('GET', of('red', 'pinned'));
    assert.equal(metadata.uid, pinned.metadata.uid);
    await call('PATCH', of('red', 'pinned'), { metadata: { finalizers: null } }, 'application/merge-patch+json');
    await until(() =>
      call('GET', path).then(
        () => false,
        (error) => error.code === 404,
      ),
    );
    await assert.rejects(call('GET', of('red')), { code: 404 });
    // The name is free now.
    await established('red', 'others.stable.example.com');
    assert.equal((await call('GET', of('blue', 'one'))).spec.image, 7);
  });
});
