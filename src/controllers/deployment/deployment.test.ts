import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, ReplicaSet } from '../../api/generated/apps-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { DEPLOYMENTS, PODS, REPLICA_SETS } from '../../api/resources.ts';
import { until } from '../../base/testing/until.ts';
import { createReplicaSetController } from '../replicaset/index.ts';
import { createHarness, type Harness, testNamespace, testTenant } from '../testing/harness.ts';
import { createDeploymentController } from './index.ts';

const web = (spec: object = {}) => ({
  metadata: { name: 'web', annotations: { 'kubernetes.io/change-cause': 'first' } },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web:1' }] } },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    progressDeadlineSeconds: 600,
    revisionHistoryLimit: 10,
    ...spec,
  },
});

async function start(t: any): Promise<Harness> {
  const harness = createHarness(t);
  const controllers = [
    createDeploymentController(harness.dependencies),
    createReplicaSetController(harness.dependencies),
  ];
  harness.runPods();
  await harness.run(...controllers);
  return harness;
}

const deploymentOf = (harness: Harness) => harness.get<Deployment>(DEPLOYMENTS, 'web')!;
const isRolledOut = (harness: Harness, replicas: number) => {
  const { status, metadata } = deploymentOf(harness);
  return (
    status?.observedGeneration === metadata.generation &&
    status?.updatedReplicas === replicas &&
    status?.availableReplicas === replicas &&
    status?.replicas === replicas
  );
};
const patch = (harness: Harness, body: object) =>
  harness.client.resource(testTenant, DEPLOYMENTS, testNamespace).patch('web', 'merge', body);
const image = (tag: string) => ({
  spec: { template: { spec: { containers: [{ name: 'web', image: `web:${tag}` }] } } },
});

test('a new Deployment gets one ReplicaSet and its pods', async (t) => {
  const harness = await start(t);
  await harness.create(DEPLOYMENTS, web() as any);
  await until(() => isRolledOut(harness, 3));
  const [set] = harness.all<ReplicaSet>(REPLICA_SETS);
  const hash = set!.metadata.labels!['pod-template-hash']!;
  assert.equal(set!.metadata.name, `web-${hash}`);
  assert.match(hash, /^[bcdfghjklmnpqrstvwxz2456789]{8,10}$/);
  assert.deepEqual(set!.spec.selector!.matchLabels, { app: 'web', 'pod-template-hash': hash });
  assert.deepEqual(set!.metadata.annotations, {
    'kubernetes.io/change-cause': 'first',
    'deployment.kubernetes.io/revision': '1',
    'deployment.kubernetes.io/desired-replicas': '3',
    'deployment.kubernetes.io/max-replicas': '4',
  });
  const pods = harness.all<Pod>(PODS);
  assert.equal(pods.length, 3);
  assert.ok(pods.every((pod) => pod.metadata.name.startsWith(`web-${hash}-`)));
  assert.equal(deploymentOf(harness).metadata.annotations!['deployment.kubernetes.io/revision'], '1');
  await until(() => deploymentOf(harness).status?.conditions?.some((c) => c.reason === 'NewReplicaSetAvailable'));
  assert.deepEqual(
    deploymentOf(harness)
      .status!.conditions!.map((c) => `${c.type} ${c.status} ${c.reason} ${c.message}`)
      .sort(),
    [
      'Available True MinimumReplicasAvailable Deployment has minimum availability.',
      `Progressing True NewReplicaSetAvailable ReplicaSet "web-${hash}" has successfully progressed.`,
    ],
  );
  await until(() => harness.events().length >= 4);
  assert.ok(harness.events().includes(`ScalingReplicaSet: Scaled up replica set web-${hash} from 0 to 3`));
  assert.ok(harness.events().some((event) => event.startsWith('SuccessfulCreate: Created pod: web-')));
});

