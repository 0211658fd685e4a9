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

/** An object's bytes as a list's item come after these (`{`, mostly) and begin at `start`. */
export interface ItemBytes {
  before: Buffer;
  bytes: Buffer;
  start: number;
}

const nothing = Buffer.alloc(0);
const brace = Buffer.from('{');

/** Changes `item`, so that lists of thousands need not make thousands of them. */
export function setItem(item: ItemBytes, bytes: Buffer, head: Buffer | undefined): ItemBytes {
  item.before = nothing;
  item.bytes = bytes;
  item.start = 0;
  if (head === undefined) return item;
  if (startsWith(bytes, head)) {
    item.before = brace;
    item.start = head.length;
  } else item.bytes = Buffer.from(JSON.stringify(withoutKind(JSON.parse(bytes.toString()))));
  return item;
}

export const newItem = (): ItemBytes => ({ before: nothing, bytes: nothing, start: 0 });

/** For so few bytes a loop is faster than what Buffer has. */
function startsWith(bytes: Buffer, head: Buffer): boolean {
  for (let index = 0; index < head.length; index++) if (bytes[index] !== head[index]) return false;
  return true;
}
