import type { ResourceDefinition } from '../../api/resource-definition.ts';
import type { Steps } from '../../base/steps.ts';
import { document3, documentName, groupsOf, openApi3 } from './documents.ts';
import { groupOperation, serverOperations } from './operations/server-operations.ts';
import type { JsonSchema } from './schemas/schema-collector.ts';
import { fingerprint } from './serving/fingerprint.ts';

/** One of version 3's documents, known before it is made. */
export interface DocumentSource {
  hash: string;
  make(): Steps<JsonSchema>;
}

/**
 * Version 3's documents of a set of resources, by name and in the order of the names: one of each group and version, of
 * each group, and of what the server answers itself.
 *
 * @param version `1.36`
 */
export function* documentsOf(
  definitions: readonly ResourceDefinition[],
  version: string,
): Steps<Map<string, DocumentSource>> {
  const sources: [string, DocumentSource][] = [];
  const lists = Map.groupBy(definitions, documentName);
  for (const [name, list] of lists) {
    const hash = yield* fingerprint(list, name, version);
    sources.push([name, { hash, make: () => openApi3(list, version) }]);
  }
  for (const group of groupsOf(definitions)) {
    const name = `apis/${group}`;
    const hash = yield* fingerprint([], name, version);
    sources.push([name, { hash, make: () => document3([groupOperation(group)], version) }]);
  }
  for (const [name, operation] of serverOperations()) {
    const hash = yield* fingerprint([], name, version);
    sources.push([name, { hash, make: () => document3([operation], version) }]);
  }
  return new Map(sources.sort(([a], [b]) => (a < b ? -1 : 1)));
}