test('a rolling update never leaves too few or too many pods, and a rollback brings the old set back', async (t) => {
  const harness = await start(t);
  await harness.create(DEPLOYMENTS, web({ replicas: 8 }) as any);
  await until(() => isRolledOut(harness, 8));
  let most = 0;
  let fewest = 8;
  harness.dependencies.informers.informer<Pod>(PODS, { tenant: '*' }).addHandlers({
    updated: () => count(),
    added: () => count(),
    deleted: () => count(),
  });
  function count() {
    const pods = harness.all<Pod>(PODS).filter((pod) => pod.metadata.deletionTimestamp === undefined);
    most = Math.max(most, pods.length);
    fewest = Math.min(fewest, pods.filter((pod) => pod.status?.phase === 'Running').length);
  }
  await patch(harness, image('2'));
  await until(() => isRolledOut(harness, 8));
  assert.ok(most <= 10, `never more than 8 + 25 %: ${most}`);
  assert.ok(fewest >= 6, `never fewer than 8 - 25 %: ${fewest}`);
  const sets = () => harness.all<ReplicaSet>(REPLICA_SETS);
  assert.equal(sets().length, 2);
  const first = sets().find((set) => set.spec.template!.spec!.containers[0]!.image === 'web:1')!;
  assert.equal(first.spec.replicas, 0);

  await patch(harness, image('1'));
  await until(() => isRolledOut(harness, 8));
  const again = sets().find((set) => set.metadata.uid === first.metadata.uid)!;
  assert.equal(again.spec.replicas, 8);
  assert.equal(again.metadata.annotations!['deployment.kubernetes.io/revision'], '3');
  assert.equal(again.metadata.annotations!['deployment.kubernetes.io/revision-history'], '1');
  assert.equal(deploymentOf(harness).metadata.annotations!['deployment.kubernetes.io/revision'], '3');
});

test('Recreate ends all old pods before it starts a new one', async (t) => {
  const harness = await start(t);
  await harness.create(DEPLOYMENTS, web({ strategy: { type: 'Recreate' } }) as any);
  await until(() => isRolledOut(harness, 3));
  let sawBoth = false;
  harness.dependencies.informers.informer<Pod>(PODS, { tenant: '*' }).addHandlers({
    added: () => {
      const images = new Set(harness.all<Pod>(PODS).map((pod) => pod.spec!.containers[0]!.image));
      sawBoth ||= images.size > 1;
    },
  });
  await patch(harness, image('2'));
  await until(() => isRolledOut(harness, 3) && harness.all<ReplicaSet>(REPLICA_SETS).length === 2);
  await until(() => harness.all<Pod>(PODS).every((pod) => pod.spec!.containers[0]!.image === 'web:2'));
  assert.equal(sawBoth, false);
});

test('a ReplicaSet that another Deployment left behind is taken in, and no other is made', async (t) => {
  const harness = await start(t);
  await harness.create(DEPLOYMENTS, web() as any);
  await until(() => isRolledOut(harness, 3));
  const [left] = harness.all<ReplicaSet>(REPLICA_SETS);
  await harness.client.resource(testTenant, DEPLOYMENTS, testNamespace).delete('web', {});
  await until(() => harness.get(DEPLOYMENTS, 'web') === undefined);
  const sets = harness.client.resource<ReplicaSet>(testTenant, REPLICA_SETS, testNamespace);
  await sets.patch(left!.metadata.name, 'merge', { metadata: { ownerReferences: null } });
  await harness.create(DEPLOYMENTS, { ...web(), metadata: { name: 'next' } } as any);
  await until(() => harness.get<Deployment>(DEPLOYMENTS, 'next')?.status?.availableReplicas === 3);
  const uids = harness.all<ReplicaSet>(REPLICA_SETS).map(({ metadata }) => metadata.uid);
  assert.deepEqual(uids, [left!.metadata.uid]);
});

test('a paused Deployment scales but does not roll out; history is cut to its limit', async (t) => {
  const harness = await start(t);
  await harness.create(DEPLOYMENTS, web({ revisionHistoryLimit: 1 }) as any);
  await until(() => isRolledOut(harness, 3));
  await patch(harness, { spec: { paused: true } });
  await until(() => deploymentOf(harness).status?.conditions?.some((c) => c.reason === 'DeploymentPaused'));
  await patch(harness, { ...image('2'), spec: { ...image('2').spec, replicas: 5 } });
  await until(() => harness.all<Pod>(PODS).length === 5);
  assert.equal(harness.all<ReplicaSet>(REPLICA_SETS).length, 1);
  await patch(harness, { spec: { paused: false } });
  await until(() => isRolledOut(harness, 5));
  for (const tag of ['3', '4']) {
    await patch(harness, image(tag));
    await until(() => isRolledOut(harness, 5));
  }
  await until(() => harness.all<ReplicaSet>(REPLICA_SETS).length === 2);
});
