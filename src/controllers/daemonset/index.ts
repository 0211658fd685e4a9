import type { ControllerRevision, DaemonSet } from '../../api/generated/apps-v1.ts';
import type { Node, Pod } from '../../api/generated/core-v1.ts';
import { CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import { type Controller, type ReconcileTools, watchOwn } from '../../client/controller.ts';
import { Expectations, expectationsTimeoutMs, slowStart } from '../../client/expectations.ts';
import { keyOf } from '../../client/informer.ts';
import { isSame } from '../common/canonical.ts';
import { currentTemplateRevision, sortRevisions, truncateRevisions } from '../common/controller-revisions.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { Dependents } from '../common/dependents.ts';
import { compileSelector } from '../common/label-selector.ts';
import { byController, byNamespace, controllerReference } from '../common/owner.ts';
import { isNamespaceTerminating, messageOf, podFromTemplate } from '../common/pod-template.ts';
import { specForNode } from './nodes.ts';
import { type DaemonPlan, daemonSetStatus, HASH_LABEL, planNodes, planUpdate } from './plan.ts';

const component = 'daemonset-controller';
const mostAtOnce = 250;

/** Runs one pod on every (virtual) node that fits. */
export function createDaemonSetController(dependencies: ControllerDependencies): Controller {
  const { informers, client, clock } = dependencies;
  const sets = informers.informer<DaemonSet>(DAEMON_SETS, {
    tenant: ALL_TENANTS,
    indexes: { ...byNamespace, tenant: (set) => [set.metadata.clusterName ?? ''] },
  });
  const pods = informers.informer<Pod>(PODS, { tenant: ALL_TENANTS, indexes: byController });
  const nodes = informers.informer<Node>(NODES, {
    tenant: ALL_TENANTS,
    indexes: { tenant: (node) => [node.metadata.clusterName ?? ''] },
  });
  const revisions = informers.informer<ControllerRevision>(CONTROLLER_REVISIONS, {
    tenant: ALL_TENANTS,
    indexes: byController,
  });
  const expectations = new Expectations(clock);
  const recorder = dependencies.recorder(component);
  const targetOf = (set: DaemonSet) => ({ apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: set.metadata });
  const dependents = new Dependents<DaemonSet, Pod>({
    client,
    ownerResource: DAEMON_SETS,
    ownerApiVersion: 'apps/v1',
    ownerKind: 'DaemonSet',
    owners: sets,
    resource: PODS,
    dependents: pods,
    membership: (set) => {
      const matches = compileSelector(set.spec.selector);
      return (pod) => matches(pod.metadata.labels);
    },
  });

  async function apply(set: DaemonSet, plan: DaemonPlan, hash: string): Promise<void> {
    const { clusterName, namespace, uid } = set.metadata;
    const podClient = client.resource<Pod>(clusterName!, PODS, namespace);
    const create = plan.create.slice(0, mostAtOnce);
    const doomed = plan.delete.slice(0, mostAtOnce);
    expectations.expectCreations(uid, create.length);
    expectations.expectDeletions(
      uid,
      doomed.map(({ pod }) => pod.metadata.uid),
    );
    const template = podFromTemplate(set.spec.template, set, controllerReference(set, 'apps/v1', 'DaemonSet'));
    let refused = 0;
    const { succeeded, error } = await slowStart(create.length, mostAtOnce, async (index) => {
      try {
        const pod = await podClient.create({
          ...template,
          metadata: { ...template.metadata, labels: { ...template.metadata.labels, [HASH_LABEL]: hash } },
          spec: specForNode(template.spec!, create[index]!),
        });
        recorder.event(targetOf(set), 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
      } catch (failure) {
        if (isNamespaceTerminating(failure)) {
          refused++;
          return;
        }
        recorder.event(targetOf(set), 'Warning', 'FailedCreate', `Error creating: ${messageOf(failure)}`);
        throw failure;
      }
    });
    expectations.creationsObserved(uid, create.length - succeeded + refused);
    let failure = error;
    await Promise.all(
      doomed.map(async ({ pod, note }) => {
        const { name } = pod.metadata;
        if (note !== undefined) recorder.event(targetOf(set), note.type, note.reason, note.message);
        try {
          await podClient.delete(name, { preconditions: { uid: pod.metadata.uid } });
          recorder.event(targetOf(set), 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
        } catch (deleteError) {
          expectations.deletionObserved(uid, pod.metadata.uid);
          if (isNotFound(deleteError)) return;
          recorder.event(targetOf(set), 'Warning', 'FailedDelete', `Error deleting: ${messageOf(deleteError)}`);
          failure ??= deleteError;
        }
      }),
    );
    if (failure !== undefined) throw failure;
  }

  async function reconcile(set: DaemonSet, tools: ReconcileTools): Promise<void> {
    const { uid } = set.metadata;
    const tenantNodes = nodes.byIndex('tenant', set.metadata.clusterName!);
    const isSettled = expectations.satisfied(uid) && set.metadata.deletionTimestamp === undefined;
    if (!expectations.satisfied(uid)) tools.queue.addAfter(keyOf(set), expectationsTimeoutMs + 1000);
    const claimed = await dependents.claim(set);
    const owned = [...claimed.owned, ...claimed.adopted];
    const history = sortRevisions(revisions.byIndex('controller', uid));
    const { revision, collisionCount } = await currentTemplateRevision(
      client,
      {
        object: set,
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        template: set.spec.template,
        collisionCount: set.status?.collisionCount,
      },
      history,
      HASH_LABEL,
    );
    const hash = revision.metadata.labels![HASH_LABEL]!;
    let failure: unknown;
    if (isSettled) {
      try {
        await apply(set, planNodes(set, tenantNodes, owned, hash, tools.now()), hash);
        if (expectations.satisfied(uid)) await apply(set, planUpdate(set, tenantNodes, owned, hash, tools.now()), hash);
      } catch (error) {
        failure = error;
      }
    }
    const present = pods.byIndex('controller', uid);
    const status = daemonSetStatus(set, tenantNodes, present, hash, collisionCount, tools.now());
    if (!isSame(status, set.status)) {
      const body = { ...set, apiVersion: 'apps/v1', kind: 'DaemonSet', status };
      await client.for(DAEMON_SETS, set).updateStatus(body);
    }
    if (failure !== undefined) throw failure;
    const hashes = new Set(present.map((pod) => pod.metadata.labels?.[HASH_LABEL]));
    const live = history.filter((each) => hashes.has(each.metadata.labels?.[HASH_LABEL]));
    const liveNames = new Set([revision.metadata.name, ...live.map((each) => each.metadata.name)]);
    await truncateRevisions(client, history, liveNames, set.spec.revisionHistoryLimit ?? 10);
    const minReadySeconds = set.spec.minReadySeconds ?? 0;
    if (minReadySeconds > 0 && status.numberReady !== (status.numberAvailable ?? 0)) {
      tools.queue.addAfter(keyOf(set), minReadySeconds * 1000);
    }
  }

  return {
    name: component,
    workers: 8,
    watches: [
      watchOwn(sets, (set) => expectations.forget(set.metadata.uid)),
      {
        informer: nodes,
        handlers: (queue) => {
          const wakeTenant = (node: Node) => {
            for (const set of sets.byIndex('tenant', node.metadata.clusterName ?? '')) queue.add(keyOf(set));
          };
          return {
            added: wakeTenant,
            updated: (before: Node, after: Node) => {
              // Not for each heartbeat.
              const isChanged =
                !isSame(before.metadata.labels, after.metadata.labels) || !isSame(before.spec, after.spec);
              if (isChanged) wakeTenant(after);
            },
            deleted: wakeTenant,
          };
        },
      },
      {
        informer: pods,
        handlers: (queue) => {
          const wake = dependents.handlers(queue);
          return {
            added: (pod: Pod) => {
              const uid = dependents.ownerUidOf(pod);
              if (uid !== undefined && pod.metadata.deletionTimestamp === undefined) {
                expectations.creationsObserved(uid);
              }
              wake.added(pod);
            },
            updated: (before: Pod, after: Pod) => {
              const uid = dependents.ownerUidOf(after);
              if (uid !== undefined && after.metadata.deletionTimestamp !== undefined) {
                expectations.deletionObserved(uid, after.metadata.uid);
              }
              wake.updated(before, after);
            },
            deleted: (pod: Pod) => {
              const uid = dependents.ownerUidOf(pod);
              if (uid !== undefined) expectations.deletionObserved(uid, pod.metadata.uid);
              wake.deleted(pod);
            },
          };
        },
      },
    ],
    reads: [revisions],
    async reconcile(key, tools) {
      const set = sets.get(key);
      if (set !== undefined) await reconcile(set, tools);
    },
  };
}
