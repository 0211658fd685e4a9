import type { GroupVersionKind, GroupVersionResource, KubeObject } from '../../../api/object.ts';
import { apiVersionOf } from '../../../api/object.ts';
import type { ResourceDefinition } from '../../../api/resource-definition.ts';
import type { ResourceRegistry } from '../../registry.ts';
import type { AdmissionRequest } from '../admission.ts';

/** What a webhook is told of: the request's own kind and resource, or an equivalent version's. */
export interface MatchedForm {
  kind: GroupVersionKind;
  resource: GroupVersionResource;
  /** Whose form objects take. */
  definition: ResourceDefinition;
}

const kindOf = ({ group, version, kind }: GroupVersionKind): GroupVersionKind => ({ group, version, kind });
const resourceOf = ({ group, version, resource }: GroupVersionResource): GroupVersionResource => ({
  group,
  version,
  resource,
});

const formOf = (definition: ResourceDefinition, request: AdmissionRequest): MatchedForm => ({
  kind: kindOf(request.kind ?? definition),
  resource: resourceOf(definition),
  definition,
});

/** As the client asked. */
export const requestedForm = (request: AdmissionRequest): MatchedForm =>
  formOf(request.view ?? request.definition, request);

/** The other served versions and APIs of the same objects. */
export function equivalentForms(registry: ResourceRegistry, request: AdmissionRequest): MatchedForm[] {
  return registry
    .equivalents(request.tenant, request.definition)
    .filter((definition) => definition !== (request.view ?? request.definition))
    .filter(
      ({ subresources }) => request.subresource === '' || subresources.some(({ name }) => name === request.subresource),
    )
    .map((definition) => formOf(definition, request));
}

/** An object in another form. `object` is in the form of `from`; shared objects stay as they are. */
export async function convert(
  object: KubeObject,
  from: ResourceDefinition,
  to: ResourceDefinition,
  request: AdmissionRequest,
): Promise<KubeObject> {
  // A Scale is a Scale in every version.
  if (from === to || request.kind !== undefined) return object;
  if (from.versioned !== undefined) return from.versioned.convert(object, apiVersionOf(to));
  const stored = from.storedAs === undefined ? object : from.storedAs.toStored(object);
  const converted = to.storedAs === undefined ? stored : to.storedAs.fromStored(stored);
  return { ...converted, kind: to.kind, apiVersion: apiVersionOf(to) };
}
