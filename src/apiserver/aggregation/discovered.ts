/** Resources of servers that tenants registered, as discovery shows them. */
export interface RemoteVersion {
  group: string;
  version: string;
  /** The server's own APIResourceList in the aggregated form. */
  resources: object[];
  /** The server did not answer when it was last asked. */
  isStale: boolean;
}

interface ListedResource {
  name: string;
  singularName: string;
  namespaced: boolean;
  kind: string;
  group?: string;
  version?: string;
  verbs: string[];
  shortNames?: string[];
  categories?: string[];
}

/** So much of a server's list is kept: what it says is the tenant's word, the memory is ours. */
const resourcesLimit = 500;

/**
 * An APIResourceList as apidiscovery's resources, subresources below their resource. Whatever is not of that form is
 * left out: it comes from a server of a tenant's. Source: apiserver's ConvertGroupVersionIntoToDiscovery.
 */
export function discoveredResources(group: string, version: string, list: unknown): object[] {
  const listed = (list as { resources?: unknown } | undefined)?.resources;
  if (!Array.isArray(listed)) return [];
  const resources = new Map<string, Record<string, unknown>>();
  const isText = (value: unknown): value is string => typeof value === 'string';
  const texts = (value: unknown) => (Array.isArray(value) ? value.filter(isText).slice(0, 100) : []);
  for (const one of listed.slice(0, resourcesLimit) as Partial<ListedResource>[]) {
    if (typeof one !== 'object' || one === null || !isText(one.name)) continue;
    const responseKind = {
      group: isText(one.group) && one.group !== '' ? one.group : group,
      version: isText(one.version) && one.version !== '' ? one.version : version,
      kind: isText(one.kind) ? one.kind : '',
    };
    const [name = '', subresource] = one.name.split('/', 2);
    const shortNames = texts(one.shortNames);
    const categories = texts(one.categories);
    if (subresource === undefined) {
      resources.set(name, {
        resource: name,
        responseKind,
        scope: one.namespaced === true ? 'Namespaced' : 'Cluster',
        singularResource: isText(one.singularName) ? one.singularName : '',
        verbs: texts(one.verbs),
        ...(shortNames.length > 0 && { shortNames }),
        ...(categories.length > 0 && { categories }),
      });
      continue;
    }
    // Some servers list a part without its whole.
    const whole = resources.get(name) ?? {
      resource: name,
      scope: one.namespaced === true ? 'Namespaced' : 'Cluster',
      singularResource: '',
      verbs: [],
      responseKind: { group: '', version: '', kind: '' },
    };
    const parts = (whole['subresources'] as object[] | undefined) ?? [];
    whole['subresources'] = [...parts, { subresource, responseKind, verbs: texts(one.verbs) }];
    resources.set(name, whole);
  }
  return [...resources.values()];
}

/** So much of all that its servers say is kept of one tenant, in bytes of JSON. */
const tenantLimitBytes = 4 * 1024 * 1024;

interface Discovered {
  resources: object[];
  isStale: boolean;
  bytes: number;
}

/** What tenants' servers said last, and whether they still answer. What is beyond a tenant's limit shows no resources. */
export class DiscoveredResources {
  readonly #tenants = new Map<string, Map<string, Discovered>>();

  get(tenant: string, name: string): Readonly<Discovered> | undefined {
    return this.#tenants.get(tenant)?.get(name);
  }

  set(tenant: string, name: string, resources: object[]): void {
    this.delete(tenant, name);
    const known = this.#tenants.get(tenant) ?? new Map<string, Discovered>();
    let total = 0;
    for (const { bytes } of known.values()) total += bytes;
    const bytes = JSON.stringify(resources).length;
    const fits = total + bytes <= tenantLimitBytes;
    known.set(name, { resources: fits ? resources : [], isStale: false, bytes: fits ? bytes : 0 });
    this.#tenants.set(tenant, known);
  }

  markStale(tenant: string, name: string): void {
    const known = this.#tenants.get(tenant)?.get(name);
    if (known !== undefined) known.isStale = true;
  }

  delete(tenant: string, name: string): void {
    const known = this.#tenants.get(tenant);
    known?.delete(name);
    if (known?.size === 0) this.#tenants.delete(tenant);
  }
}
