import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { configMaps, refusal, root, serverOfSuite } from '../testing/in-process-caller.ts';

describe('creating and changing objects', { timeout: 60_000 }, () => {
  const { send, get, post } = serverOfSuite();

  it('creates an object and fills in what the server decides', async () => {
    const created = await post(configMaps, { metadata: { name: 'one', uid: 'mine', generation: 7 }, data: { a: 'b' } });
    assert.equal(created.kind, 'ConfigMap');
    assert.equal(created.metadata.namespace, 'default');
    assert.notEqual(created.metadata.uid, 'mine');
    assert.equal(created.metadata.creationTimestamp, '2026-01-01T00:00:00Z');
    assert.match(created.metadata.resourceVersion, /^\d+$/);
    assert.equal(created.metadata.clusterName, 'a');
    assert.deepEqual(await get(`${configMaps}/one`), created);
  });

  it('reads its own writes at once', async () => {
    for (let index = 0; index < 50; index++) {
      await post(configMaps, { metadata: { name: `own-${index}`, labels: { own: 'x' } } });
      const list = await get(configMaps, { labelSelector: 'own=x' });
      assert.equal(list.items.length, index + 1);
    }
    await send('DELETE', configMaps, undefined, { query: { labelSelector: 'own=x' } });
    assert.equal((await get(configMaps, { labelSelector: 'own=x' })).items.length, 0);
  });

  it('refuses a name that is taken, with upstream’s status', async () => {
    await post(configMaps, { metadata: { name: 'taken' } });
    const error = await refusal(post(configMaps, { metadata: { name: 'taken' } }));
    assert.equal(error.code, 409);
    assert.equal(error.message, 'configmaps "taken" already exists');
    assert.deepEqual(error.details, { name: 'taken', kind: 'configmaps' });
  });

  it('says that an object was stored before only when nothing else is wrong with it', async () => {
    const metadata = { name: 'stored', resourceVersion: '7' };
    const invalidData = await refusal(post(configMaps, { metadata, data: { 'not a key': '' } }));
    assert.equal(invalidData.code, 422);
    const stored = await refusal(post(configMaps, { metadata }));
    assert.equal(stored.code, 500);
    assert.equal(stored.message, 'resourceVersion should not be set on objects to be created');
  });

  it('makes names of generateName', async () => {
    const first = await post(configMaps, { metadata: { generateName: 'gen-' } });
    const second = await post(configMaps, { metadata: { generateName: 'gen-' } });
    assert.match(first.metadata.name, /^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    assert.notEqual(first.metadata.name, second.metadata.name);
  });

  it('names the pods of a job for its generated name', async () => {
    const containers = [{ name: 'main', image: 'example.test/app:1' }];
    const template = { spec: { restartPolicy: 'Never', containers } };
    const job = await post(`${root.replace('/api/v1', '/apis/batch/v1')}/namespaces/default/jobs`, {
      metadata: { generateName: 'gen-' },
      spec: { template },
    });
    const { labels } = job.spec.template.metadata;
    assert.deepEqual(
      [labels['job-name'], labels['batch.kubernetes.io/job-name']],
      [job.metadata.name, job.metadata.name],
    );
  });

  it('writes nothing with dryRun=All', async () => {
    const answer = await post(configMaps, { metadata: { name: 'dry' } }, { dryRun: 'All' });
    assert.equal(answer.metadata.name, 'dry');
    assert.equal((await refusal(get(`${configMaps}/dry`))).code, 404);
    const error = await refusal(post(configMaps, { metadata: { name: 'dry' } }, { dryRun: 'Some' }));
    assert.equal(error.code, 422);
  });

  it('refuses namespaces that do not match, or do not exist', async () => {
    const other = await refusal(post(configMaps, { metadata: { name: 'x', namespace: 'other' } }));
    assert.equal(
      other.message,
      'the namespace of the provided object does not match the namespace sent on the request',
    );
    const missing = await refusal(post(`${root}/namespaces/nope/configmaps`, { metadata: { name: 'x' } }));
    assert.equal(missing.code, 404);
    assert.equal(missing.message, 'namespaces "nope" not found');
  });

  it('updates with optimistic concurrency', async () => {
    const created = await post(configMaps, { metadata: { name: 'update' }, data: { a: '1' } });
    const updated = await send('PUT', `${configMaps}/update`, { ...created, data: { a: '2' } });
    assert.equal(updated.data.a, '2');
    assert.equal(updated.metadata.uid, created.metadata.uid);
    const stale = await refusal(send('PUT', `${configMaps}/update`, { ...created, data: { a: '3' } }));
    assert.equal(stale.code, 409);
    assert.equal(
      stale.message,
      'Operation cannot be fulfilled on configmaps "update": the object has been modified; please apply your changes to the latest version and try again',
    );
    const unconditional = await send('PUT', `${configMaps}/update`, { metadata: { name: 'update' }, data: { a: '4' } });
    assert.equal(unconditional.data.a, '4');
    const absent = await refusal(send('PUT', `${configMaps}/absent`, { metadata: { name: 'absent' } }));
    assert.equal(absent.code, 404);
    const wrongName = await refusal(send('PUT', `${configMaps}/update`, { metadata: { name: 'else' } }));
    assert.equal(wrongName.message, 'the name of the object (else) does not match the name on the URL (update)');
    const wrongUid = await refusal(
      send('PUT', `${configMaps}/update`, { metadata: { name: 'update', uid: 'not-it' }, data: {} }),
    );
    assert.equal(wrongUid.code, 409);
  });

  it('takes no revision for a write that changes nothing', async () => {
    const created = await post(configMaps, { metadata: { name: 'same' }, data: { a: 'b' } });
    const again = await send('PUT', `${configMaps}/same`, created);
    assert.equal(again.metadata.resourceVersion, created.metadata.resourceVersion);
  });

  it('lets no one lose an update when many patch at once', async () => {
    await post(configMaps, { metadata: { name: 'many' }, data: {} });
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        send(
          'PATCH',
          `${configMaps}/many`,
          { data: { [`k${index}`]: 'v' } },
          { contentType: 'application/merge-patch+json' },
        ),
      ),
    );
    assert.equal(Object.keys((await get(`${configMaps}/many`)).data).length, 20);
  });

  it('lets nobody apply a name away', async () => {
    const apply = (metadata?: object) =>
      send(
        'PATCH',
        `${configMaps}/named`,
        { kind: 'ConfigMap', apiVersion: 'v1', metadata },
        { contentType: 'application/apply-patch+yaml', query: { fieldManager: 'one' } },
      );
    const message = 'the name of the object (named based on URL) was undeterminable: name must be provided';
    assert.equal((await refusal(apply())).message, message);
    await apply({ name: 'named', labels: { a: 'b' } });
    assert.equal((await refusal(apply())).message, message);
  });

  it('applies for all who make the same object at once', async () => {
    const managers = Array.from({ length: 5 }, (_, index) => `manager-${index}`);
    const apply = (fieldManager: string) =>
      send(
        'PATCH',
        `${configMaps}/shared`,
        { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'shared' }, data: { [fieldManager]: 'v' } },
        { contentType: 'application/apply-patch+yaml', query: { fieldManager } },
      );
    await Promise.all(managers.map(apply));
    const { data, metadata } = await get(`${configMaps}/shared`);
    assert.deepEqual(Object.keys(data).toSorted(), managers);
    assert.deepEqual(metadata.managedFields.map((entry: any) => entry.manager).toSorted(), managers);
  });

  it('patches in the three ways, and applies only under a name', async () => {
    const deployments = '/clusters/a/apis/apps/v1/namespaces/default/deployments';
    await post(deployments, {
      metadata: { name: 'd' },
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'x', image: 'one' }] } },
      },
    });
    const patch = (contentType: string, body: unknown) => send('PATCH', `${deployments}/d`, body, { contentType });
    const json = await patch('application/json-patch+json', [{ op: 'replace', path: '/spec/replicas', value: 3 }]);
    assert.equal(json.spec.replicas, 3);
    assert.equal(json.metadata.generation, 2);
    const merge = await patch('application/merge-patch+json', { metadata: { labels: { l: 'm' } } });
    assert.equal(merge.metadata.labels.l, 'm');
    assert.equal(merge.metadata.generation, 2);
    const containers = [{ name: 'y', image: 'two' }];
    const strategic = await patch('application/strategic-merge-patch+json', {
      spec: { template: { spec: { containers } } },
    });
    assert.deepEqual(strategic.spec.template.spec.containers.map((one: { name: string }) => one.name).sort(), [
      'x',
      'y',
    ]);
    const nameless = await refusal(patch('application/apply-patch+yaml', {}));
    assert.equal(
      nameless.message,
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    );
    const conflicting = await refusal(
      patch('application/merge-patch+json', { metadata: { resourceVersion: '1' }, spec: { replicas: 9 } }),
    );
    assert.equal(conflicting.code, 409);

    const scale = await get(`${deployments}/d/scale`);
    assert.equal(scale.spec.replicas, 3);
    assert.equal(scale.status.selector, 'a=b');
    await send('PUT', `${deployments}/d/scale`, { ...scale, spec: { replicas: 7 } });
    assert.equal((await get(`${deployments}/d`)).spec.replicas, 7);

    // A patch to what is no Scale is a wrong patch, a body that is none a bad request.
    const inWords = { spec: { replicas: 'seven' } };
    const patched = send('PATCH', `${deployments}/d/scale`, inWords, { contentType: 'application/merge-patch+json' });
    assert.equal((await refusal(patched)).code, 422);
    assert.equal((await refusal(send('PUT', `${deployments}/d/scale`, { ...scale, ...inWords }))).code, 400);
  });

  it('keeps spec and status apart', async () => {
    const deployments = '/clusters/a/apis/apps/v1/namespaces/default/deployments';
    const current = await get(`${deployments}/d`);
    const status = { ...current, spec: { ...current.spec, replicas: 1 }, status: { replicas: 5 } };
    const afterStatus = await send('PUT', `${deployments}/d/status`, status);
    assert.equal(afterStatus.spec.replicas, current.spec.replicas);
    assert.equal(afterStatus.status.replicas, 5);
    assert.equal(afterStatus.metadata.generation, current.metadata.generation);
    const afterSpec = await send('PUT', `${deployments}/d`, { ...afterStatus, status: { replicas: 9 } });
    assert.equal(afterSpec.status.replicas, 5);
  });

  it('leaves metadata alone where a status is written, as far as upstream does', async () => {
    const schemas = '/clusters/a/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas';
    const patch = (path: string, body: object) =>
      send('PATCH', `${path}/status`, body, { contentType: 'application/merge-patch+json' });
    const spec = { matchingPrecedence: 9, priorityLevelConfiguration: { name: 'none' } };
    const { metadata } = await post(schemas, { metadata: { name: 'f' }, spec });
    const other = { metadata: { uid: 'other', labels: { a: 'b' } }, status: { conditions: [{ type: 'X' }] } };
    const patched = await patch(`${schemas}/f`, other);
    assert.equal(patched.metadata.uid, metadata.uid);
    assert.equal(patched.metadata.labels, undefined);
    assert.ok(patched.status.conditions.some(({ type }: { type: string }) => type === 'X'));

    const policies = '/clusters/a/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';
    const resourceRules = [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }];
    const policy = { matchConstraints: { resourceRules }, validations: [{ expression: 'true' }] };
    await post(policies, { metadata: { name: 'p' }, spec: policy });
    const refused = await refusal(patch(`${policies}/p`, { metadata: { uid: 'other' } }));
    assert.equal(refused.details?.causes?.length, 1);
  });

  it('refuses finalizers that are none in a change too', async () => {
    await post(configMaps, { metadata: { name: 'held' } });
    const patch = (finalizers: string[]) =>
      send(
        'PATCH',
        `${configMaps}/held`,
        { metadata: { finalizers } },
        { contentType: 'application/merge-patch+json' },
      );
    assert.match((await refusal(patch(['a/b/c']))).message, /metadata.finalizers: Invalid value: "a\/b\/c"/);
    assert.match((await refusal(patch(['x']))).message, /name is neither a standard finalizer name nor/);
    await patch(['example.com/x']);
  });

  it('names a limit range that has no name, and counts the changes of drivers and slices', async () => {
    const range = await post(`${root}/namespaces/default/limitranges`, { metadata: {}, spec: { limits: [] } });
    assert.match(range.metadata.name, /^[0-9a-f-]{36}$/);
    const drivers = '/clusters/a/apis/storage.k8s.io/v1/csidrivers';
    const driver = await post(drivers, { metadata: { name: 'd' }, spec: { podInfoOnMount: true } });
    assert.equal(driver.metadata.generation, undefined);
    const changed = { spec: { podInfoOnMount: false } };
    const patched = await send('PATCH', `${drivers}/d`, changed, { contentType: 'application/merge-patch+json' });
    assert.equal(patched.metadata.generation, 1);
    const slices = '/clusters/a/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
    await post(slices, { metadata: { name: 's' }, addressType: 'IPv4', endpoints: [], ports: [] });
    const labels = { metadata: { labels: { a: 'b' } } };
    const labelled = await send('PATCH', `${slices}/s`, labels, { contentType: 'application/merge-patch+json' });
    assert.equal(labelled.metadata.generation, 2);
  });

  it('notes who asks for a change by the part of a pod that does not make it', async () => {
    const pods = `${root}/namespaces/default/pods`;
    const containers = [{ name: 'main', image: 'example.test/app:1' }];
    await post(pods, { metadata: { name: 'part' }, spec: { containers } });
    const labels = { added: 'yes' };
    const changed = await send(
      'PATCH',
      `${pods}/part/ephemeralcontainers`,
      { metadata: { labels } },
      { contentType: 'application/merge-patch+json', query: { fieldManager: 'asker' } },
    );
    assert.equal(changed.metadata.labels, undefined);
    const noted = changed.metadata.managedFields.find(({ manager }: { manager: string }) => manager === 'asker');
    assert.equal(noted.subresource, 'ephemeralcontainers');
    assert.deepEqual(noted.fieldsV1, { 'f:metadata': { 'f:labels': { '.': {}, 'f:added': {} } } });
  });

  it('makes what is not there by a PUT, of the kinds that are made so', async () => {
    const roles = '/clusters/a/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles';
    const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }];
    const made = await send('PUT', `${roles}/put`, { metadata: { name: 'put', resourceVersion: '5' }, rules });
    assert.notEqual(made.metadata.uid, undefined);
    assert.deepEqual((await get(`${roles}/put`)).rules, rules);
    const again = await send('PUT', `${roles}/put`, { metadata: { name: 'put' }, rules: [] });
    assert.equal(again.metadata.uid, made.metadata.uid);
    const otherUid = { metadata: { name: 'none', uid: 'x' }, rules };
    assert.equal((await refusal(send('PUT', `${roles}/none`, otherUid))).code, 409);
    assert.equal((await refusal(send('PUT', `${configMaps}/none`, { metadata: { name: 'none' } }))).code, 404);
  });

  it('demands a revision of who replaces what is never replaced blindly', async () => {
    const budgets = '/clusters/a/apis/policy/v1/namespaces/default/poddisruptionbudgets';
    const budget = { metadata: { name: 'Any_name' }, spec: { maxUnavailable: 1, selector: {} } };
    const { metadata } = await post(budgets, budget);
    const blind = await refusal(send('PUT', `${budgets}/Any_name`, budget));
    assert.equal(blind.code, 422);
    assert.match(blind.message, /metadata.resourceVersion: Invalid value: 0: must be specified for an update/);
    await send('PUT', `${budgets}/Any_name`, { ...budget, metadata });
    const without = { metadata: { $patch: 'replace', name: 'Any_name' } };
    const patched = send('PATCH', `${budgets}/Any_name`, without, {
      contentType: 'application/strategic-merge-patch+json',
    });
    assert.match((await refusal(patched)).message, /must be specified for an update/);
  });
});
