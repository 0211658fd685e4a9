import { apiVersionOf, type KubeObject } from '../../api/object.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import type { RequestContext } from '../request-context.ts';

/**
 * Upstream's lists of built-in kinds say once, at their head, what their items are; those of custom ones say it with every
 * item. The platform's own components get whole objects.
 */
export function itemsSayKind(context: RequestContext, definition: ResourceDefinition): boolean {
  return context.showTenant || definition.versioned !== undefined;
}

/** How the bytes of every stored object of a kind begin. */
export function headOf(definition: ResourceDefinition): Buffer {
  const { kind } = definition;
  return Buffer.from(`${JSON.stringify({ kind, apiVersion: apiVersionOf(definition) }).slice(0, -1)},`);
}

export function withoutKind({ kind: _kind, apiVersion: _apiVersion, ...object }: KubeObject): object {
  return object;
}

const brace = Buffer.from('{');

/** An object's bytes as a list's item, in one or two pieces. */
export function* itemParts(bytes: Buffer, head: Buffer | undefined): Generator<Buffer> {
  if (head === undefined) yield bytes;
  else if (bytes.subarray(0, head.length).equals(head)) {
    yield brace;
    yield bytes.subarray(head.length);
  } else yield Buffer.from(JSON.stringify(withoutKind(JSON.parse(bytes.toString()))));
}
