import type { Steps } from '../base/steps.ts';
import { coreTypeDefaults } from './defaults/core-types.ts';
import { kindDefaults } from './defaults/kinds.ts';
import { otherTypeDefaults } from './defaults/other-types.ts';
import { DefaultsWalker } from './defaults/walk.ts';
import { workloadTypeDefaults } from './defaults/workload-types.ts';
import type { KubeObject } from './object.ts';
import type { ResourceDefinition } from './resource-definition.ts';
import type { TypeSchema } from './schema.ts';

const walker = new DefaultsWalker({ ...coreTypeDefaults, ...workloadTypeDefaults, ...otherTypeDefaults });

type Defaulted = Pick<ResourceDefinition, 'group' | 'resource' | 'schema'> &
  Partial<Pick<ResourceDefinition, 'strategy'>>;

/**
 * Fills in what Kubernetes would, in place: what `kubectl get -o yaml` shows and nobody wrote. Takes what decodeObject
 * gave; doing it twice changes nothing more.
 */
export function applyDefaults<T extends KubeObject>(definition: Defaulted, object: T): T {
  kindDefaults[`${definition.group}/${definition.resource}`]?.(object);
  definition.strategy?.setDefaults?.(object);
  walker.walkOf(definition.schema)?.(object);
  return object;
}

/** The same where the object is large, or what the tenant says of its defaults makes it so. */
export function* defaultsSteps<T extends KubeObject>(definition: Defaulted, object: T, isLong: boolean): Steps<T> {
  kindDefaults[`${definition.group}/${definition.resource}`]?.(object);
  const { strategy, schema } = definition;
  if (strategy?.defaultsSteps !== undefined) yield* strategy.defaultsSteps(object);
  else strategy?.setDefaults?.(object);
  if (isLong) yield* walker.steps(schema, object);
  else walker.walkOf(schema)?.(object);
  return object;
}

/** Kinds whose spec tells defaults of their status. */
const statusOfSpec = new Set(['apiextensions.k8s.io/customresourcedefinitions']);

/** A status has its defaults without the rest of the object. */
export const hasStatusApart = ({ group, resource }: Defaulted): boolean => !statusOfSpec.has(`${group}/${resource}`);

/** The defaults of a type and its parts alone, in place. */
export function applyTypeDefaults<T>(schema: TypeSchema, value: T): T {
  walker.walkOf(schema)?.(value);
  return value;
}
