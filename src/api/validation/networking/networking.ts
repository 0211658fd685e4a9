import { semanticEqual } from '../../equality.ts';
import type { EndpointSlice } from '../../generated/discovery-v1.ts';
import type { Ingress, IngressBackend, IngressClass, NetworkPolicy } from '../../generated/networking-v1.ts';
import {
  isDns1123Label,
  isDns1123Subdomain,
  isLabelValue,
  isPortName,
  isPortNumber,
  isQualifiedName,
  isWildcardDns1123Subdomain,
} from '../../names.ts';
import type { Findings } from '../findings.ts';
import { validateImmutable, validateLabelSelector } from '../metadata.ts';
import {
  addressFindings,
  canonicalAddressFindings,
  cidrFindings,
  isIpAddress,
  isWithin,
  parseCidr,
} from './ip-address.ts';
import { validateEndpointIp } from './service.ts';

/** Source: pkg/apis/networking/validation. */
export function validateIngress({ spec }: Ingress, findings: Findings): void {
  if (!spec.rules?.length && spec.defaultBackend === undefined) {
    findings.invalid('spec', spec.rules ?? null, 'either `defaultBackend` or `rules` must be specified');
  }
  if (spec.defaultBackend !== undefined) validateBackend(spec.defaultBackend, 'spec.defaultBackend', findings);
  spec.rules?.forEach((rule, index) => {
    const path = `spec.rules[${index}]`;
    if (rule.host) {
      if (isIpAddress(rule.host)) findings.invalid(`${path}.host`, rule.host, 'must be a DNS name, not an IP address');
      findings.invalidEach(`${path}.host`, rule.host, hostFindings(rule.host));
    }
    if (rule.http === undefined) return;
    if (!rule.http.paths?.length) findings.required(`${path}.http.paths`);
    rule.http.paths?.forEach((one, i) => {
      validatePath(one, `${path}.http.paths[${i}]`, findings);
    });
  });
  spec.tls?.forEach((tls, index) => {
    const path = `spec.tls[${index}]`;
    tls.hosts?.forEach((host, i) => {
      findings.invalidEach(`${path}.hosts[${i}]`, host, hostFindings(host));
    });
    if (tls.secretName) findings.invalidEach(`${path}.secretName`, tls.secretName, isDns1123Subdomain(tls.secretName));
  });
  if (spec.ingressClassName !== undefined) {
    findings.invalidEach('spec.ingressClassName', spec.ingressClassName, isDns1123Subdomain(spec.ingressClassName));
  }
}

const hostFindings = (host: string): string[] =>
  host.includes('*') ? isWildcardDns1123Subdomain(host) : isDns1123Subdomain(host);

type Path = NonNullable<NonNullable<Ingress['spec']['rules']>[number]['http']>['paths'][number];
const badSequences = ['//', '/./', '/../', '%2f', '%2F'];
const badSuffixes = ['/..', '/.'];

function validatePath({ path = '', pathType, backend }: Path, at: string, findings: Findings): void {
  if (pathType === undefined || pathType === null) {
    findings.required(`${at}.pathType`, 'pathType must be specified');
    return;
  }
  if (pathType === 'Exact' || pathType === 'Prefix') {
    if (!path.startsWith('/')) findings.invalid(`${at}.path`, path, 'must be an absolute path');
    if (path !== '') {
      for (const bad of badSequences) {
        if (path.includes(bad)) findings.invalid(`${at}.path`, path, `must not contain '${bad}'`);
      }
      for (const bad of badSuffixes) {
        if (path.endsWith(bad)) findings.invalid(`${at}.path`, path, `cannot end with '${bad}'`);
      }
    }
  } else if (pathType === 'ImplementationSpecific') {
    if (path !== '' && !path.startsWith('/')) findings.invalid(`${at}.path`, path, 'must be an absolute path');
  } else findings.notSupported(`${at}.pathType`, pathType, ['Exact', 'ImplementationSpecific', 'Prefix']);
  validateBackend(backend, `${at}.backend`, findings);
}

function validateBackend({ service, resource }: IngressBackend, path: string, findings: Findings): void {
  if (service !== undefined && resource !== undefined) {
    findings.invalid(path, '', 'cannot set both resource and service backends');
    return;
  }
  if (resource !== undefined) {
    if (resource.apiGroup != null) {
      findings.invalidEach(`${path}.resource.apiGroup`, resource.apiGroup, isDns1123Subdomain(resource.apiGroup ?? ''));
    }
    if (!resource.kind) findings.required(`${path}.resource.kind`);
    if (!resource.name) findings.required(`${path}.resource.name`);
    return;
  }
  if (service === undefined) {
    findings.invalid(path, '', 'resource or service backend is required');
    return;
  }
  if (!service.name) findings.required(`${path}.service.name`);
  else findings.invalidEach(`${path}.service.name`, service.name, isDns1123Label(service.name));
  const { name, number } = service.port ?? {};
  if (name && number) findings.invalid(path, '', 'cannot set both port name & port number');
  if (name) findings.invalidEach(`${path}.service.port.name`, name, isPortName(name));
  else if (number) findings.invalidEach(`${path}.service.port.number`, number, isPortNumber(number));
  else findings.required(path, 'port name or number is required');
}

