import { defaultsSteps } from '../../../api/defaults.ts';
import type { KubeObject } from '../../../api/object.ts';
import type { ResourceDefinition } from '../../../api/resource-definition.ts';
import { type Pace, runInTurns } from '../../../base/steps.ts';

/** Fills in the kind's defaults, in place; a promise only where the request had to rest. */
export const fillInDefaults = (
  definition: ResourceDefinition,
  object: KubeObject,
  pace: Pace | undefined,
): KubeObject | Promise<KubeObject> => runInTurns(defaultsSteps(definition, object, pace?.isLong === true), pace);
