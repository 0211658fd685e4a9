import type { Deployment, ReplicaSet } from '../../api/generated/apps-v1.ts';
import { DEPLOYMENTS, REPLICA_SETS } from '../../api/resources.ts';
import { isAlreadyExists, isNotFound } from '../../api/status.ts';
import type { Client } from '../../client/client.ts';
import type { ReconcileTools } from '../../client/controller.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import { keyOf } from '../../client/informer.ts';
import { isSame } from '../common/canonical.ts';
import { templateHash } from '../common/hash.ts';
import { controllerReference } from '../common/owner.ts';
import { isNamespaceTerminating, messageOf } from '../common/pod-template.ts';
import {
  activeSets,
  byAge,
  hasHistoryLimit,
  hasProgressDeadline,
  newSetSize,
  REVISION,
  sizeOf,
} from './replica-math.ts';
import {
  findNewSet,
  maxRevision,
  newSetAnnotations,
  replicaAnnotations,
  replicaSetName,
  revisionOf,
  sameTemplate,
  TEMPLATE_HASH,
} from './revisions.ts';
import { conditionOf, newCondition, progressCheckInMs, withCondition } from './status.ts';

/** One reconcile of one Deployment: its state as last written, and the requests it may send. */
export class Rollout {
  deployment: Deployment;
  readonly #sets: ReplicaSet[];
  readonly #client: Client;
  readonly #recorder: EventRecorder;
  readonly #tools: ReconcileTools;
  newSet: ReplicaSet | undefined;

  constructor(
    deployment: Deployment,
    sets: ReplicaSet[],
    dependencies: { client: Client; recorder: EventRecorder },
    tools: ReconcileTools,
  ) {
    this.deployment = deployment;
    this.#sets = sets;
    this.#client = dependencies.client;
    this.#recorder = dependencies.recorder;
    this.#tools = tools;
    this.newSet = findNewSet(deployment, sets);
  }

  get nowMs(): number {
    return this.#tools.now();
  }

  get oldSets(): ReplicaSet[] {
    return this.#sets.filter((set) => set.metadata.uid !== this.newSet?.metadata.uid);
  }

  get allSets(): ReplicaSet[] {
    return this.newSet === undefined ? this.oldSets : [...this.oldSets, this.newSet];
  }

  get activeOldSets(): ReplicaSet[] {
    return activeSets(this.oldSets);
  }

  warn(reason: string, message: string): void {
    this.#event('Warning', reason, message);
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    const { metadata } = this.deployment;
    this.#recorder.event({ apiVersion: 'apps/v1', kind: 'Deployment', metadata }, type, reason, message);
  }

