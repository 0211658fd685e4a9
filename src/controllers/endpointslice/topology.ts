import type { Node, Service } from '../../api/generated/core-v1.ts';
import type { Endpoint } from '../../api/generated/discovery-v1.ts';
import { quantityMilliValue } from '../../api/quantity.ts';
import { ZONE_LABEL } from '../../api/well-known.ts';

/** What part of the nodes' CPU each zone has; undefined: not known of every node, or all of one zone. */
export type ZoneShares = ReadonlyMap<string, number>;

/** So much more than its share an endpoint may be asked. */
const OVERLOAD_THRESHOLD = 0.2;

const notForPods = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'];

/** Whether the service asks for hints by the zones' sizes (its older way; trafficDistribution took its place). */
export function isTopologyAware({ metadata }: Service): boolean {
  const annotations = metadata.annotations ?? {};
  const mode =
    annotations['service.kubernetes.io/topology-aware-hints'] ?? annotations['service.kubernetes.io/topology-mode'];
  return mode === 'Auto' || mode === 'auto';
}

export function zoneSharesOf(nodes: readonly Node[]): ZoneShares | undefined {
  const cpus = new Map<string, number>();
  let total = 0;
  for (const { metadata, status } of nodes) {
    if (notForPods.some((label) => metadata.labels?.[label] !== undefined)) continue;
    if (status?.conditions?.find(({ type }) => type === 'Ready')?.status !== 'True') continue;
    const zone = metadata.labels?.[ZONE_LABEL] ?? '';
    const cpuMillis = quantityMilliValue(status.allocatable?.['cpu'] ?? 0);
    if (zone === '' || cpuMillis === 0) return undefined;
    cpus.set(zone, (cpus.get(zone) ?? 0) + cpuMillis);
    total += cpuMillis;
  }
  return cpus.size < 2 ? undefined : new Map([...cpus].map(([zone, cpuMillis]) => [zone, cpuMillis / total]));
}

/**
 * Which zone's clients had best use which ready endpoint: those of its own, except that zones with more endpoints than
 * their share lend some to zones with less. A function of the endpoints alone, so that what did not change is not written.
 * Source: topologycache.AddHints.
 * @returns a zone for each ready endpoint; or why there are none
 */
export function zoneHints(
  endpoints: readonly Endpoint[],
  shares: ZoneShares | undefined,
): { zones: Map<Endpoint, string> } | { why: string } {
  if (shares === undefined)
    return { why: 'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes' };
  const ready = endpoints.filter(({ conditions }) => conditions?.ready === true);
  const counts = `(${ready.length} endpoints, ${shares.size} zones)`;
  if (shares.size > ready.length) return { why: `Insufficient number of endpoints ${counts}` };
  const desired = new Map<string, number>();
  let spare = ready.length;
  for (const [zone, share] of shares) {
    const wanted = share * ready.length;
    const minimum = Math.ceil(wanted / (1 + OVERLOAD_THRESHOLD));
    desired.set(zone, Math.max(wanted, minimum));
    spare -= minimum;
  }
  if (spare < 0) {
    return {
      why: `Unable to allocate minimum required endpoints to each zone without exceeding overload threshold ${counts}`,
    };
  }
  if (ready.some(({ zone }) => !zone)) return { why: 'One or more endpoints do not have a zone specified' };

  const zones = new Map(ready.map((endpoint) => [endpoint, endpoint.zone!]));
  const held = new Map<string, number>();
  for (const zone of zones.values()) held.set(zone, (held.get(zone) ?? 0) + 1);
  const surplus = new Map<string, number>();
  const lack = new Map<string, number>();
  for (const [zone, wanted] of desired) {
    const difference = (held.get(zone) ?? 0) - wanted;
    if (difference > 0) surplus.set(zone, difference);
    else if (difference < 0) lack.set(zone, -difference);
  }
  const byIdentity = [...ready].sort((a, b) => (identity(a) < identity(b) ? -1 : 1));
  for (;;) {
    const [giver, toGive] = largest(surplus);
    const [taker, toTake] = largest(lack);
    if (giver === undefined || taker === undefined) break;
    if ((toGive < 1 && toTake < 1) || toGive < 0.5 || toTake < 0.5) break;
    const lent = byIdentity.find((endpoint) => endpoint.zone === giver && zones.get(endpoint) === giver);
    if (lent === undefined) break;
    zones.set(lent, taker);
    surplus.set(giver, toGive - 1);
    lack.set(taker, toTake - 1);
  }
  return { zones };
}

const identity = ({ targetRef, addresses }: Endpoint): string => `${targetRef?.uid ?? ''} ${addresses[0]}`;

function largest(amounts: ReadonlyMap<string, number>): [string | undefined, number] {
  let found: [string | undefined, number] = [undefined, 0];
  for (const [zone, amount] of amounts) if (amount > found[1]) found = [zone, amount];
  return found;
}