export function validateIngressClass({ spec }: IngressClass, findings: Findings): void {
  const controller = spec?.controller;
  if (controller && controller.length > 250) findings.tooLong('spec.controller', 250);
  if (controller && !/^[^/]+\/.+$/.test(controller)) {
    findings.invalid('spec.controller', controller, 'must be a domain-prefixed path (such as "acme.io/foo")');
  }
  if (!controller) findings.required('spec.controller');
  const parameters = spec?.parameters;
  if (parameters === undefined) return;
  if (parameters.apiGroup !== undefined) {
    findings.invalidEach('spec.parameters.apiGroup', parameters.apiGroup, isDns1123Subdomain(parameters.apiGroup));
  }
  if (!parameters.kind) findings.required('spec.parameters.kind');
  if (!parameters.name) findings.required('spec.parameters.name');
  findings.optionalOneOf(parameters.scope, 'spec.parameters.scope', ['Cluster', 'Namespace']);
  if (parameters.scope === 'Namespace' && parameters.namespace === undefined) {
    findings.required('spec.parameters.namespace', "`parameters.scope` is set to 'Namespace'");
  }
  if (parameters.scope === 'Namespace' && parameters.namespace !== undefined) {
    findings.invalidEach('spec.parameters.namespace', parameters.namespace, isDns1123Label(parameters.namespace));
  }
  if (parameters.scope === 'Cluster' && parameters.namespace) {
    findings.forbidden('spec.parameters.namespace', "`parameters.scope` is set to 'Cluster'");
  }
}

export function validateIngressClassUpdate(ingressClass: IngressClass, old: IngressClass, findings: Findings): void {
  validateImmutable(ingressClass.spec?.controller ?? '', old.spec?.controller, 'spec.controller', findings);
  validateIngressClass(ingressClass, findings);
}

export function validateNetworkPolicyUpdate(policy: NetworkPolicy, old: NetworkPolicy, findings: Findings): void {
  validateNetworkPolicy(policy, findings, rangesOf(old));
}

/** What once was taken may stay. */
function rangesOf({ spec }: NetworkPolicy): Set<string> {
  const peers = [
    ...(spec?.ingress ?? []).flatMap(({ from }) => from ?? []),
    ...(spec?.egress ?? []).flatMap(({ to }) => to ?? []),
  ];
  return new Set(peers.flatMap(({ ipBlock }) => (ipBlock ? [ipBlock.cidr, ...(ipBlock.except ?? [])] : [])));
}

export function validateNetworkPolicy({ spec }: NetworkPolicy, findings: Findings, known?: Set<string>): void {
  validateLabelSelector(spec?.podSelector, 'spec.podSelector', findings);
  for (const [direction, peers] of [
    ['ingress', 'from'],
    ['egress', 'to'],
  ] as const) {
    spec?.[direction]?.forEach((rule: any, index: number) => {
      const path = `spec.${direction}[${index}]`;
      rule.ports?.forEach((port: any, i: number) => {
        validatePolicyPort(port, `${path}.ports[${i}]`, findings);
      });
      rule[peers]?.forEach((peer: any, i: number) => {
        validatePeer(peer, `${path}.${peers}[${i}]`, findings, known);
      });
    });
  }
  const types = spec?.policyTypes ?? [];
  if (types.length > 2) findings.invalid('spec.policyTypes', types, 'may not specify more than two policyTypes');
  types.forEach((type, index) => {
    findings.optionalOneOf(type, `spec.policyTypes[${index}]`, ['Ingress', 'Egress']);
  });
}

function validatePolicyPort(
  { protocol, port, endPort }: { protocol?: string; port?: number | string; endPort?: number },
  path: string,
  findings: Findings,
): void {
  findings.optionalOneOf(protocol, `${path}.protocol`, ['TCP', 'UDP', 'SCTP']);
  if (typeof port === 'number') {
    findings.invalidEach(`${path}.port`, port, isPortNumber(port));
    if (endPort === undefined) return;
    if (endPort < port) findings.invalid(`${path}.endPort`, port, 'must be greater than or equal to `port`');
    findings.invalidEach(`${path}.endPort`, endPort, isPortNumber(endPort));
  } else if (typeof port === 'string') {
    if (endPort !== undefined) {
      findings.invalid(`${path}.endPort`, endPort, 'may not be specified when `port` is non-numeric');
    }
    findings.invalidEach(`${path}.port`, port, isPortName(port));
  } else if (endPort !== undefined) {
    findings.invalid(`${path}.endPort`, endPort, 'may not be specified when `port` is not specified');
  }
}

