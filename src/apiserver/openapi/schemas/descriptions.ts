import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What `kubectl explain` says of a type and its fields. */
export interface TypeDescription {
  /** Absent when nothing is known of it. */
  description?: string;
  /** By name in JSON. */
  fields: ReadonlyMap<string, string>;
}

const nothing: TypeDescription = { fields: new Map() };
const known = new Map<string, TypeDescription>();

/**
 * The published descriptions of a built-in type, by its OpenAPI name (`io.k8s.api.apps.v1.Deployment`). They are read
 * from the declarations of the Kubernetes client library that is installed beside us, when first asked for: none of
 * those sentences is ours to keep. Without the library, or for types it does not have, there are none.
 */
export function describeType(typeName: string): TypeDescription {
  const found = known.get(typeName);
  if (found !== undefined) return found;
  const described =
    modelNames(typeName)
      .map(readModel)
      .find((model) => model !== undefined) ?? nothing;
  known.set(typeName, described);
  return described;
}

/** Of the library; '' without one. */
export function descriptionsVersion(): string {
  if (models === undefined) return '';
  try {
    return String(JSON.parse(readFileSync(join(models, '..', '..', '..', 'package.json'), 'utf8')).version);
  } catch {
    return '';
  }
}

const models = ((): string | undefined => {
  try {
    return join(dirname(fileURLToPath(import.meta.resolve('@kubernetes/client-node'))), 'gen', 'models');
  } catch {
    return undefined;
  }
})();

/** The library's names: `V1Deployment`, and `CoreV1Event` where groups share a name. */
function modelNames(typeName: string): string[] {
  const [group, version, kind] = typeName.split('.').slice(-3);
  if (group === undefined || version === undefined || kind === undefined) return [];
  return [`${capital(group)}${capital(version)}${kind}`, `${capital(version)}${kind}`];
}

const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);

/** A comment and what it stands before: the class, or a field. */
const commented = /\/\*\*\r?\n\s*\* (.+)\r?\n\s*\*\/\r?\n\s*(?:export declare (class)|'([^']+)'\??:)/g;

function readModel(name: string): TypeDescription | undefined {
  if (models === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(join(models, `${name}.d.ts`), 'utf8');
  } catch {
    return undefined;
  }
  const fields = new Map<string, string>();
  let description: string | undefined;
  for (const [, comment, isClass, field] of text.matchAll(commented)) {
    const sentence = comment!
      .replaceAll('*_/', '*/')
      .replace(/\\+(['"`])/g, '$1')
      .trim();
    if (isClass !== undefined) description = sentence;
    // Words that TypeScript reserves bear an underscore there.
    else fields.set(field!.replace(/^_/, ''), sentence);
  }
  return { ...(description !== undefined && { description }), fields };
}
