import { isIP } from 'node:net';
import { semanticEqual } from '../../equality.ts';
import type { Service, ServicePort } from '../../generated/core-v1.ts';
import { isDns1123Label, isDns1123Subdomain, isPortNumber, isQualifiedName } from '../../names.ts';
import type { Findings } from '../findings.ts';
import { validateLabels } from '../metadata.ts';
import { validatePort } from '../pods/probes.ts';
import { addressFindings, cidrFindings, ipFamilyOf, plainIpv4 } from './ip-address.ts';

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const isHeadless = ({ spec }: Service): boolean => spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === 'None';
const isExternallyAccessible = ({ spec }: Service): boolean =>
  spec.type === 'LoadBalancer' ||
  spec.type === 'NodePort' ||
  (spec.type === 'ClusterIP' && (spec.externalIPs?.length ?? 0) > 0);

/** Source: validateService of pkg/apis/core/validation. */
export function validateService(service: Service, findings: Findings, old?: Service): void {
  const { spec } = service;
  const knownAddresses = new Set(old?.spec.externalIPs);
  const ports = spec.ports ?? [];
  if (ports.length === 0 && !isHeadless(service) && spec.type !== 'ExternalName') findings.required('spec.ports');
  if ((spec.type === 'LoadBalancer' || spec.type === 'NodePort') && isHeadless(service)) {
    findings.invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`);
  }
  if (spec.type === 'ExternalName') validateExternalName(service, findings);
  const names = new Set<string>();
  ports.forEach((port, index) => {
    validateServicePort(port, ports.length > 1, names, `spec.ports[${index}]`, findings);
  });
  validateLabels(spec.selector, 'spec.selector', findings);
  validateAffinity(service, findings);
  if (spec.type !== 'ExternalName') validateClusterIps(service, findings, new Set(old?.spec.clusterIPs));
  spec.externalIPs?.forEach((address, index) => {
    const path = `spec.externalIPs[${index}]`;
    const details = addressFindings(address, knownAddresses);
    findings.invalidEach(path, address, details);
    if (details.length === 0) validateEndpointIp(address, path, findings);
  });
  findings.oneOf(spec.type, 'spec.type', types);
  validatePortClashes(service, findings);
  const knownRanges = new Set(old?.spec.loadBalancerSourceRanges?.map((range) => range.trim()));
  validateLoadBalancerFields(service, findings, knownRanges);
  validateTrafficPolicies(service, findings);
}

function validateExternalName({ spec }: Service, findings: Findings): void {
  if (spec.clusterIPs?.length) findings.forbidden('spec.clusterIPs', 'may not be set for ExternalName services');
  if (spec.ipFamilies?.length) findings.forbidden('spec.ipFamilies', 'may not be set for ExternalName services');
  if (spec.ipFamilyPolicy !== undefined) {
    findings.forbidden('spec.ipFamilyPolicy', 'may not be set for ExternalName services');
  }
  const name = (spec.externalName ?? '').replace(/\.$/, '');
  if (name === '') findings.required('spec.externalName');
  else findings.invalidEach('spec.externalName', name, isDns1123Subdomain(name));
}

function validateServicePort(
  port: ServicePort,
  nameRequired: boolean,
  names: Set<string>,
  path: string,
  findings: Findings,
): void {
  if (!port.name) {
    if (nameRequired) findings.required(`${path}.name`);
  } else {
    findings.invalidEach(`${path}.name`, port.name, isDns1123Label(port.name));
    if (names.has(port.name)) findings.duplicate(`${path}.name`, port.name);
    names.add(port.name);
  }
  findings.invalidEach(`${path}.port`, port.port, isPortNumber(port.port));
  findings.oneOf(port.protocol, `${path}.protocol`, ['SCTP', 'TCP', 'UDP']);
  validatePort(port.targetPort, `${path}.targetPort`, findings);
  if (port.appProtocol !== undefined) {
    findings.invalidEach(`${path}.appProtocol`, port.appProtocol, isQualifiedName(port.appProtocol));
  }
}

const MAX_AFFINITY_SECONDS = 86_400;

function validateAffinity({ spec }: Service, findings: Findings): void {
  findings.oneOf(spec.sessionAffinity, 'spec.sessionAffinity', ['ClientIP', 'None']);
  const path = 'spec.sessionAffinityConfig';
  if (spec.sessionAffinity === 'ClientIP') {
    const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
    if (seconds === undefined) {
      findings.required(path, 'when session affinity type is ClientIP');
    } else if (seconds <= 0 || seconds > MAX_AFFINITY_SECONDS) {
      findings.invalid(
        `${path}.clientIP.timeoutSeconds`,
        seconds,
        `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`,
      );
    }
  } else if (spec.sessionAffinity === 'None' && spec.sessionAffinityConfig !== undefined) {
    findings.forbidden(path, 'must not be set when session affinity is None');
  }
}

function validateClusterIps({ spec }: Service, findings: Findings, known: Set<string>): void {
  const path = 'spec.clusterIPs';
  const addresses = spec.clusterIPs ?? [];
  const families = spec.ipFamilies ?? [];
  if (spec.clusterIP) {
    if (addresses.length === 0) findings.required(path);
    else if (addresses[0] !== spec.clusterIP) findings.invalid(path, addresses, 'first value must match `clusterIP`');
  } else if (addresses.length > 0) {
    findings.invalid(path, addresses, 'must be empty when `clusterIP` is not specified');
  }
  const seen = new Set<string>();
  families.forEach((family, index) => {
    findings.optionalOneOf(family, `spec.ipFamilies[${index}]`, ['IPv4', 'IPv6']);
    if (seen.has(family)) findings.duplicate(`spec.ipFamilies[${index}]`, family);
    seen.add(family);
  });
  findings.optionalOneOf(spec.ipFamilyPolicy, 'spec.ipFamilyPolicy', [
    'PreferDualStack',
    'RequireDualStack',
    'SingleStack',
  ]);
  let allValid = true;
  addresses.forEach((address, index) => {
    if (index === 0 && address === 'None') {
      if (addresses.length > 1) {
        allValid = false;
        findings.invalid(path, addresses, "'None' must be the first and only value");
      }
    } else {
      const details = addressFindings(address, known);
      if (details.length > 0) allValid = false;
      findings.invalidEach(`${path}[${index}]`, address, details);
    }
  });
  if (addresses.length > 2) findings.invalid(path, addresses, 'may only hold up to 2 values');
  if (!allValid || addresses[0] === 'None') return;
  if (addresses.length > 1 && new Set(addresses.map(ipFamilyOf)).size < addresses.length) {
    findings.invalid(path, addresses, 'may specify no more than one IP for each IP family');
  }
  addresses.forEach((address, index) => {
    const family = families[index];
    // What is no family is told as such.
    if ((family === 'IPv4' || family === 'IPv6') && family !== ipFamilyOf(address)) {
      findings.invalid(
        `${path}[${index}]`,
        address,
        `expected an ${family} value as indicated by \`ipFamilies[${index}]\``,
      );
    }
  });
}

