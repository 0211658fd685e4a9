import type { ResourceDefinition } from '../resource-definition.ts';
import { defineResource } from './define.ts';
import { resourceFacts } from './facts.ts';
import { platformFacts } from './platform.ts';
import { strategies } from './strategies.ts';

/** Every generally available resource of Kubernetes 1.36, in the order of its discovery documents. */
export const builtinResources: ResourceDefinition[] = resourceFacts.map((facts) =>
  defineResource(facts, { strategy: strategies[`${facts.group}/${facts.resource}`] }),
);

/** Skypod's own, served in the system tenant only (see ../pool.ts). */
export const platformResources: ResourceDefinition[] = platformFacts.map(({ facts, schema, strategy }) =>
  defineResource(facts, { schema, strategy }),
);
