import type { KubeObject } from '../../object.ts';
import type { ColumnDefinition } from '../../resource-definition.ts';
import { formatLabelSelector } from '../../selectors/label-selectors.ts';
import { ageColumn, formatLabels, nameColumn, named, textColumn, wideColumn } from './common.ts';

function loadBalancerAddresses(status: any): string[] {
  const addresses = (status?.loadBalancer?.ingress ?? []).map((ingress: any) => ingress.ip || ingress.hostname || '');
  return [...new Set<string>(addresses.filter((address: string) => address !== ''))].sort();
}

function externalIp({ spec, status }: KubeObject): string {
  const given: string[] = spec?.externalIPs ?? [];
  switch (spec?.type) {
    case 'ClusterIP':
    case 'NodePort':
      return given.join(',') || '<none>';
    case 'LoadBalancer':
      return [...loadBalancerAddresses(status), ...given].join(',') || '<pending>';
    case 'ExternalName':
      return spec.externalName ?? '';
    default:
      return '<unknown>';
  }
}

const servicePorts = ({ spec }: KubeObject): string =>
  (spec?.ports ?? [])
    .map(({ port, nodePort, protocol }: any) =>
      nodePort > 0 ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
    )
    .join(',') || '<none>';

const SHOWN = 3;

/** The first few, and how many more. */
function shorten(list: string[], otherwise: string): string {
  if (list.length > SHOWN) return `${list.slice(0, SHOWN).join(',')} + ${list.length - SHOWN} more...`;
  return list.join(',') || otherwise;
}

const hostPort = (ip: string, port: number): string => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`);

function endpointAddresses({ subsets }: KubeObject): string {
  const shown: string[] = [];
  let count = 0;
  for (const { addresses = [], ports = [] } of subsets ?? []) {
    // Each port of each address: there may be a thousand millions.
    count += addresses.length * Math.max(1, ports.length);
    for (const port of ports.length === 0 ? [undefined] : ports.slice(0, SHOWN)) {
      for (const { ip } of addresses.slice(0, SHOWN)) {
        if (shown.length < SHOWN) shown.push(port === undefined ? ip : hostPort(ip, port.port));
      }
    }
  }
  if (!subsets?.length) return '<none>';
  return count > SHOWN ? `${shown.join(',')} + ${count - SHOWN} more...` : shown.join(',');
}

function ingressHosts({ spec }: KubeObject): string {
  const rules: { host?: string }[] = spec?.rules ?? [];
  const hosts: string[] = [];
  let more = false;
  for (const { host } of rules) {
    if (hosts.length === SHOWN) more = true;
    if (!more && host) hosts.push(host);
  }
  if (hosts.length === 0) return '*';
  return more ? `${hosts.join(',')} + ${rules.length - SHOWN} more...` : hosts.join(',');
}

function withDefaultMark(object: KubeObject): string {
  const isDefault = object.metadata.annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true';
  return isDefault ? `${object.metadata.name} (default)` : object.metadata.name;
}

function classParameters({ spec }: KubeObject): string {
  const parameters = spec?.parameters;
  if (!parameters) return '<none>';
  return `${parameters.kind}${parameters.apiGroup ? `.${parameters.apiGroup}` : ''}/${parameters.name}`;
}

export const networkColumns: Record<string, ColumnDefinition[]> = {
  '/services': [
    nameColumn,
    textColumn('Type', (object) => object['spec']?.type ?? ''),
    textColumn('Cluster-IP', (object) => object['spec']?.clusterIPs?.[0] ?? '<none>'),
    textColumn('External-IP', externalIp),
    textColumn('Port(s)', servicePorts),
    ageColumn,
    wideColumn('Selector', (object) => formatLabels(object['spec']?.selector)),
  ],
  '/endpoints': [nameColumn, textColumn('Endpoints', endpointAddresses), ageColumn],
  'discovery.k8s.io/endpointslices': [
    nameColumn,
    textColumn('AddressType', (object) => object['addressType'] ?? ''),
    textColumn('Ports', (object) =>
      shorten(
        (object['ports'] ?? []).map((port: any) => String(port.port ?? port.name ?? '*')),
        '<unset>',
      ),
    ),
    textColumn('Endpoints', (object) =>
      shorten(
        (object['endpoints'] ?? []).flatMap((endpoint: any) => endpoint.addresses ?? []),
        '<unset>',
      ),
    ),
    ageColumn,
  ],
  'networking.k8s.io/ingresses': [
    nameColumn,
    textColumn('Class', (object) => object['spec']?.ingressClassName ?? '<none>'),
    textColumn('Hosts', ingressHosts),
    textColumn('Address', (object) => loadBalancerAddresses(object['status']).join(',')),
    textColumn('Ports', (object) => (object['spec']?.tls?.length ? '80, 443' : '80')),
    ageColumn,
  ],
  'networking.k8s.io/ingressclasses': [
    named(withDefaultMark),
    textColumn('Controller', (object) => object['spec']?.controller ?? ''),
    textColumn('Parameters', classParameters),
    ageColumn,
  ],
  'networking.k8s.io/networkpolicies': [
    nameColumn,
    textColumn('Pod-Selector', (object) => formatLabelSelector(object['spec']?.podSelector ?? {})),
    ageColumn,
  ],
  'networking.k8s.io/ipaddresses': [
    nameColumn,
    textColumn('ParentRef', (object) => {
      const { group, resource, namespace, name } = object['spec']?.parentRef ?? {};
      if (!name) return '<none>';
      return [`${resource}${group ? `.${group}` : ''}`, namespace, name].filter(Boolean).join('/');
    }),
  ],
  'networking.k8s.io/servicecidrs': [
    nameColumn,
    textColumn('CIDRs', (object) => (object['spec']?.cidrs ?? []).join(',')),
    ageColumn,
  ],
};
