/** The ServiceCIDR that every tenant starts with, and gets again when it goes. */
export const DEFAULT_SERVICE_CIDR_NAME = 'kubernetes';

/** Keeps a ServiceCIDR as long as services have addresses of it alone. */
export const SERVICE_CIDR_FINALIZER = 'networking.k8s.io/service-cidr-finalizer';

/** On IPAddresses: who made them; others' are none of the allocator's business. */
export const MANAGED_BY_LABEL = 'ipaddress.kubernetes.io/managed-by';
export const IP_FAMILY_LABEL = 'ipaddress.kubernetes.io/ip-family';
export const IP_ALLOCATOR = 'ipallocator.k8s.io';

export const ipAddressLabels = (family: 'IPv4' | 'IPv6'): Record<string, string> => ({
  [IP_FAMILY_LABEL]: family,
  [MANAGED_BY_LABEL]: IP_ALLOCATOR,
});
