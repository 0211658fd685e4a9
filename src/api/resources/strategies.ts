import type { ResourceStrategy } from '../resource-definition.ts';

/** What a built-in kind does besides being data, by `group/resource`. */
export const strategies: Record<string, ResourceStrategy> = {};
