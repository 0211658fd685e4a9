import type { GroupVersionResource, KubeObject } from '../../api/object.ts';
import type { Client } from '../../client/client.ts';
import type { ControllerQueue } from '../../client/controller.ts';
import { type Informer, type InformerHandlers, keyOf } from '../../client/informer.ts';
import { adopt, release } from './adoption.ts';
import { controllerOf, controllerReference, namespaceOf, orphansOf, siblingKey } from './owner.ts';

export interface DependentsOptions<Owner extends KubeObject, Dependent extends KubeObject> {
  client: Client;
  ownerResource: GroupVersionResource;
  ownerApiVersion: string;
  ownerKind: string;
  /** With `byNamespace`. */
  owners: Informer<Owner>;
  resource: GroupVersionResource;
  /** With `byController`. */
  dependents: Informer<Dependent>;
  /** Says of a dependent whether the owner's selector takes it. */
  membership(owner: Owner): (dependent: Dependent) => boolean;
}

/** What the owners of one kind manage: found by controller reference, taken in and let go of by selector. */
export class Dependents<Owner extends KubeObject, Dependent extends KubeObject> {
  readonly #options: DependentsOptions<Owner, Dependent>;

  constructor(options: DependentsOptions<Owner, Dependent>) {
    this.#options = options;
  }

  /** Undefined where its controller is of another kind, or it has none. */
  ownerUidOf(dependent: Dependent): string | undefined {
    const reference = controllerOf(dependent);
    return reference?.kind === this.#options.ownerKind ? reference.uid : undefined;
  }

  /** Its owner, or, while it has none, all who may take it in. */
  wake(dependent: Dependent, queue: ControllerQueue): void {
    const { ownerKind, owners, membership } = this.#options;
    const reference = controllerOf(dependent);
    if (reference?.kind === ownerKind) queue.add(siblingKey(dependent, reference.name));
    if (reference !== undefined || dependent.metadata.deletionTimestamp !== undefined) return;
    for (const owner of owners.byIndex('namespace', namespaceOf(dependent))) {
      if (membership(owner)(dependent)) queue.add(keyOf(owner));
    }
  }

  handlers(queue: ControllerQueue): Required<InformerHandlers<Dependent>> {
    return {
      added: (dependent) => this.wake(dependent, queue),
      updated: (before, after) => {
        if (controllerOf(before)?.uid !== controllerOf(after)?.uid) this.wake(before, queue);
        this.wake(after, queue);
      },
      deleted: (dependent) => {
        if (controllerOf(dependent) !== undefined) this.wake(dependent, queue);
      },
    };
  }

  /** Lets go of those that do not match any more, and takes orphans in that do. */
  async claim(owner: Owner): Promise<{ owned: Dependent[]; adopted: Dependent[] }> {
    const { client, ownerResource, ownerApiVersion, ownerKind, resource, dependents, membership } = this.#options;
    const present = dependents.byIndex('controller', owner.metadata.uid);
    if (owner.metadata.deletionTimestamp !== undefined) return { owned: present, adopted: [] };
    const isMember = membership(owner);
    const owned: Dependent[] = [];
    for (const dependent of present) {
      if (isMember(dependent)) owned.push(dependent);
      else await release(client, owner.metadata.uid, resource, dependent);
    }
    const adopted: Dependent[] = [];
    const reference = controllerReference(owner, ownerApiVersion, ownerKind);
    for (const orphan of dependents.byIndex('controller', orphansOf(owner))) {
      if (orphan.metadata.deletionTimestamp !== undefined || !isMember(orphan)) continue;
      if (await adopt(client, ownerResource, owner, reference, resource, orphan)) adopted.push(orphan);
    }
    return { owned, adopted };
  }
}
