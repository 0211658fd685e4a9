import type { Steps } from '../../base/steps.ts';
import { StatusError } from '../status.ts';
import { pathsOf, printPath } from './field-set.ts';
import { type Managed, type ManagedFieldsEntry, upstreamIdentifierOf } from './managed.ts';
import { compareText } from './path-element.ts';
import type { Conflicts } from './take-from-others.ts';

const pathsAtOnce = 256;

/** 409 with a cause for each field that another manager owns. Source: apimachinery's NewConflictError. */
export function* conflictError(conflicts: Conflicts, managed: Managed): Steps<StatusError> {
  const found: { identifier: string; manager: string; path: string }[] = [];
  const order = (identifier: string) => upstreamIdentifierOf(managed.get(identifier)!);
  for (const identifier of [...conflicts.keys()].sort((a, b) => compareText(order(a), order(b)))) {
    const manager = printManager(managed.get(identifier)!);
    for (const path of pathsOf(conflicts.get(identifier)!)) {
      found.push({ identifier, manager, path: printPath(path) });
      if (found.length % pathsAtOnce === 0) yield;
    }
    yield;
  }
  const causes = found.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${manager}`,
    field: path,
  }));
  return new StatusError(409, 'Conflict', messageOf(found), { causes });
}

function messageOf(found: { identifier: string; manager: string; path: string }[]): string {
  if (found.length === 1) {
    return `Apply failed with 1 conflict: conflict with ${found[0]!.manager}: ${found[0]!.path}`;
  }
  const lines: string[] = [];
  let last: string | undefined;
  for (const { identifier, manager, path } of found) {
    if (identifier !== last) lines.push(`conflicts with ${manager}:`);
    last = identifier;
    lines.push(`- ${path}`);
  }
  return `Apply failed with ${found.length} conflicts: ${lines.join('\n')}`;
}

/** The identifier has no time, and so messages have none. */
function printManager({ manager, operation, apiVersion, subresource }: ManagedFieldsEntry): string {
  let text = JSON.stringify(manager ?? '');
  if (subresource) text += ` with subresource ${JSON.stringify(subresource)}`;
  return operation === 'Update' ? `${text} using ${apiVersion}` : text;
}