/** What cannot be an endpoint, whoever names it. Source: ValidateEndpointIP of pkg/apis/core/validation. */
export function validateEndpointIp(given: string, path: string, findings: Findings): void {
  const address = plainIpv4(given) ?? given;
  if (isIP(address) === 0) findings.invalid(path, given, 'must be a valid IP address');
  else if (address === '0.0.0.0' || address === '::') {
    findings.invalid(path, given, `may not be unspecified (${given})`);
  } else if (address.startsWith('127.') || address === '::1') {
    findings.invalid(path, given, 'may not be in the loopback range (127.0.0.0/8, ::1/128)');
  } else if (address.startsWith('169.254.') || /^fe[89ab][0-9a-f]:/i.test(address)) {
    findings.invalid(path, given, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)');
  } else if (address.startsWith('224.0.0.') || /^ff02:/i.test(address)) {
    findings.invalid(path, given, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)');
  }
}

function validatePortClashes({ spec }: Service, findings: Findings): void {
  const nodePorts = new Set<string>();
  const ports = new Set<string>();
  spec.ports?.forEach((port, index) => {
    const path = `spec.ports[${index}]`;
    if (port.nodePort) {
      if (spec.type === 'ClusterIP')
        findings.forbidden(`${path}.nodePort`, "may not be used when `type` is 'ClusterIP'");
      const key = `${port.protocol}/${port.nodePort}`;
      if (nodePorts.has(key)) findings.duplicate(`${path}.nodePort`, port.nodePort);
      nodePorts.add(key);
    }
    const key = `${port.protocol}/${port.port}`;
    // Go prints the whole struct with only these two fields set.
    if (ports.has(key)) findings.duplicate(path, { port: port.port, protocol: port.protocol, targetPort: 0 });
    ports.add(key);
  });
}

