import { apiVersionOf } from '../../api/object.ts';
import type { ListAnswer } from '../answer.ts';
import type { RequestContext } from '../request-context.ts';
import type { CacheEntry } from '../watch-cache/watch-cache.ts';
import { visibleObject } from './entry-view.ts';
import { headOf, type ItemBytes, itemsSayKind, newItem, setItem, withoutKind } from './list-item.ts';
import type { AcceptedForm } from './negotiate.ts';
import { sendParts } from './send-parts.ts';
import { parseIncludeObject, partialMetadata, tableOf } from './table.ts';
import { yamlParts, yamlText } from './yaml-form.ts';

/** Lists of more objects than this are built and sent piece by piece. */
export const longListEntries = 100;

export interface LongListOptions {
  response: unknown;
  headers: Record<string, string | string[]>;
  form: AcceptedForm;
  pretty: boolean;
  gzip: boolean;
  nowMs: number;
  /** The list in a form that is made elsewhere, with its content type. */
  contentType?: string;
  parts?: Iterable<Buffer>;
}

/** Sends a list of thousands without holding the processor. */
export function respondLongList(
  context: RequestContext,
  answer: ListAnswer,
  { response, headers, form, pretty, gzip, nowMs, contentType, parts }: LongListOptions,
): Promise<void> {
  return sendParts(context, parts ?? listParts(context, answer, form, pretty, nowMs), {
    response,
    headers,
    code: 200,
    contentType: contentType ?? (form.format === 'yaml' ? 'application/yaml' : 'application/json'),
    gzip,
  });
}

/** The list's bytes, object by object. */
function* listParts(
  context: RequestContext,
  answer: ListAnswer,
  form: AcceptedForm,
  pretty: boolean,
  nowMs: number,
): Generator<Buffer | ItemBytes> {
  const { definition, entries, metadata } = answer;
  const { head, key, item } = shapeOf(context, answer, form, nowMs);
  if (form.format === 'yaml') {
    yield Buffer.from(`${yamlText(head)}${key}:\n`);
    for (const entry of entries) {
      for (const part of yamlParts([item(entry)])) yield Buffer.from(part);
    }
    return;
  }
  if (pretty) {
    yield Buffer.from(`${JSON.stringify(head, undefined, 2).slice(0, -2)},\n  "${key}": [`);
    let first = true;
    for (const entry of entries) {
      const text = JSON.stringify(item(entry), undefined, 2).replaceAll('\n', '\n    ');
      yield Buffer.from(`${first ? '' : ','}\n    ${text}`);
      first = false;
    }
    yield Buffer.from('\n  ]\n}');
    return;
  }
  if (form.as === undefined) {
    const plainHead = { kind: definition.listKind, apiVersion: apiVersionOf(definition), metadata };
    yield Buffer.from(`${JSON.stringify(plainHead).slice(0, -1)},"items":[`);
    const variant = context.showTenant ? 'platform' : 'tenant';
    const itemHead = itemsSayKind(context, definition) ? undefined : headOf(definition);
    const one = newItem();
    for (let index = 0; index < entries.length; index++) {
      if (index > 0) yield comma;
      setItem(one, entries[index]!.bytes(variant), itemHead);
      yield one.before;
      yield one;
    }
  } else {
    yield Buffer.from(`${JSON.stringify(head).slice(0, -1)},"${key}":[`);
    let first = true;
    for (const entry of entries) {
      yield Buffer.from(`${first ? '' : ','}${JSON.stringify(item(entry))}`);
      first = false;
    }
  }
  yield listEnd;
}
const comma = Buffer.from(',');
const listEnd = Buffer.from(']}\n');

/** What comes before the objects, and how each of them looks. */
function shapeOf(
  context: RequestContext,
  { definition, metadata }: ListAnswer,
  form: AcceptedForm,
  nowMs: number,
): { head: object; key: string; item(entry: CacheEntry): unknown } {
  const see = (entry: CacheEntry) => visibleObject(entry, context.showTenant);
  if (form.as === 'Table') {
    const options = {
      version: form.version!,
      includeObject: parseIncludeObject(context.query.get('includeObject')),
      nowMs,
    };
    const { rows: _rows, ...head } = tableOf(definition, [], metadata, { ...options, withColumns: true }) as any;
    const item = (entry: CacheEntry) =>
      (tableOf(definition, [see(entry)], {}, { ...options, withColumns: false }) as any).rows[0];
    return { head, key: 'rows', item };
  }
  if (form.as === 'PartialObjectMetadata') {
    return {
      head: { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${form.version}`, metadata },
      key: 'items',
      item: (entry) => partialMetadata(see(entry), form.version!),
    };
  }
  return {
    head: { kind: definition.listKind, apiVersion: apiVersionOf(definition), metadata },
    key: 'items',
    item: itemsSayKind(context, definition) ? see : (entry) => withoutKind(see(entry)),
  };
}
