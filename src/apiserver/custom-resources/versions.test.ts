import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts';
import type { Transport } from '../../api/transport.ts';
import { until } from '../../base/testing/until.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { resourceOf } from './definition.ts';

const text = { type: 'string' };
const version = (name: string, properties: object, more: object = {}) => ({
  name,
  served: true,
  storage: false,
  subresources: { status: {} },
  schema: {
    openAPIV3Schema: {
      type: 'object',
      properties: {
        spec: { type: 'object', properties },
        status: { type: 'object', default: { phase: 'New' }, properties: { phase: text } },
      },
    },
  },
  ...more,
});
const lamps = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'lamps.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'lamps', kind: 'Lamp' },
    versions: [
      version('v1alpha1', {}, { deprecated: true }),
      version('v1beta1', { color: text, shape: text }, { deprecated: true, deprecationWarning: 'mind' }),
      version('v1', { color: text }, { storage: true }),
      version('v2', { color: text }, { served: false }),
    ],
  },
};

describe('versions of custom resources', () => {
  let test: TestServer;
  before(async () => {
    test = await startTestServer(openMemoryStore(), { tenants: ['red'] });
  });
  after(() => test.close());

  const call = (method: string, path: string, body?: object): Promise<any> =>
    (test.transport as Transport).request({ method, path: `/clusters/red${path}`, body } as never);
  const path = (name: string) => `/apis/example.com/${name}/namespaces/default/lamps`;

  it('say what is to be used in their place when they are deprecated', () => {
    const warnings = lamps.spec.versions.map(
      ({ name }) => resourceOf(lamps as unknown as CustomResourceDefinition, name).deprecationWarning,
    );
    assert.deepEqual(warnings, [
      'example.com/v1alpha1 Lamp is deprecated; use example.com/v1 Lamp',
      'mind',
      undefined,
      undefined,
    ]);
  });

  it('keep of an object what the stored version knows, and give its status the defaults', async () => {
    await call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', lamps);
    await until(() => call('GET', path('v1')).catch(() => undefined));
    const lamp = {
      apiVersion: 'example.com/v1beta1',
      kind: 'Lamp',
      metadata: { name: 'one' },
      spec: { color: 'red', shape: 'round' },
      status: { phase: 'Lit' },
    };
    const made = await call('POST', path('v1beta1'), lamp);
    const read = await call('GET', `${path('v1')}/one`);
    for (const { spec, status } of [made, read]) {
      assert.deepEqual({ spec, status }, { spec: { color: 'red' }, status: { phase: 'New' } });
    }
  });

  it('have managers of their own fields', async () => {
    const apply = (name: string, fieldManager: string, spec: object, force = 'false') =>
      (test.transport as Transport).request<any>({
        method: 'PATCH',
        path: `/clusters/red${path(name)}/owned`,
        query: { fieldManager, force },
        contentType: 'application/apply-patch+yaml',
        body: { apiVersion: `example.com/${name}`, kind: 'Lamp', metadata: { name: 'owned' }, spec },
      } as never);
    await apply('v1beta1', 'old', { color: 'red', shape: 'round' });
    await assert.rejects(apply('v1', 'new', { color: 'blue' }), { message: /conflict with "old".*: \.spec\.color$/ });
    const { spec, metadata } = await apply('v1', 'new', { color: 'blue' }, 'true');
    assert.deepEqual(spec, { color: 'blue' });
    const owned = metadata.managedFields.map(({ manager, fieldsV1 }: any) => [manager, fieldsV1]);
    assert.deepEqual(owned, [
      ['new', { 'f:spec': { 'f:color': {} } }],
      ['old', { 'f:spec': { 'f:shape': {} } }],
    ]);
  });
});
