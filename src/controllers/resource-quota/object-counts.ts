import type { GroupResource } from '../../api/object.ts';
import { countName, objectCount } from '../../api/quota/index.ts';

/** How many objects of each resource each namespace holds: counted as they come and go, so that nothing is walked. */
export class ObjectCounts {
  /** Resource name of quota (`count/deployments.apps`) -> `tenant/namespace` -> how many. */
  readonly #byName = new Map<string, Map<string, number>>();

  add(resource: GroupResource, place: string, change: 1 | -1): void {
    const name = countName(resource);
    let byPlace = this.#byName.get(name);
    if (byPlace === undefined) this.#byName.set(name, (byPlace = new Map()));
    const count = (byPlace.get(place) ?? 0) + change;
    if (count > 0) byPlace.set(place, count);
    else byPlace.delete(place);
  }

  /** undefined for names that are no count of a resource there is. */
  of(name: string, place: string): number | undefined {
    const byPlace = this.#byName.get(name) ?? this.#byName.get(legacyNames.get(name) ?? '');
    if (byPlace !== undefined) return byPlace.get(place) ?? 0;
    return name.startsWith('count/') || legacyNames.has(name) ? 0 : undefined;
  }
}

/** `secrets` is `count/secrets`. */
const legacyNames = new Map(
  ['configmaps', 'resourcequotas', 'replicationcontrollers', 'secrets']
    .map((resource) => ({ group: '', resource }))
    .filter((resource) => objectCount(resource).isMine(resource.resource))
    .map((resource) => [resource.resource, countName(resource)]),
);
