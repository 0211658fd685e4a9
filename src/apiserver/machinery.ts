export { applyDefaults } from '../api/defaults.ts';

import type { KubeObject } from '../api/object.ts';
import type { ResourceDefinition } from '../api/resource-definition.ts';
import type { FieldError } from '../api/status.ts';

export function validateForCreate(definition: ResourceDefinition, object: KubeObject): FieldError[] {
  return definition.strategy.validateCreate?.(object) ?? [];
}
export function validateForUpdate(
  definition: ResourceDefinition,
  object: KubeObject,
  old: KubeObject,
  subresource: string,
): FieldError[] {
  if (subresource === 'status') return definition.strategy.validateStatusUpdate?.(object, old) ?? [];
  return definition.strategy.validateUpdate?.(object, old) ?? [];
}
