import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GroupResource, KubeObject } from '../../../api/object.ts';
import { systemClock } from '../../../base/clock.ts';
import { silentLogger } from '../../../base/log.ts';
import { openMemoryStore } from '../../../store/memory/memory-store.ts';
import { createWatchCaches } from '../../watch-cache/caches.ts';
import { encodeForStore } from '../../watch-cache/encoding.ts';
import { storeKey } from '../../watch-cache/keys.ts';
import { resourceAttributes } from '../attributes.ts';
import { BindingIndex } from './binding-index.ts';
import { CLUSTER_ROLE_BINDINGS, RoleBasedAccess } from './role-based-access.ts';

const binding = (name: string, namespace: string, ...subjects: object[]): KubeObject =>
  ({
    kind: namespace === '' ? 'ClusterRoleBinding' : 'RoleBinding',
    metadata: { name, uid: 'u', ...(namespace !== '' && { namespace }) },
    roleRef: { kind: 'ClusterRole', name: 'view' },
    subjects,
  }) as unknown as KubeObject;
const user = (name: string) => ({ kind: 'User', name });

describe('the index of bindings', () => {
  const namesFor = (index: BindingIndex, namespace: string, subject: string) =>
    [...index.grants(namespace, subject)].map(({ name }) => name);

  it('finds bindings by whom they bind, and follows their changes', () => {
    const index = new BindingIndex();
    index.put(binding('one', 'dev', user('alice'), user('alice'), { kind: 'Group', name: 'devs' }));
    index.put(binding('two', '', user('alice')));
    assert.deepEqual(namesFor(index, 'dev', 'user:alice'), ['one']);
    assert.deepEqual(namesFor(index, 'dev', 'group:devs'), ['one']);
    assert.deepEqual(namesFor(index, '', 'user:alice'), ['two']);
    index.put(binding('one', 'dev', user('bob')));
    assert.deepEqual(namesFor(index, 'dev', 'user:alice'), []);
    assert.deepEqual(namesFor(index, 'dev', 'user:bob'), ['one']);
    index.delete('dev', 'one');
    assert.deepEqual(namesFor(index, 'dev', 'user:bob'), []);
  });

  it('takes service accounts by either name, and nobody for what it does not know', () => {
    const index = new BindingIndex();
    index.put(binding('own', 'dev', { kind: 'ServiceAccount', name: 'robot' }));
    index.put(binding('other', 'dev', { kind: 'ServiceAccount', name: 'robot', namespace: 'ops' }));
    index.put(binding('none', '', { kind: 'ServiceAccount', name: 'robot' }, { kind: 'Robot', name: 'robot' }));
    assert.deepEqual(namesFor(index, 'dev', 'user:system:serviceaccount:dev:robot'), ['own']);
    assert.deepEqual(namesFor(index, 'dev', 'user:system:serviceaccount:ops:robot'), ['other']);
    assert.deepEqual(namesFor(index, '', 'user:system:serviceaccount::robot'), []);
  });
});

describe('access by roles', () => {
  it('is read anew after the caches lost the store', async (t) => {
    const store = openMemoryStore();
    const caches = createWatchCaches({ store, clock: systemClock, logger: silentLogger });
    t.after(async () => {
      caches.close();
      await store.close();
    });
    const write = async (resource: GroupResource, object: KubeObject) => {
      const { name, namespace = '' } = object.metadata;
      const key = storeKey(resource, 'a', namespace, name);
      const operations = [{ type: 'put' as const, key, value: encodeForStore(object) }];
      const { revision } = await store.commit({ compare: [], operations });
      await (await caches.for(resource)).waitForRevision(revision);
    };
    const access = new RoleBasedAccess(caches);
    const mayList = async (name: string, tenant = 'a') => {
      const identity = { name, groups: [], kind: 'tenant' as const, tenant };
      return (
        await access.authorize(identity, resourceAttributes(tenant, { verb: 'list', group: '', resource: 'pods' }))
      ).allowed;
    };
    assert.equal(await mayList('alice'), false);
    await write(CLUSTER_ROLE_BINDINGS, binding('alice', '', user('alice')));
    assert.equal(await mayList('alice'), true);
    assert.equal(await mayList('alice', 'b'), false);
    caches.drop(CLUSTER_ROLE_BINDINGS);
    await write(CLUSTER_ROLE_BINDINGS, binding('bob', '', user('bob')));
    assert.equal(await mayList('bob'), true);
    assert.equal(await mayList('alice'), true);
  });
});