function validateLoadBalancerFields({ spec, metadata }: Service, findings: Findings, known: Set<string>): void {
  const isLoadBalancer = spec.type === 'LoadBalancer';
  const onlyThere = "may only be used when `type` is 'LoadBalancer'";
  if (spec.loadBalancerSourceRanges?.length) {
    if (!isLoadBalancer) findings.forbidden('spec.LoadBalancerSourceRanges', onlyThere);
    spec.loadBalancerSourceRanges.forEach((range, index) => {
      const value = range.trim();
      findings.invalidEach(`spec.LoadBalancerSourceRanges[${index}]`, value, cidrFindings(value, known));
    });
  } else validateSourceRangesAnnotation(metadata.annotations, isLoadBalancer, findings);
  if (spec.allocateLoadBalancerNodePorts !== undefined && !isLoadBalancer) {
    findings.forbidden('spec.allocateLoadBalancerNodePorts', onlyThere);
  }
  if (spec.loadBalancerClass !== undefined) {
    if (!isLoadBalancer) findings.forbidden('spec.loadBalancerClass', onlyThere);
    else
      findings.invalidEach('spec.loadBalancerClass', spec.loadBalancerClass, isQualifiedName(spec.loadBalancerClass));
  }
}

function validateTrafficPolicies(service: Service, findings: Findings): void {
  const { spec } = service;
  if (!isExternallyAccessible(service)) {
    if (spec.externalTrafficPolicy) {
      findings.invalid(
        'spec.externalTrafficPolicy',
        spec.externalTrafficPolicy,
        'may only be set for externally-accessible services',
      );
    }
  } else findings.oneOf(spec.externalTrafficPolicy, 'spec.externalTrafficPolicy', ['Cluster', 'Local']);
  if (spec.healthCheckNodePort) {
    const port = spec.healthCheckNodePort;
    findings.invalidEach('spec.healthCheckNodePort', port, isPortNumber(port));
  }
  const needsHealthCheck = spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
  if (spec.healthCheckNodePort && !needsHealthCheck) {
    findings.invalid(
      'spec.healthCheckNodePort',
      spec.healthCheckNodePort,
      "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
    );
  }
  if (['ClusterIP', 'LoadBalancer', 'NodePort'].includes(spec.type ?? '')) {
    if (spec.internalTrafficPolicy === undefined) findings.required('spec.internalTrafficPolicy');
    findings.optionalOneOf(spec.internalTrafficPolicy, 'spec.internalTrafficPolicy', ['Cluster', 'Local']);
  }
  findings.optionalOneOf(spec.trafficDistribution, 'spec.trafficDistribution', [
    'PreferClose',
    'PreferSameZone',
    'PreferSameNode',
  ]);
}

const SOURCE_RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges';

/** The older way to say the same. */
function validateSourceRangesAnnotation(
  annotations: Record<string, string> | undefined,
  isLoadBalancer: boolean,
  findings: Findings,
): void {
  const value = annotations?.[SOURCE_RANGES];
  if (value === undefined) return;
  const path = `metadata.annotations[${SOURCE_RANGES}]`;
  if (!isLoadBalancer) findings.forbidden(path, "may only be used when `type` is 'LoadBalancer'");
  if (value.trim() === '') return;
  for (const range of value.split(',')) findings.invalidEach(path, range.trim(), cidrFindings(range.trim()));
}

export function validateServiceUpdate(service: Service, old: Service, findings: Findings): void {
  const { spec } = service;
  const stays = spec.type !== 'ExternalName' && old.spec.type !== 'ExternalName';
  if (stays && old.spec.clusterIP) {
    const [first = '', before = ''] = [spec.clusterIPs?.[0], old.spec.clusterIPs?.[0]];
    // What is no address is told as such.
    const isAddress = !spec.clusterIPs?.length || first === 'None' || addressFindings(first).length === 0;
    if (isAddress && first !== before) {
      findings.invalid('spec.clusterIPs[0]', spec.clusterIPs ?? null, 'may not change once set');
    }
    if (spec.clusterIP !== old.spec.clusterIP && semanticEqual(spec.clusterIPs, old.spec.clusterIPs)) {
      findings.invalid('spec.clusterIP', spec.clusterIP ?? '', 'field is immutable');
    }
  }
  if (old.spec.type === 'LoadBalancer' && spec.type === 'LoadBalancer') {
    const isFixed = old.spec.loadBalancerClass !== undefined;
    if (isFixed && spec.loadBalancerClass !== old.spec.loadBalancerClass) {
      findings.invalid('spec.loadBalancerClass', spec.loadBalancerClass, 'may not change once set');
    }
  }
  const needsCheck = (one: Service) => one.spec.type === 'LoadBalancer' && one.spec.externalTrafficPolicy === 'Local';
  if (needsCheck(old) && needsCheck(service) && spec.healthCheckNodePort !== old.spec.healthCheckNodePort) {
    findings.forbidden('spec.healthCheckNodePort', 'field is immutable');
  }
  validateService(service, findings, old);
}
