/** The operator's tenant: tenants, hosts and container instances are its objects. */
export const SYSTEM_TENANT = 'system';
/** Every tenant at once: list and watch, for components of the platform. */
export const ALL_TENANTS = '*';
