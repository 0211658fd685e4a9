import { isDns1123Subdomain } from '../../names.ts';
import type { Findings } from '../findings.ts';
import { addressFindings, isIpAddress } from '../networking/ip-address.ts';

interface Balanced {
  spec?: any;
  status?: any;
}

const PATH = 'status.loadBalancer.ingress';
const ingressOf = ({ status }: Balanced): any[] => status?.loadBalancer?.ingress ?? [];

/** Source: ValidateLoadBalancerStatus of pkg/apis/core/validation and its like of pkg/apis/networking. */
export function validateServiceStatus(service: Balanced, old: Balanced, findings: Findings): void {
  const ingress = ingressOf(service);
  if (service.spec.type !== 'LoadBalancer' && ingress.length > 0) {
    findings.forbidden(PATH, "may only be used when `spec.type` is 'LoadBalancer'");
    return;
  }
  validateIngressStatus(service, old, findings);
  ingress.forEach(({ ip, ipMode }, index) => {
    const path = `${PATH}[${index}].ipMode`;
    if (ipMode === undefined) {
      if (ip) findings.required(path, 'must be specified when `ip` is set');
    } else if (!ip) findings.forbidden(path, 'may not be specified when `ip` is not set');
    else findings.optionalOneOf(ipMode, path, ['Proxy', 'VIP']);
  });
}

export function validateIngressStatus(object: Balanced, old: Balanced, findings: Findings): void {
  const known = new Set(ingressOf(old).map(({ ip }) => ip));
  ingressOf(object).forEach(({ ip, hostname }, index) => {
    const path = `${PATH}[${index}]`;
    if (ip) findings.invalidEach(`${path}.ip`, ip, addressFindings(ip, known));
    if (!hostname) return;
    findings.invalidEach(`${path}.hostname`, hostname, isDns1123Subdomain(hostname));
    if (isIpAddress(hostname)) {
      findings.invalid(`${path}.hostname`, hostname, 'must be a DNS name, not an IP address');
    }
  });
}
