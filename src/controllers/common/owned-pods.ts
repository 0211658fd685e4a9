import type { Pod } from '../../api/generated/core-v1.ts';
import { keyOf, type ObjectKey } from '../../client/informer.ts';
import { isSame } from './canonical.ts';
import type { Labels } from './label-selector.ts';
import { isPodActive, isPodReady, isPodTerminating } from './pod-state.ts';

/** The pods of one owner, counted as they change: ten thousand pods cost one step an event, not a walk. */
export class OwnedPods {
  readonly active = new Map<ObjectKey, Pod>();
  readonly terminating = new Set<ObjectKey>();
  readyCount = 0;
  /** How many active pods carry the very same labels; nearly always one entry. */
  readonly labelGroups = new Map<string, { labels: Labels; count: number }>();

  get isEmpty(): boolean {
    return this.active.size === 0 && this.terminating.size === 0;
  }

  add(pod: Pod): void {
    const key = keyOf(pod);
    if (isPodTerminating(pod)) this.terminating.add(key);
    if (!isPodActive(pod)) return;
    this.active.set(key, pod);
    if (isPodReady(pod)) this.readyCount++;
    const signature = JSON.stringify(pod.metadata.labels ?? {});
    const group = this.labelGroups.get(signature);
    if (group === undefined) this.labelGroups.set(signature, { labels: pod.metadata.labels ?? {}, count: 1 });
    else group.count++;
  }

  remove(pod: Pod): void {
    const key = keyOf(pod);
    this.terminating.delete(key);
    const counted = this.active.get(key);
    if (counted === undefined) return;
    this.active.delete(key);
    if (isPodReady(counted)) this.readyCount--;
    const signature = JSON.stringify(counted.metadata.labels ?? {});
    const group = this.labelGroups.get(signature)!;
    if (--group.count === 0) this.labelGroups.delete(signature);
  }

  /** The pod is one that was added, as it is now. Most changes leave it active, and its labels as they are. */
  update(pod: Pod): void {
    const key = keyOf(pod);
    const counted = this.active.get(key);
    if (counted !== undefined && isPodActive(pod) && isSame(counted.metadata.labels, pod.metadata.labels)) {
      this.active.set(key, pod);
      this.readyCount += Number(isPodReady(pod)) - Number(isPodReady(counted));
      return;
    }
    this.remove(pod);
    this.add(pod);
  }

  /** Active pods whose labels pass. */
  countLabelled(matches: (labels: Labels) => boolean): number {
    let count = 0;
    for (const group of this.labelGroups.values()) if (matches(group.labels)) count += group.count;
    return count;
  }
}

/** OwnedPods by the owner's uid. */
export class PodTally {
  readonly #byOwner = new Map<string, OwnedPods>();
  static readonly none = new OwnedPods();

  of(ownerUid: string): OwnedPods {
    return this.#byOwner.get(ownerUid) ?? PodTally.none;
  }

  add(ownerUid: string | undefined, pod: Pod): void {
    if (ownerUid === undefined) return;
    let pods = this.#byOwner.get(ownerUid);
    if (pods === undefined) {
      pods = new OwnedPods();
      this.#byOwner.set(ownerUid, pods);
    }
    pods.add(pod);
    if (pods.isEmpty) this.#byOwner.delete(ownerUid);
  }

  update(ownerUidBefore: string | undefined, before: Pod, ownerUid: string | undefined, after: Pod): void {
    const pods = ownerUid === undefined || ownerUid !== ownerUidBefore ? undefined : this.#byOwner.get(ownerUid);
    if (pods === undefined) {
      this.remove(ownerUidBefore, before);
      this.add(ownerUid, after);
      return;
    }
    pods.update(after);
    if (pods.isEmpty) this.#byOwner.delete(ownerUid!);
  }

  remove(ownerUid: string | undefined, pod: Pod): void {
    if (ownerUid === undefined) return;
    const pods = this.#byOwner.get(ownerUid);
    if (pods === undefined) return;
    pods.remove(pod);
    if (pods.isEmpty) this.#byOwner.delete(ownerUid);
  }
}
