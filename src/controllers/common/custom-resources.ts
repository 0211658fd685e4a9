import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts';
import type { KubeObject } from '../../api/object.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import type { Informer, InformerFactory } from '../../client/informer.ts';
import type { ResourceInfo } from './resources.ts';

const CUSTOM_RESOURCE_DEFINITIONS = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  resource: 'customresourcedefinitions',
};

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

/** All tenants' definitions; one informer, shared by the controllers that follow them. */
export const definitionsOf = (informers: InformerFactory): Informer<KubeObject> =>
  informers.informer<KubeObject>(CUSTOM_RESOURCE_DEFINITIONS, {
    tenant: ALL_TENANTS,
    indexes: { tenant: (definition) => [definition.metadata.clusterName ?? ''] },
  });

/** What a definition serves: the stored version, or another if that one is not served. undefined: nothing, for now. */
export function resourceOfDefinition(object: KubeObject): ResourceInfo | undefined {
  const { spec, status } = object as unknown as CustomResourceDefinition;
  const isEstablished = status?.conditions?.some(({ type, status: is }) => type === 'Established' && is === 'True');
  const served = (spec.versions ?? []).filter((version) => version.served);
  const version = served.find(({ storage }) => storage) ?? served[0];
  if (!isEstablished || version === undefined) return undefined;
  const { group, names, scope } = spec;
  const namespaced = scope === 'Namespaced';
  return { group, version: version.name, resource: names.plural, kind: names.kind, namespaced, verbs };
}

/** The custom resources of one tenant. */
export function customResourcesOf(definitions: Informer<KubeObject>, tenant: string): ResourceInfo[] {
  return definitions.byIndex('tenant', tenant).flatMap((definition) => resourceOfDefinition(definition) ?? []);
}
