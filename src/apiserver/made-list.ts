import type { KubeObject } from '../api/object.ts';
import type { ListAnswer } from './answer.ts';
import { VirtualEntry } from './tenants/virtual-entry.ts';
import { filterOf } from './verbs/options/selectors.ts';
import type { ResourceRequest } from './verbs/scope.ts';

/** A list of what is worked out when it is asked for: in every form and order that lists have, at no revision. */
export function madeList({ context, definition, tenant }: ResourceRequest, objects: KubeObject[]): ListAnswer {
  const filter = filterOf(context, definition);
  const wanted = filter === undefined ? objects : objects.filter((object) => filter.matches(object));
  const entries = wanted.map((object) => {
    const { name, namespace = '' } = object.metadata;
    return new VirtualEntry({ tenant, namespace, name, revision: 0, key: '' }, () => object);
  });
  const placeOf = ({ namespace, name }: VirtualEntry) => `${namespace}/${name}`;
  entries.sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
  return { type: 'list', definition, entries, metadata: {} };
}
