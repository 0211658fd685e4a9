import { apiVersionOf, type KubeObject } from '../../api/object.ts';
import type { StatusError } from '../../api/status.ts';
import type { EntryAnswer, ListAnswer, ObjectAnswer } from '../answer.ts';
import { visibleObject } from '../http/entry-view.ts';
import { itemsSayKind, withoutKind } from '../http/list-item.ts';
import { type AcceptedForm, acceptedForm } from '../http/negotiate.ts';
import { offersProtobuf } from '../http/protobuf-form.ts';
import { parseIncludeObject, partialMetadata, tableOf } from '../http/table.ts';
import type { RequestContext } from '../request-context.ts';
import type { CacheEntry } from '../watch-cache/watch-cache.ts';

/** What the router says by itself, before anything of the API is asked, is no object. */
export const isOfRouter = ({ plainText, message }: StatusError) =>
  plainText !== undefined || message.startsWith('406: ');

type Shown = EntryAnswer | ListAnswer | ObjectAnswer;

/** What the client was answered, in the form it wanted but as JSON; undefined where that is no object. */
export function shownObject(context: RequestContext, answer: Shown, nowMs: number): unknown {
  try {
    return objectOf(context, answer, nowMs);
  } catch {
    // A form that is not there: the client was told so instead.
    return undefined;
  }
}

function objectOf(context: RequestContext, answer: Shown, nowMs: number): unknown {
  if (answer.type === 'object' && (answer.object as Partial<KubeObject>).kind === undefined) return undefined;
  const form = acceptedForm(context.accept, { protobuf: offersProtobuf(answer) });
  if (answer.type === 'list') return shownList(context, answer, form, nowMs);
  const object =
    answer.type === 'entry'
      ? visibleObject(answer.entry, context.showTenant)
      : context.showTenant
        ? (answer.object as KubeObject)
        : withoutTenant(answer.object as KubeObject);
  if (answer.definition === undefined || form.as === undefined) return object;
  if (form.as === 'PartialObjectMetadata') return partialMetadata(object, form.version!);
  return shownTable(context, answer.definition, [object], object.metadata, form, nowMs);
}

function shownList(context: RequestContext, answer: ListAnswer, form: AcceptedForm, nowMs: number): object {
  const { definition, metadata, entries } = answer;
  const objects = entries.map((entry: CacheEntry) => visibleObject(entry, context.showTenant));
  if (form.as === 'Table') return shownTable(context, definition, objects, metadata, form, nowMs);
  if (form.as === 'PartialObjectMetadata') {
    const items = objects.map((object) => partialMetadata(object, form.version!));
    return { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${form.version}`, metadata, items };
  }
  return {
    kind: definition.listKind,
    apiVersion: apiVersionOf(definition),
    metadata,
    items: itemsSayKind(context, definition) ? objects : objects.map(withoutKind),
  };
}

function shownTable(
  context: RequestContext,
  definition: ListAnswer['definition'],
  objects: KubeObject[],
  { resourceVersion, ...more }: { resourceVersion?: string; continue?: unknown; remainingItemCount?: unknown },
  form: AcceptedForm,
  nowMs: number,
): object {
  const { continue: next, remainingItemCount: remaining } = more;
  const metadata = {
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(typeof next === 'string' && { continue: next }),
    ...(typeof remaining === 'number' && { remainingItemCount: remaining }),
  };
  const includeObject = parseIncludeObject(context.query.get('includeObject'));
  return tableOf(definition, objects, metadata, { version: form.version!, includeObject, nowMs, withColumns: true });
}

function withoutTenant(object: KubeObject): KubeObject {
  if (Array.isArray(object['items'])) return { ...object, items: object['items'].map(withoutTenant) };
  if (object.metadata?.clusterName === undefined) return object;
  const { clusterName: _clusterName, ...metadata } = object.metadata;
  return { ...object, metadata };
}
