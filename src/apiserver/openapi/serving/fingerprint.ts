import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ResourceDefinition } from '../../../api/resource-definition.ts';
import type { Steps } from '../../../base/steps.ts';
import { descriptionsVersion } from '../schemas/descriptions.ts';

const hashes = new WeakMap<ResourceDefinition, string>();
let makers: string | undefined;

/**
 * What tells the content of a document before it is made, to every process of a release alike: the resources it
 * describes, and what makes it. 128 digits, as upstream's hash of the content itself.
 *
 * @param more what the document says besides
 */
export function* fingerprint(definitions: readonly ResourceDefinition[], ...more: string[]): Steps<string> {
  makers ??= hashOfMakers();
  const hash = createHash('sha512').update(JSON.stringify([makers, ...more]));
  for (const definition of definitions) {
    let own = hashes.get(definition);
    if (own === undefined) {
      own = createHash('sha256')
        .update(JSON.stringify(partsOf(definition)))
        .digest('hex');
      hashes.set(definition, own);
      yield;
    }
    hash.update(own);
  }
  return hash.digest('hex').toUpperCase();
}

function partsOf(definition: ResourceDefinition): unknown[] {
  const { group, version, resource, kind, listKind, namespaced, verbs, subresources, schema } = definition;
  const selectable = Object.keys(definition.selectableFields);
  return [group, version, resource, kind, listKind, namespaced, verbs, subresources, schema.structural, selectable];
}

/**
 * Clients keep documents by their hash, past the release that made them: whatever changes what they say (this folder,
 * the table of types, the descriptions) changes all hashes.
 */
function hashOfMakers(): string {
  const here = join(import.meta.dirname, '..');
  const files = readdirSync(here, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .sort()
    .map((name) => join(here, name));
  const api = join(here, '..', '..', 'api');
  files.push(join(api, 'generated', 'schema.json'), join(api, 'structural-schema', 'open-api.ts'));
  const hash = createHash('sha256').update(descriptionsVersion());
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex');
}
