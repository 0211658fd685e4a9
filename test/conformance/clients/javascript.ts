import assert from 'node:assert/strict';
import {
  AppsV1Api,
  CoordinationV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  KubernetesObjectApi,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  type V1ConfigMap,
  Watch,
} from '@kubernetes/client-node';
import { eventually } from '../../lib/eventually.ts';

/** Checks that @kubernetes/client-node works against the cluster of a kubeconfig: one line a check. */
const kubeconfig = new KubeConfig();
kubeconfig.loadFromFile(process.argv[2]!);
const core = kubeconfig.makeApiClient(CoreV1Api);
const apps = kubeconfig.makeApiClient(AppsV1Api);
const namespace = 'javascript-client';
const labels = { from: 'javascript' };
const labelSelector = 'from=javascript';

const configMap = (name: string): V1ConfigMap => ({ metadata: { name, labels }, data: { key: 'value' } });

const checks: Record<string, () => Promise<void>> = {
  async 'typed client: create, replace, patch, read, list, delete'() {
    const made = await core.createNamespacedConfigMap({ namespace, body: configMap('one') });
    made.data = { key: 'changed' };
    await core.replaceNamespacedConfigMap({ name: 'one', namespace, body: made });
    await core.patchNamespacedConfigMap(
      { name: 'one', namespace, body: { data: { patched: 'yes' } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );
    const live = await core.readNamespacedConfigMap({ name: 'one', namespace });
    assert.deepEqual(live.data, { key: 'changed', patched: 'yes' });
    assert.equal((await core.listNamespacedConfigMap({ namespace, labelSelector })).items.length, 1);
    await core.deleteNamespacedConfigMap({ name: 'one', namespace });
  },

  async 'informer: add, update, delete, list'() {
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    const list = () => core.listNamespacedConfigMap({ namespace, labelSelector });
    const informer = makeInformer(kubeconfig, path, list, labelSelector);
    const seen: string[] = [];
    for (const event of ['add', 'update', 'delete'] as const) informer.on(event, () => void seen.push(event));
    await informer.start();
    try {
      const made = await core.createNamespacedConfigMap({ namespace, body: configMap('informed') });
      await eventually('the informer adds', () => seen.includes('add'));
      await core.replaceNamespacedConfigMap({ name: 'informed', namespace, body: { ...made, data: { key: 'other' } } });
      await eventually('the informer updates', () => seen.includes('update'));
      assert.equal(informer.get('informed', namespace)?.data?.['key'], 'other');
      await core.deleteNamespacedConfigMap({ name: 'informed', namespace });
      await eventually('the informer deletes', () => seen.includes('delete'));
      assert.deepEqual(seen, ['add', 'update', 'delete']);
    } finally {
      await informer.stop();
    }
  },

  async 'watch from a resourceVersion'() {
    const { metadata } = await core.listNamespacedConfigMap({ namespace });
    await core.createNamespacedConfigMap({ namespace, body: configMap('watched') });
    await core.deleteNamespacedConfigMap({ name: 'watched', namespace });
    const kinds: string[] = [];
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    const query = { resourceVersion: metadata?.resourceVersion, labelSelector };
    const controller = await new Watch(kubeconfig).watch(
      path,
      query,
      (kind) => void kinds.push(kind),
      () => {},
    );
    await eventually('both events are there', () => kinds.length === 2);
    controller.abort();
    assert.deepEqual(kinds, ['ADDED', 'DELETED']);
  },

  async 'a Deployment becomes available and scales'() {
    const template = {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'main', image: 'example.test/app:1' }] },
    };
    const spec = { replicas: 2, selector: { matchLabels: { app: 'web' } }, template };
    await apps.createNamespacedDeployment({ namespace, body: { metadata: { name: 'web' }, spec } });
    await eventually(
      'the deployment is available',
      async () => (await apps.readNamespacedDeployment({ name: 'web', namespace })).status?.availableReplicas === 2,
    );
    const scale = await apps.readNamespacedDeploymentScale({ name: 'web', namespace });
    scale.spec = { replicas: 3 };
    await apps.replaceNamespacedDeploymentScale({ name: 'web', namespace, body: scale });
    await eventually(
      'the third pod runs',
      async () =>
        (await core.listNamespacedPod({ namespace, fieldSelector: 'status.phase=Running' })).items.length === 3,
    );
    await apps.deleteNamespacedDeployment({ name: 'web', namespace });
  },

  async 'objects of any kind: server-side apply, discovery'() {
    const objects = KubernetesObjectApi.makeApiClient(kubeconfig);
    const applied = await objects.patch(
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'applied', namespace },
        data: { a: 'b' },
      } as V1ConfigMap,
      undefined,
      undefined,
      'javascript',
      true,
      PatchStrategy.ServerSideApply,
    );
    assert.equal((applied as V1ConfigMap).metadata?.managedFields?.[0]?.manager, 'javascript');
  },

  async 'errors carry a Status'() {
    await assert.rejects(
      core.readNamespacedPod({ name: 'missing', namespace }),
      (error: { code: number; body: string }) => {
        assert.equal(error.code, 404);
        assert.match(String(error.body), /"reason":"NotFound"/);
        return true;
      },
    );
  },

  async 'times to the microsecond (Lease)'() {
    const leases = kubeconfig.makeApiClient(CoordinationV1Api);
    const spec = { holderIdentity: 'javascript', leaseDurationSeconds: 15 };
    const made = await leases.createNamespacedLease({ namespace, body: { metadata: { name: 'lock' }, spec } });
    assert.equal(made.spec?.holderIdentity, 'javascript');
  },

  async 'custom objects'() {
    const custom = kubeconfig.makeApiClient(CustomObjectsApi);
    const listed = await custom.listClusterCustomObject({
      group: 'rbac.authorization.k8s.io',
      version: 'v1',
      plural: 'clusterroles',
    });
    assert.ok(listed.items.length > 10);
  },
};

await core.createNamespace({ body: { metadata: { name: namespace } } });
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok\t${name}`);
  } catch (error) {
    process.exitCode = 1;
    console.error(error);
    console.log(`FAIL\t${name}\t${JSON.stringify((error as Error).message.slice(0, 500))}`);
  }
}
await core.deleteNamespace({ name: namespace });