  async writeStatus(status: Deployment['status']): Promise<void> {
    if (isSame(status, this.deployment.status)) {
      const inMs = progressCheckInMs(this.deployment, status!, this.nowMs);
      if (inMs !== undefined) this.#tools.queue.addAfter(keyOf(this.deployment), inMs);
      return;
    }
    this.deployment = await this.#client.for(DEPLOYMENTS, this.deployment).updateStatus({
      ...this.deployment,
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      status: status!,
    });
  }

  async setCondition(status: string, reason: string, message: string): Promise<void> {
    const condition = newCondition('Progressing', status, reason, message, this.nowMs);
    const conditions = withCondition(this.deployment.status?.conditions, condition);
    await this.writeStatus({ ...this.deployment.status, conditions });
  }

  /** The Deployment shows the revision of its newest set. */
  async #setRevision(revision: string | undefined): Promise<void> {
    if (revision === undefined || this.deployment.metadata.annotations?.[REVISION] === revision) return;
    this.deployment = await this.#client
      .for(DEPLOYMENTS, this.deployment)
      .patch(this.deployment.metadata.name, 'merge', {
        metadata: {
          resourceVersion: this.deployment.metadata.resourceVersion,
          annotations: { [REVISION]: revision },
        },
      });
  }

  #replace(set: ReplicaSet): ReplicaSet {
    const index = this.#sets.findIndex((other) => other.metadata.uid === set.metadata.uid);
    if (index < 0) this.#sets.push(set);
    else this.#sets[index] = set;
    if (this.newSet?.metadata.uid === set.metadata.uid) this.newSet = set;
    return set;
  }

  async #update(set: ReplicaSet): Promise<ReplicaSet> {
    const body = { ...set, apiVersion: 'apps/v1', kind: 'ReplicaSet' };
    return this.#replace(await this.#client.for(REPLICA_SETS, set).update(body));
  }

  /** Brings the newest set's annotations, and with them the revisions, up to date; creates the set when asked to. */
  async syncRevision(createIfMissing: boolean): Promise<void> {
    const newRevision = maxRevision(this.oldSets) + 1n;
    if (this.newSet === undefined) {
      if (createIfMissing) await this.#createNewSet(newRevision);
      return;
    }
    const annotations = newSetAnnotations(this.deployment, this.newSet.metadata.annotations, newRevision);
    const minReadySeconds = this.deployment.spec.minReadySeconds ?? 0;
    if (
      !isSame(annotations, this.newSet.metadata.annotations) ||
      minReadySeconds !== (this.newSet.spec.minReadySeconds ?? 0)
    ) {
      const { minReadySeconds: _, ...spec } = this.newSet.spec;
      await this.#update({
        ...this.newSet,
        metadata: { ...this.newSet.metadata, annotations },
        spec: { ...spec, ...(minReadySeconds > 0 && { minReadySeconds }) },
      });
    }
    await this.#setRevision(this.newSet.metadata.annotations?.[REVISION]);
    if (
      hasProgressDeadline(this.deployment) &&
      conditionOf(this.deployment.status?.conditions, 'Progressing') === undefined
    ) {
      const message = `Found new replica set ${JSON.stringify(this.newSet.metadata.name)}`;
      await this.setCondition('True', 'FoundNewReplicaSet', message);
    }
  }

  async #createNewSet(revision: bigint): Promise<void> {
    const { deployment } = this;
    const { template, selector } = deployment.spec;
    const hash = templateHash(template, deployment.status?.collisionCount);
    const name = replicaSetName(deployment.metadata.name, hash);
    const labels = { ...template.metadata?.labels, [TEMPLATE_HASH]: hash };
    const minReadySeconds = deployment.spec.minReadySeconds ?? 0;
    const replicas = newSetSize(deployment, this.oldSets, 0);
    const sets = this.#client.resource<ReplicaSet>(
      deployment.metadata.clusterName!,
      REPLICA_SETS,
      deployment.metadata.namespace,
    );
    let created: ReplicaSet;
    try {
      created = await sets.create({
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        metadata: {
          name,
          namespace: deployment.metadata.namespace!,
          labels,
          annotations: { ...newSetAnnotations(deployment, undefined, revision), ...replicaAnnotations(deployment) },
          ownerReferences: [controllerReference(deployment, 'apps/v1', 'Deployment')],
        },
        spec: {
          replicas,
          ...(minReadySeconds > 0 && { minReadySeconds }),
          selector: { ...selector, matchLabels: { ...selector?.matchLabels, [TEMPLATE_HASH]: hash } },
          template: { ...template, metadata: { ...template.metadata, labels } },
        },
      });
    } catch (error) {
      if (isAlreadyExists(error)) {
        const existing = await sets.get(name);
        const owner = existing.metadata.ownerReferences?.find((reference) => reference.controller === true);
        if (owner?.uid === deployment.metadata.uid && sameTemplate(template, existing.spec.template!)) {
          // The cache lags behind: this is what was created a moment ago.
          this.newSet = this.#replace(existing);
          await this.#setRevision(existing.metadata.annotations?.[REVISION]);
          return;
        }
        // Another template has the same hash: the next round tries with another salt.
        await this.writeStatus({
          ...deployment.status,
          collisionCount: (deployment.status?.collisionCount ?? 0) + 1,
        });
      } else if (!isNamespaceTerminating(error)) {
        const message = `Failed to create new replica set ${JSON.stringify(name)}: ${messageOf(error)}`;
        if (hasProgressDeadline(deployment)) await this.setCondition('False', 'ReplicaSetCreateError', message);
        this.warn('ReplicaSetCreateError', message);
      }
      throw error;
    }
    this.newSet = created;
    this.#replace(created);
    if (replicas > 0) {
      this.#event('Normal', 'ScalingReplicaSet', `Scaled up replica set ${name} from 0 to ${replicas}`);
    }
    await this.#setRevision(created.metadata.annotations?.[REVISION]);
    if (hasProgressDeadline(this.deployment)) {
      await this.setCondition('True', 'NewReplicaSetCreated', `Created new replica set ${JSON.stringify(name)}`);
    }
  }

  /** Whether the size changed. `alsoAnnotations`: writes the size annotations even when the size is right already. */
  async scaleSet(set: ReplicaSet, size: number, alsoAnnotations = false): Promise<boolean> {
    const before = sizeOf(set);
    if (before === size && !alsoAnnotations) return false;
    const wanted = replicaAnnotations(this.deployment);
    const annotations = { ...set.metadata.annotations, ...wanted };
    if (before === size && isSame(annotations, set.metadata.annotations)) return false;
    await this.#update({
      ...set,
      metadata: { ...set.metadata, annotations },
      spec: { ...set.spec, replicas: size },
    });
    if (before === size) return false;
    const direction = before < size ? 'up' : 'down';
    this.#event(
      'Normal',
      'ScalingReplicaSet',
      `Scaled ${direction} replica set ${set.metadata.name} from ${before} to ${size}`,
    );
    return true;
  }

  /** Deletes old, empty sets beyond revisionHistoryLimit, oldest revisions first. */
  async cleanUp(): Promise<void> {
    if (!hasHistoryLimit(this.deployment)) return;
    const alive = this.oldSets.filter((set) => set.metadata.deletionTimestamp === undefined);
    const excess = alive.length - this.deployment.spec.revisionHistoryLimit!;
    if (excess <= 0) return;
    const oldestFirst = byAge(alive).sort((a, b) => Number(revisionOf(a) - revisionOf(b)));
    for (const set of oldestFirst.slice(0, excess)) {
      const isObserved = (set.metadata.generation ?? 0) <= (set.status?.observedGeneration ?? 0);
      if ((set.status?.replicas ?? 0) !== 0 || sizeOf(set) !== 0 || !isObserved) continue;
      try {
        await this.#client.for(REPLICA_SETS, set).delete(set.metadata.name, { propagationPolicy: 'Background' });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  }
}
