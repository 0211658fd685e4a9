import type { VpcService } from '../../../api/pool.ts';
import { VPC_TABLE } from '../../vpc/vpc-rules.ts';
import {
  type Pick,
  pickChain,
  prefixOf,
  rememberChain,
  type ServiceElements,
  type StickyPort,
  serviceElements,
  type TableMap,
} from './elements.ts';

/** A transaction for nft, and what must be forgotten after it. */
export interface TableChange {
  /** Empty: nothing to do. */
  script: string;
  /** Ports whose clients may remember an endpoint that is gone. */
  forget: StickyPort[];
  /** UDP flows to endpoints that are gone, or to nobody, before there were any. */
  ended: EndedFlow[];
}

export interface EndedFlow {
  /** Undefined: at any node's address. */
  address?: string;
  port: string;
  /** Undefined: whoever answered, if anybody did. */
  endpoint?: string;
}

const table = `ip ${VPC_TABLE}`;
const sets: TableMap[] = ['hairpin', 'more-services'];
const maps: TableMap[] = [
  'services',
  'backends',
  'node-services',
  'node-backends',
  'local-services',
  'local-backends',
  'remember',
  ...sets,
];
const none: ServiceElements = { elements: [], picks: [], sticky: [] };

/**
 * What one VPC's table holds, service by service, and the transactions that lead from one state to the next: only
 * elements that differ are touched. Elements that several services share (hairpin addresses) go with the last of them.
 *
 * Pure; `begin` computes a change and `commit` takes it as done, so after a failure the next one starts over by `reset`.
 */
export class TableState {
  readonly #services = new Map<string, ServiceElements>();
  /** map -> key -> values wanted, by service; the first one counts. */
  #wanted = new Map<TableMap, Map<string, Map<string, string>>>(maps.map((map) => [map, new Map()]));
  readonly #chains = new Set<string>();

