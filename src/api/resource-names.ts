const prefixes = ['', 'requests.', 'limits.'];

/** What every container may ask for by these names. */
export const computeResources: readonly string[] = ['cpu', 'memory', 'ephemeral-storage'];

/** The same as quotas name them: plain, as requests and as limits. */
export const computeQuotaResources: readonly string[] = prefixes.flatMap((prefix) =>
  computeResources.map((name) => prefix + name),
);

/** What a quota may limit without a group in its name. Source: standardQuotaResources in core/helper upstream. */
export const standardQuotaResources: ReadonlySet<string> = new Set([
  ...computeQuotaResources,
  'requests.storage',
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
]);

/** Source: standardResources in core/helper upstream. */
export const standardResources: ReadonlySet<string> = new Set([...standardQuotaResources, 'storage']);
