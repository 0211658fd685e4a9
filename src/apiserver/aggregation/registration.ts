import { deepEqual } from '../../api/equality.ts';
import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import type { KubeObject } from '../../api/object.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../api/status.ts';
import type { CustomResourceCatalog } from '../custom-resources/index.ts';
import type { Environment } from '../environment.ts';
import { platformIdentity } from '../identity/identity.ts';
import { ReconcileQueue } from '../reconcile-queue.ts';
import { createObject } from '../verbs/objects/create-object.ts';
import { deleteObject } from '../verbs/objects/delete-object.ts';
import { updateOwn } from '../verbs/objects/own-update.ts';
import {
  API_SERVICES,
  apiServiceName,
  customPriorities,
  localCondition,
  MANAGED_LABEL,
  withAvailable,
} from './api-service.ts';
import type { ApiServiceCatalog } from './catalog.ts';

const identity = platformIdentity('api-service-registration');

export interface RegistrationOptions {
  environment: Environment;
  catalog: ApiServiceCatalog;
  customResources: CustomResourceCatalog;
  definition: ResourceDefinition;
  /** Has its APIService already. */
  isOwn(group: string, version: string): boolean;
}

/**
 * An APIService for every group and version that a tenant's CustomResourceDefinitions serve, gone when the last of them
 * is. One that a tenant wrote itself is left alone; ours says what it said again. Source: kube-aggregator's crdregistration and autoregister.
 */
export class CustomGroupRegistration {
  readonly #options: RegistrationOptions;
  /** Named `version.group`. Until it is known which definitions there are, none is missed: it stands still. */
  readonly #queue: ReconcileQueue;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    const { clock, logger } = options.environment;
    this.#queue = new ReconcileQueue({
      what: 'registration of a group',
      clock,
      logger,
      reconcile: (tenant, name) => this.#reconcile(tenant, name),
      isSettled: (error) => isNotFound(error) || isConflict(error) || isAlreadyExists(error),
    });
    options.customResources.onChange((tenant, name) => this.#changed(tenant, name.slice(name.indexOf('.') + 1)));
    options.catalog.onChange((tenant, name, service) => {
      // Deleted by someone, or left from a definition that went while nobody looked.
      if (service === undefined || service.metadata.labels?.[MANAGED_LABEL] === 'true') this.#queue.add(tenant, name);
    });
  }

  begin(): void {
    this.#queue.begin();
  }

  close(): void {
    this.#queue.close();
  }

  #changed(tenant: string, group: string): void {
    const { customResources, catalog } = this.#options;
    for (const { spec } of customResources.crdsOfGroup(tenant, group)) {
      for (const { name } of spec.versions) this.#queue.add(tenant, apiServiceName(group, name));
    }
    for (const { spec, metadata } of catalog.all(tenant)) {
      if (spec.group === group) this.#queue.add(tenant, metadata.name);
    }
  }

  async #reconcile(tenant: string, name: string): Promise<void> {
    const { environment, catalog, definition, isOwn } = this.#options;
    const dot = name.indexOf('.');
    const version = name.slice(0, dot);
    const group = name.slice(dot + 1);
    const isWanted = !isOwn(group, version) && this.#isServed(tenant, group, version);
    const known = catalog.get(tenant, name);
    const isOurs = known?.metadata.labels?.[MANAGED_LABEL] === 'true';
    if (known === undefined ? !isWanted : !isOurs) return;
    const common = { definition, tenant, namespace: '', identity, dryRun: false, warnings: [] };
    if (!isWanted) {
      await deleteObject(environment, { ...common, name, options: {} });
      return;
    }
    const wanted = localApiService(group, version);
    if (known !== undefined) {
      // Whoever changed it can take it over by taking the label away.
      if (deepEqual(known.spec, wanted['spec'])) return;
      const change = (old: KubeObject) => ({ ...old, spec: wanted['spec'] });
      await updateOwn(environment, { definition, subresource: '', tenant, name, identity, change });
      return;
    }
    // A tenant that is going away gets nothing new.
    if ((await environment.tenants.entry(tenant))?.object.metadata.deletionTimestamp !== undefined) return;
    await createObject(environment, { ...common, object: wanted });
  }

  #isServed(tenant: string, group: string, version: string): boolean {
    return this.#options.customResources
      .crdsOfGroup(tenant, group)
      .some(({ spec }) => spec.versions.some(({ name, served }) => name === version && served));
  }
}

function localApiService(group: string, version: string): KubeObject {
  return {
    kind: 'APIService',
    apiVersion: `${API_SERVICES.group}/${API_SERVICES.version}`,
    metadata: {
      name: apiServiceName(group, version),
      labels: { [MANAGED_LABEL]: 'true' },
    } as unknown as KubeObject['metadata'],
    spec: {
      group,
      version,
      groupPriorityMinimum: customPriorities.group,
      versionPriority: customPriorities.version,
    },
  };
}

/** The APIServices that every tenant has: one for each group and version served here. */
export function localTemplates(definitions: Iterable<ResourceDefinition>, priorities: PrioritiesOf) {
  const names = new Set<string>();
  const templates = [];
  for (const { group, version } of definitions) {
    const name = apiServiceName(group, version);
    if (names.has(name) || group === API_SERVICES.group) continue;
    names.add(name);
    const { group: groupPriorityMinimum, version: versionPriority } = priorities(group, version);
    templates.push({
      kind: 'APIService',
      apiVersion: `${API_SERVICES.group}/${API_SERVICES.version}`,
      metadata: { name, labels: { [MANAGED_LABEL]: 'onstart' } },
      spec: { ...(group !== '' && { group }), version, groupPriorityMinimum, versionPriority },
      /** Local from the start, and the tenant's start is when that was. */
      build: (createdAt: string) => ({
        status: { conditions: withAvailable({} as APIService, localCondition, Date.parse(createdAt)) },
      }),
    });
  }
  return templates;
}

type PrioritiesOf = (group: string, version: string) => { group: number; version: number };