function validatePeer(
  peer: { podSelector?: any; namespaceSelector?: any; ipBlock?: { cidr: string; except?: string[] } },
  path: string,
  findings: Findings,
  known: Set<string> | undefined,
): void {
  validateLabelSelector(peer.podSelector, `${path}.podSelector`, findings);
  validateLabelSelector(peer.namespaceSelector, `${path}.namespaceSelector`, findings);
  const selects = peer.podSelector !== undefined || peer.namespaceSelector !== undefined;
  if (peer.ipBlock === undefined) {
    if (!selects) findings.required(path, 'must specify a peer');
    return;
  }
  if (selects) findings.forbidden(path, 'may not specify both ipBlock and another peer');
  const { cidr, except = [] } = peer.ipBlock;
  if (!cidr) {
    findings.required(`${path}.ipBlock.cidr`);
    return;
  }
  findings.invalidEach(`${path}.ipBlock.cidr`, cidr, cidrFindings(cidr, known));
  const whole = parseCidr(cidr);
  if (whole === undefined) return;
  except.forEach((one, index) => {
    const at = `${path}.ipBlock.except[${index}]`;
    findings.invalidEach(at, one, cidrFindings(one, known));
    const part = parseCidr(one);
    if (part !== undefined && !isWithin(part, whole)) findings.invalid(at, one, 'must be a strict subset of `cidr`');
  });
}

export function validateEndpointSlice({ addressType, endpoints, ports }: EndpointSlice, findings: Findings): void {
  findings.oneOf(addressType, 'addressType', ['FQDN', 'IPv4', 'IPv6']);
  if ((endpoints?.length ?? 0) > 1000) findings.tooMany('endpoints', endpoints!.length, 1000);
  endpoints?.forEach((endpoint, index) => {
    const path = `endpoints[${index}].addresses`;
    if (!endpoint.addresses?.length) findings.required(path, 'must contain at least 1 address');
    else if (endpoint.addresses.length > 100) findings.tooMany(path, endpoint.addresses.length, 100);
    endpoint.addresses?.forEach((address, i) => {
      const at = `${path}[${i}]`;
      if (addressType === 'FQDN') findings.invalidEach(at, address, isDns1123Subdomain(address));
      else if (addressType === 'IPv4' || addressType === 'IPv6') {
        const isSix = addressType === 'IPv6';
        const details = isSix ? canonicalAddressFindings(address) : addressFindings(address);
        findings.invalidEach(at, address, details);
        if (details.length > 0) return;
        if (address.includes(':') !== isSix) findings.invalid(path, address, `must be an ${addressType} address`);
        validateEndpointIp(address, at, findings);
      }
    });
    const { hostname, nodeName, hints } = endpoint;
    const at = `endpoints[${index}]`;
    if (hostname !== undefined) findings.invalidEach(`${at}.hostname`, hostname, isDns1123Label(hostname));
    if (nodeName !== undefined) findings.invalidEach(`${at}.nodeName`, nodeName, isDns1123Subdomain(nodeName));
    const zones = new Set<string>();
    if ((hints?.forZones?.length ?? 0) > 8) findings.tooMany(`${at}.hints.forZones`, hints!.forZones!.length, 8);
    hints?.forZones?.forEach(({ name = '' }, i) => {
      const zone = `${at}.hints.forZones[${i}].name`;
      if (zones.has(name)) findings.duplicate(zone, name);
      zones.add(name);
      findings.invalidEach(zone, name, isLabelValue(name));
    });
    const nodes = new Set<string>();
    if ((hints?.forNodes?.length ?? 0) > 8) findings.tooMany(`${at}.hints.forNodes`, hints!.forNodes!.length, 8);
    else {
      hints?.forNodes?.forEach(({ name = '' }, i) => {
        const node = `${at}.hints.forNodes[${i}].name`;
        if (nodes.has(name)) findings.duplicate(node, name);
        nodes.add(name);
        findings.invalidEach(node, name, isDns1123Subdomain(name));
      });
    }
  });
  const names = new Set<string>();
  ports?.forEach((port, index) => {
    const path = `ports[${index}]`;
    const name = port.name ?? '';
    if (name !== '') findings.invalidEach(`${path}.name`, name, isDns1123Label(name));
    if (names.has(name)) findings.duplicate(`${path}.name`, name);
    names.add(name);
    if (port.protocol === undefined) findings.required(`${path}.protocol`);
    else findings.optionalOneOf(port.protocol, `${path}.protocol`, ['SCTP', 'TCP', 'UDP']);
    if (port.appProtocol !== undefined) {
      findings.invalidEach(`${path}.appProtocol`, port.appProtocol, isQualifiedName(port.appProtocol));
    }
  });
}

export function validateEndpointSliceUpdate(slice: EndpointSlice, old: EndpointSlice, findings: Findings): void {
  validateEndpointSlice(slice, findings);
  if (!semanticEqual(slice.addressType, old.addressType)) {
    findings.invalid('addressType', slice.addressType, 'field is immutable');
  }
}
