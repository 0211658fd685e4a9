import type { Steps } from '../../../base/steps.ts';
import type { KubeObject } from '../../object.ts';
import type { ResourceDefinition } from '../../resource-definition.ts';
import { warnOfFinalizers } from './custom-resources.ts';
import { type KindWarnings, kindWarnings } from './kinds.ts';

type Of = Pick<ResourceDefinition, 'group' | 'resource' | 'versioned'>;

const none: string[] = [];

/** No more of them than the headers of an answer would hold. */
export const warningsKept = 1000;

const custom: KindWarnings = {
  create: (object, warnings) => warnOfFinalizers(object, undefined, warnings),
  update: warnOfFinalizers,
  status: warnOfFinalizers,
};

/** Of a new object before the strategy prepares it. */
export function warningsAsSent(definition: Of, object: KubeObject): string[] {
  const kind = kindWarnings[`${definition.group}/${definition.resource}`];
  if (kind?.sent === undefined) return none;
  const warnings: string[] = [];
  kind.sent(object, warnings);
  return warnings;
}

/** What a writer is told of a sound object: `Warning` headers. `old` is undefined for a new one. */
export function* warningsOf(
  definition: Of,
  object: KubeObject,
  old?: { object: KubeObject; subresource: string },
): Steps<string[]> {
  const kind = definition.versioned === undefined ? kindWarnings[`${definition.group}/${definition.resource}`] : custom;
  if (kind === undefined) return none;
  const warnings: string[] = [];
  if (old === undefined) yield* kind.create?.(object, warnings) ?? [];
  else if (old.subresource === '' || old.subresource === 'scale') {
    yield* kind.update?.(object, old.object, warnings) ?? [];
  } else if (old.subresource === 'status') yield* kind.status?.(object, old.object, warnings) ?? [];
  return warnings;
}
