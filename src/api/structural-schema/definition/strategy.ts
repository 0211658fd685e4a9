import type { CustomResourceDefinition } from '../../generated/apiextensions-v1.ts';
import type { KubeObject } from '../../object.ts';
import type { ResourceStrategy } from '../../resource-definition.ts';
import { definitionChecks, definitionUpdateChecks, validateDefinitionStatusUpdate } from './validate.ts';

/** What CustomResourceDefinitions do themselves. Source: apiextensions' registry/customresourcedefinition. */
export const definitionStrategy: ResourceStrategy = {
  requiresResourceVersion: true,
  prepareForCreate(object) {
    object['status'] = { conditions: [], acceptedNames: { plural: '', kind: '' }, storedVersions: [] };
    storeVersion(object);
  },
  prepareForUpdate: (object) => storeVersion(object),
  checks: {
    create: (object) => definitionChecks(asDefinition(object)),
    update: (object, old) => definitionUpdateChecks(asDefinition(object), asDefinition(old)),
    // biome-ignore lint/correctness/useYield: short, and a check like the others.
    *statusUpdate(object) {
      return validateDefinitionStatusUpdate(asDefinition(object));
    },
  },
};

const asDefinition = (object: KubeObject) => object as unknown as CustomResourceDefinition;

/** Objects may be stored in this version from now on. */
function storeVersion(object: KubeObject): void {
  const storage = object['spec']?.versions?.find((version: { storage?: boolean }) => version.storage === true);
  const stored: string[] = object['status']?.storedVersions ?? [];
  if (storage === undefined || stored.includes(storage.name)) return;
  object['status'] = { ...object['status'], storedVersions: [...stored, storage.name] };
}
