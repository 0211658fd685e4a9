import type { EndpointSlice } from '../../../api/generated/discovery-v1.ts';

type Endpoint = NonNullable<EndpointSlice['endpoints']>[number];

/**
 * Where hints keep traffic near: by endpoint's address those of the virtual nodes whose pods are to use it, and none
 * that is not near. Nodes that no hint narrows are not among them. Source: kube-proxy's topologyModeFromHints.
 * @param nodes addresses in the VPC by virtual nodes' names
 * @param zones by virtual nodes' names
 */
export function nearness(
  slices: EndpointSlice[],
  nodes: ReadonlyMap<string, string>,
  zones: ReadonlyMap<string, string>,
): Map<string, string[]> {
  const near = new Map<string, string[]>();
  const ready = slices
    .filter(({ addressType }) => addressType === 'IPv4')
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter(({ addresses, conditions }) => addresses[0] !== undefined && (conditions?.ready ?? true));
  const forNode = chooser(ready, ({ hints }) => hints?.forNodes);
  const forZone = chooser(ready, ({ hints }) => hints?.forZones);
  for (const [name, node] of nodes) {
    const chosen = forNode(name) ?? forZone(zones.get(name)) ?? ready;
    if (chosen.length === ready.length) continue;
    for (const address of new Set(chosen.map(({ addresses }) => addresses[0]!))) {
      near.set(address, [...(near.get(address) ?? []), node].sort());
    }
  }
  return near;
}

/** Hints count when every endpoint has some, and for a place only when one of them means it. */
function chooser(ready: Endpoint[], hintsOf: (endpoint: Endpoint) => { name: string }[] | undefined) {
  const isHinted = ready.every((endpoint) => (hintsOf(endpoint) ?? []).length > 0);
  return (place: string | undefined): Endpoint[] | undefined => {
    if (!isHinted) return undefined;
    const chosen = ready.filter((endpoint) => hintsOf(endpoint)!.some(({ name }) => name === place));
    return chosen.length > 0 ? chosen : undefined;
  };
}
