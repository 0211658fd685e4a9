import { readFileSync } from 'node:fs';
import type { GroupVersionKind } from '../object.ts';

/** A built-in resource as Kubernetes' own discovery documents describe it (scripts/generate-api/write_resources.go). */
export interface ResourceFacts {
  group: string;
  version: string;
  resource: string;
  singular: string;
  kind: string;
  namespaced: boolean;
  shortNames: string[];
  categories: string[];
  verbs: string[];
  subresources: { name: string; kind?: GroupVersionKind; verbs: string[] }[];
}

export const resourceFacts: ResourceFacts[] = JSON.parse(
  readFileSync(new URL('../generated/resources.json', import.meta.url), 'utf8'),
);
