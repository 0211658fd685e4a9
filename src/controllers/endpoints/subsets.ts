import type { EndpointAddress, EndpointPort, EndpointSubset, Pod, Service } from '../../api/generated/core-v1.ts';
import { canonical } from '../common/canonical.ts';
import { isPodReady } from '../common/pod-state.ts';
import { hasEndpoint, hostnameIn, isHeadless, targetPortOf } from '../common/service-pods.ts';

/** An Endpoints object holds no more addresses than this. */
const mostAddresses = 1000;

interface Entry {
  address: EndpointAddress;
  isReady: boolean;
  ports: EndpointPort[];
}

/** The subsets of a service's Endpoints: addresses that offer the same ports stand together, sorted by address. */
export function subsetsOf(service: Service, pods: Pod[]): EndpointSubset[] {
  const publishAll = service.spec?.publishNotReadyAddresses === true;
  const groups = new Map<string, Entry[]>();
  for (const pod of pods) {
    if (!hasEndpoint(pod, publishAll)) continue;
    const ip = addressOf(service, pod);
    if (ip === undefined) continue;
    const ports = portsOf(service, pod);
    const isPortless = (service.spec?.ports ?? []).length === 0 && isHeadless(service);
    if (ports.length === 0 && !isPortless) continue;
    const hostname = hostnameIn(service, pod);
    const address: EndpointAddress = {
      ip,
      ...(hostname !== undefined && { hostname }),
      ...((pod.spec?.nodeName ?? '') !== '' && { nodeName: pod.spec!.nodeName! }),
      targetRef: { kind: 'Pod', namespace: pod.metadata.namespace!, name: pod.metadata.name, uid: pod.metadata.uid },
    };
    const key = canonical(ports);
    const entry = { address, isReady: publishAll || isPodReady(pod), ports };
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [entry]);
    else group.push(entry);
  }
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, entries]) => {
      const sorted = entries.sort((a, b) => (a.address.ip < b.address.ip ? -1 : 1));
      const ready = sorted.filter((entry) => entry.isReady).map((entry) => entry.address);
      const notReady = sorted.filter((entry) => !entry.isReady).map((entry) => entry.address);
      return {
        ...(ready.length > 0 && { addresses: ready }),
        ...(notReady.length > 0 && { notReadyAddresses: notReady }),
        ...(entries[0]!.ports.length > 0 && { ports: entries[0]!.ports }),
      };
    });
}

function portsOf(service: Service, pod: Pod): EndpointPort[] {
  const ports: EndpointPort[] = [];
  for (const port of service.spec?.ports ?? []) {
    const number = targetPortOf(port, pod);
    if (number === undefined) continue;
    ports.push({
      ...(port.name !== undefined && { name: port.name }),
      port: number,
      protocol: port.protocol ?? 'TCP',
      ...(port.appProtocol !== undefined && { appProtocol: port.appProtocol }),
    });
  }
  return ports;
}

function addressOf(service: Service, pod: Pod): string | undefined {
  const wantsIPv6 = service.spec?.ipFamilies?.[0] === 'IPv6';
  const all = pod.status?.podIPs?.map(({ ip }) => ip) ?? [pod.status?.podIP];
  return all.find((ip) => ip !== undefined && ip !== '' && ip.includes(':') === wantsIPv6);
}

/** Cuts to `mostAddresses`, not-ready ones first and each subset in proportion; undefined when there is nothing to cut. */
export function truncated(subsets: EndpointSubset[]): EndpointSubset[] | undefined {
  const count = (read: (subset: EndpointSubset) => EndpointAddress[] | undefined) =>
    subsets.reduce((sum, subset) => sum + (read(subset)?.length ?? 0), 0);
  const ready = count((subset) => subset.addresses);
  const notReady = count((subset) => subset.notReadyAddresses);
  if (ready + notReady <= mostAddresses) return undefined;
  const cutsReady = ready > mostAddresses;
  const budget = cutsReady ? mostAddresses : mostAddresses - ready;
  const total = cutsReady ? ready : notReady;
  let left = budget;
  return subsets.map((subset) => {
    const list = (cutsReady ? subset.addresses : subset.notReadyAddresses) ?? [];
    const share = Math.min(left, Math.ceil((list.length / total) * budget));
    const kept = list.slice(0, share);
    left -= kept.length;
    const { addresses, notReadyAddresses: _, ...rest } = subset;
    return cutsReady
      ? { ...rest, addresses: kept }
      : { ...rest, ...(addresses !== undefined && { addresses }), ...(kept.length > 0 && { notReadyAddresses: kept }) };
  });
}