  /** The whole table, whatever is in the kernel: flushes all, then adds all. */
  reset(services: ReadonlyMap<string, VpcService>): TableChange {
    this.#services.clear();
    this.#chains.clear();
    this.#wanted = new Map(maps.map((map) => [map, new Map()]));
    const flush = maps.map((map) => `flush ${sets.includes(map) ? 'set' : 'map'} ${table} ${map}`);
    const change = this.change(services);
    const forget = [...this.#services.values()].flatMap(({ sticky }) => sticky);
    return { script: `${flush.join('\n')}\n${change.script}`, forget, ended: [] };
  }

  /** @param changed by name; undefined: the service is gone */
  change(changed: ReadonlyMap<string, VpcService | undefined>): TableChange {
    const before = new Map<string, { map: TableMap; key: string; value: string | undefined }>();
    const touch = (map: TableMap, key: string) => {
      const id = `${map} ${key}`;
      if (!before.has(id)) before.set(id, { map, key, value: this.#value(map, key) });
    };
    const chains: string[] = [];
    const forget: StickyPort[] = [];
    const ended: EndedFlow[] = [];
    for (const [name, service] of changed) {
      const old = this.#services.get(name) ?? none;
      const next = service === undefined ? none : serviceElements(service);
      for (const { map, key } of old.elements) {
        touch(map, key);
        const owners = this.#wanted.get(map)!.get(key);
        owners?.delete(name);
        if (owners?.size === 0) this.#wanted.get(map)!.delete(key);
      }
      for (const { map, key, value } of next.elements) {
        touch(map, key);
        const keys = this.#wanted.get(map)!;
        let owners = keys.get(key);
        if (owners === undefined) keys.set(key, (owners = new Map()));
        owners.set(name, value);
      }
      for (const pick of next.picks) chains.push(...this.#pick(pick));
      for (const sticky of next.sticky) chains.push(...this.#sticky(sticky));
      forget.push(...staleSticky(old.sticky, next.sticky));
      ended.push(...endedFlows(old, next), ...unansweredFlows(old, next));
      if (service === undefined) this.#services.delete(name);
      else this.#services.set(name, next);
    }

    const deleted = new Map<TableMap, string[]>();
    const added = new Map<TableMap, string[]>();
    const put = (target: Map<TableMap, string[]>, map: TableMap, text: string) => {
      const list = target.get(map);
      if (list === undefined) target.set(map, [text]);
      else list.push(text);
    };
    for (const { map, key, value } of before.values()) {
      const now = this.#value(map, key);
      if (now === value) continue;
      if (value !== undefined) put(deleted, map, key);
      if (now !== undefined) put(added, map, now === '' ? key : `${key} : ${now}`);
    }
    const lines = [
      ...chains,
      ...[...deleted].map(([map, keys]) => `delete element ${table} ${map} { ${keys.join(', ')} }`),
      ...[...added].map(([map, elements]) => `add element ${table} ${map} { ${elements.join(', ')} }`),
    ];
    return { script: lines.length === 0 ? '' : `${lines.join('\n')}\n`, forget, ended };
  }

  #value(map: TableMap, key: string): string | undefined {
    return this.#wanted.get(map)!.get(key)?.values().next().value;
  }

  #pick(pick: Pick): string[] {
    const backend = { service: 'ip daddr . ', local: 'meta iifgroup . ip daddr . ', node: '' }[pick.at];
    return this.#chain(pickChain(pick), [
      // The number goes through the mark: a map keyed by `numgen` itself can only be declared with `typeof`, and then
      // nft 1.0.6 limits the rule to TCP.
      `meta mark set numgen random mod ${pick.count}`,
      `dnat ip to ${backend}meta l4proto . th dport . meta mark map @${prefixOf(pick.at)}backends`,
    ]);
  }

  #sticky({ chain, at, mark, endpointCount, timeoutSeconds }: StickyPort): string[] {
    const remember = this.#chain(rememberChain(timeoutSeconds), [
      `update @affinity { ip saddr . ct mark . meta l4proto timeout ${timeoutSeconds}s : ip daddr . th dport }`,
    ]);
    // Its body changes with the number of endpoints, so it is written each time.
    this.#chains.delete(chain);
    return [
      ...remember,
      ...this.#chain(chain, [
        `ct mark set 0x${mark.toString(16)}`,
        'dnat ip to ip saddr . ct mark . meta l4proto map @affinity',
        `goto ${pickChain({ at, count: endpointCount })}`,
      ]),
    ];
  }

  /** Chains stay when nothing leads to them any more; there are few, and their names say all about them. */
  #chain(name: string, rules: string[]): string[] {
    if (this.#chains.has(name)) return [];
    this.#chains.add(name);
    return [
      `add chain ${table} ${name}`,
      `flush chain ${table} ${name}`,
      ...rules.map((rule) => `add rule ${table} ${name} ${rule}`),
    ];
  }
}

function endedFlows(old: ServiceElements, next: ServiceElements): EndedFlow[] {
  const flows = ({ elements }: ServiceElements) =>
    new Map(
      elements
        .filter(({ map, key }) => map.endsWith('backends') && key.includes('udp . '))
        .map(({ map, key, value }) => {
          const parts = key.split(' . ');
          if (map === 'local-backends') parts.shift();
          const address = map === 'node-backends' ? undefined : parts.shift()!;
          const port = parts[1]!;
          const [endpoint = ''] = value.split(' . ');
          return [`${address} ${port} ${value}`, { ...(address !== undefined && { address }), port, endpoint }];
        }),
    );
  const now = flows(next);
  return [...flows(old)].filter(([id]) => !now.has(id)).map(([, flow]) => flow);
}

/**
 * What was sent to a node port before it had an endpoint went to the node itself; the kernel would keep to that. At an
 * address of the service it was refused, and nothing is kept.
 */
function unansweredFlows(old: ServiceElements, next: ServiceElements): EndedFlow[] {
  const ports = ({ elements }: ServiceElements) =>
    elements.filter(({ map, key }) => map === 'node-services' && key.startsWith('udp . ')).map(({ key }) => key);
  const before = new Set(ports(old));
  return ports(next)
    .filter((key) => !before.has(key))
    .map((key) => ({ port: key.slice('udp . '.length) }));
}

/** Ports that lost an endpoint or all of them. */
function staleSticky(old: StickyPort[], next: StickyPort[]): StickyPort[] {
  return old.flatMap((before) => {
    const now = next.find(({ mark }) => mark === before.mark) ?? { ...before, endpoints: [] };
    const kept = new Set(now.endpoints);
    return before.endpoints.every((endpoint) => kept.has(endpoint)) ? [] : [now];
  });
}
