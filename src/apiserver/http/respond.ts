import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { writeJson } from '../../api/json/write-json.ts';
import { apiVersionOf, type KubeObject } from '../../api/object.ts';
import { notAcceptable, type StatusError } from '../../api/status.ts';
import { runInTurns } from '../../base/steps.ts';
import type { Answer, EntryAnswer, ListAnswer, ObjectAnswer } from '../answer.ts';
import { encodeObject, PROTOBUF } from '../protobuf/encode-protobuf.ts';
import type { RequestContext } from '../request-context.ts';
import type { CacheEntry } from '../watch-cache/watch-cache.ts';
import { visibleObject } from './entry-view.ts';
import { headOf, itemsSayKind, newItem, setItem, withoutKind } from './list-item.ts';
import { longListEntries, respondLongList } from './long-list.ts';
import { type AcceptedForm, acceptedForm, plainForm } from './negotiate.ts';
import { offersProtobuf, protobufBytes, protobufListParts } from './protobuf-form.ts';
import { sendParts } from './send-parts.ts';
import { parseIncludeObject, partialMetadata, tableOf } from './table.ts';
import { warningHeaders } from './warnings.ts';
import { yamlParts } from './yaml-form.ts';

const gzipAsync = promisify(gzip);
/** As upstream: smaller answers are not worth a client's and our time. */
const gzipThresholdBytes = 128 * 1024;
/** Lists of more are built and sent piece by piece. */
const heavyListBytes = 512 * 1024;

/** So much of an answer in YAML is written before it is known to be long: about a millisecond's work. */
const yamlPartsAtOnce = 16;

/** What responses over HTTP/1.1 (Node's) and HTTP/2 (http2-exchange.ts) both offer. */
export interface ServerResponseLike {
  readonly headersSent: boolean;
  writeHead(code: number, headers: Record<string, string | number | string[]>): unknown;
  write(chunk: Uint8Array | string): boolean;
  end(chunk?: Uint8Array | string): unknown;
}

export interface RespondOptions {
  response: ServerResponseLike;
  acceptEncoding: string;
  /** HEAD: headers only. */
  head: boolean;
  nowMs: number;
}

/** Writes every answer but watches, streams and upgrades. */
export async function respond(
  context: RequestContext,
  answer: EntryAnswer | ListAnswer | ObjectAnswer | Extract<Answer, { type: 'bytes' }>,
  options: RespondOptions,
): Promise<void> {
  if (answer.type === 'bytes') {
    return send(
      context,
      options,
      answer.code,
      answer.contentType,
      Buffer.from(answer.bytes as Uint8Array),
      answer.headers,
    );
  }
  const code = answer.type === 'list' ? 200 : answer.code;
  const form = formOf(context, answer);
  if (form.as === 'PartialObjectMetadata') checkPartial(answer, form);
  // A long list has begun when its pieces are made.
  if (form.as === 'Table') parseIncludeObject(context.query.get('includeObject'));
  if (
    answer.type === 'list' &&
    (answer.entries.length > longListEntries || isHeavy(answer)) &&
    context.turn !== undefined &&
    !options.head
  ) {
    const protobuf =
      form.format === 'protobuf'
        ? { contentType: PROTOBUF, parts: await protobufListParts(context, answer, form) }
        : undefined;
    return respondLongList(context, answer, {
      ...protobuf,
      response: options.response,
      headers: commonHeaders(context),
      form,
      pretty: wantsPretty(context),
      gzip: /\bgzip\b/.test(options.acceptEncoding),
      nowMs: options.nowMs,
    });
  }
  if (form.format === 'protobuf') {
    return send(context, options, code, PROTOBUF, await protobufBytes(context, answer, form));
  }
  const fast =
    form.format === 'json' && form.as === undefined && !wantsPretty(context) ? sharedBytes(context, answer) : undefined;
  if (fast !== undefined) return send(context, options, code, 'application/json', fast);
  const value = shapeOf(context, answer, form, options.nowMs);
  if (form.format === 'yaml') return sendYaml(context, options, code, value);
  if (wantsPretty(context)) {
    return send(context, options, code, 'application/json', Buffer.from(JSON.stringify(value, undefined, 2)));
  }
  // What took long to read takes long to write.
  const text = context.pace?.isLong ? await runInTurns(writeJson(value), context.pace) : JSON.stringify(value);
  return send(context, options, code, 'application/json', Buffer.from(`${text}\n`));
}

/** What a version shows of a custom resource may be much more than is stored. */
const grownBytes = 64 * 1024;

/** A hundred objects may be a hundred megabytes, which a client that does not read them would have us keep. */
function isHeavy({ definition, entries }: ListAnswer): boolean {
  const otherBytes = definition.versioned === undefined ? 0 : grownBytes;
  let bytes = 0;
  for (const entry of entries) bytes += entry.size ?? otherBytes;
  return bytes > heavyListBytes;
}

/** Partial metadata of a list is a list; who asks for the other is told so. */
function checkPartial(answer: EntryAnswer | ListAnswer | ObjectAnswer, form: AcceptedForm): void {
  const isList = answer.type === 'list';
  if (answer.definition === undefined || form.isList === isList) return;
  const { kind, listKind, versioned, storedAs } = answer.definition;
  const { group } = storedAs ?? answer.definition;
  const packageName = group === '' ? 'core' : group.split('.', 1)[0];
  const name = isList ? listKind : kind;
  const type = versioned === undefined ? `${packageName}.${name}` : `unstructured.Unstructured${isList ? 'List' : ''}`;
  throw notAcceptable(
    isList
      ? `you requested PartialObjectMetadata, but the requested object is a list (*${type})`
      : `you requested PartialObjectMetadataList, but the requested object is not a list (*${type})`,
  );
}

/** Documents that say no kind (/version) are JSON whatever is asked for, as upstream. */
function formOf(context: RequestContext, answer: EntryAnswer | ListAnswer | ObjectAnswer): AcceptedForm {
  const isKindless = answer.type === 'object' && (answer.object as Partial<KubeObject>).kind === undefined;
  return isKindless ? { format: 'json' } : acceptedForm(context.accept, { protobuf: offersProtobuf(answer) });
}

export function respondError(context: RequestContext, error: StatusError, options: RespondOptions): Promise<void> {
  const retryAfter = error.details?.retryAfterSeconds;
  const extra = {
    ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }),
    // An oversized body is not read to its end; nothing after it on this connection can be understood.
  };
  if (error.plainText !== undefined) {
    const headers = { ...extra, 'x-content-type-options': 'nosniff' };
    return send(context, options, error.code, 'text/plain; charset=utf-8', Buffer.from(error.plainText), headers);
  }
  const format = errorFormat(context.accept);
  if (format === 'protobuf') {
    return send(context, options, error.code, PROTOBUF, encodeObject(error.toStatus())!, extra);
  }
  if (format === 'yaml') {
    return sendYaml(context, options, error.code, error.toStatus(), extra);
  }
  const text = wantsPretty(context)
    ? JSON.stringify(error.toStatus(), undefined, 2)
    : `${JSON.stringify(error.toStatus())}\n`;
  return send(context, options, error.code, 'application/json', Buffer.from(text), extra);
}

/** A Status has every plain form; JSON where the client takes none. */
function errorFormat(accept: string): AcceptedForm['format'] {
  return plainForm(accept)?.format ?? 'json';
}

/** Bytes that lists, gets and watches share; undefined where the answer has to be built. */
function sharedBytes(context: RequestContext, answer: EntryAnswer | ListAnswer | ObjectAnswer): Buffer | undefined {
  const variant = context.showTenant ? 'platform' : 'tenant';
  if (answer.type === 'entry') return answer.entry.bytes(variant);
  if (answer.type !== 'list') return undefined;
  const { definition, metadata, entries } = answer;
  const head = { kind: definition.listKind, apiVersion: apiVersionOf(definition), metadata };
  const parts: Buffer[] = [Buffer.from(`${JSON.stringify(head).slice(0, -1)},"items":[`)];
  const itemHead = itemsSayKind(context, definition) ? undefined : headOf(definition);
  const item = newItem();
  for (let index = 0; index < entries.length; index += 1) {
    if (index > 0) parts.push(comma);
    const { before, bytes, start } = setItem(item, entries[index]!.bytes(variant), itemHead);
    parts.push(before, bytes.subarray(start));
  }
  parts.push(listEnd);
  return Buffer.concat(parts);
}
const comma = Buffer.from(',');
const listEnd = Buffer.from(']}\n');

/** The answer as a JSON value in the form asked for. */
function shapeOf(
  context: RequestContext,
  answer: EntryAnswer | ListAnswer | ObjectAnswer,
  form: AcceptedForm,
  nowMs: number,
): unknown {
  if (answer.type === 'object') {
    const object = context.showTenant ? (answer.object as KubeObject) : withoutTenant(answer.object as KubeObject);
    if (answer.definition === undefined || form.as === undefined) return object;
    if (form.as === 'PartialObjectMetadata') return partialMetadata(object, form.version!);
    return table(
      context,
      answer.definition,
      [object],
      { resourceVersion: object.metadata.resourceVersion },
      form,
      nowMs,
    );
  }
  const { definition } = answer;
  const see = (entry: CacheEntry) => visibleObject(entry, context.showTenant);
  if (answer.type === 'entry') {
    const object = see(answer.entry);
    if (form.as === 'Table') {
      return table(context, definition, [object], { resourceVersion: object.metadata.resourceVersion }, form, nowMs);
    }
    return form.as === 'PartialObjectMetadata' ? partialMetadata(object, form.version!) : object;
  }
  const objects = answer.entries.map(see);
  if (form.as === 'Table') return table(context, definition, objects, answer.metadata, form, nowMs);
  if (form.as === 'PartialObjectMetadata') {
    return {
      kind: 'PartialObjectMetadataList',
      apiVersion: `meta.k8s.io/${form.version}`,
      metadata: answer.metadata,
      items: objects.map((object) => partialMetadata(object, form.version!)),
    };
  }
  return {
    kind: definition.listKind,
    apiVersion: apiVersionOf(definition),
    metadata: answer.metadata,
    items: itemsSayKind(context, definition) ? objects : objects.map(withoutKind),
  };
}

/** Answers made of shared objects carry the tenant's name, which tenants never see. */
function withoutTenant(object: KubeObject): KubeObject {
  if (Array.isArray(object['items'])) return { ...object, items: object['items'].map(withoutTenant) };
  if (object.metadata?.clusterName === undefined) return object;
  const { clusterName: _clusterName, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function table(
  context: RequestContext,
  definition: ListAnswer['definition'],
  objects: KubeObject[],
  metadata: object,
  form: AcceptedForm,
  nowMs: number,
): object {
  return tableOf(definition, objects, metadata, {
    version: form.version!,
    includeObject: parseIncludeObject(context.query.get('includeObject')),
    nowMs,
    withColumns: true,
  });
}

/** As Go reads a truth value. */
const trueWords = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);

/** As upstream: asked for, or a person with curl, wget or a browser. */
function wantsPretty(context: RequestContext): boolean {
  const asked = context.query.get('pretty');
  if (asked !== null) return trueWords.has(asked);
  return /^(curl|Wget|Mozilla\/5\.0)/.test(context.userAgent);
}

export function commonHeaders(context: RequestContext): Record<string, string | string[]> {
  return {
    'audit-id': context.id,
    'cache-control': 'no-cache, private',
    ...context.responseHeaders,
    ...(context.warnings.length > 0 && {
      warning: warningHeaders(context.warnings),
    }),
  };
}

/** What takes long to write is sent while it is written. */
async function sendYaml(
  context: RequestContext,
  options: RespondOptions,
  code: number,
  value: unknown,
  extra: Record<string, string> = {},
): Promise<void> {
  const parts = yamlParts(value);
  let text = '';
  let isDone: boolean | undefined = false;
  for (let count = 0; !isDone && (count < yamlPartsAtOnce || context.turn === undefined || options.head); count++) {
    const { done, value: part = '' } = parts.next();
    isDone = done;
    text += part;
  }
  if (isDone) return send(context, options, code, 'application/yaml', Buffer.from(text), extra);
  return sendParts(context, withBefore(text, parts), {
    response: options.response,
    code,
    headers: { ...commonHeaders(context), ...extra },
    contentType: 'application/yaml',
    gzip: /\bgzip\b/.test(options.acceptEncoding),
  });
}

function* withBefore(before: string, parts: Iterable<string>): Generator<Buffer, void, void> {
  yield Buffer.from(before);
  for (const part of parts) yield Buffer.from(part);
}

async function send(
  context: RequestContext,
  options: RespondOptions,
  code: number,
  contentType: string | undefined,
  bytes: Buffer,
  extra: Record<string, string> = {},
): Promise<void> {
  const headers: Record<string, string | number | string[]> = {
    ...commonHeaders(context),
    ...(contentType !== undefined && { 'content-type': contentType }),
    ...extra,
  };
  let body = bytes;
  // A range is of the bytes as they are.
  if (code !== 206 && bytes.length >= gzipThresholdBytes && /\bgzip\b/.test(options.acceptEncoding)) {
    body = await gzipAsync(bytes, { level: 1 });
    headers['content-encoding'] = 'gzip';
    const { vary = '' } = extra;
    if (!vary.includes('Accept-Encoding')) headers['vary'] = `Accept-Encoding${vary === '' ? '' : `, ${vary}`}`;
  }
  headers['content-length'] = body.length;
  context.responseBytes = body.length;
  options.response.writeHead(code, headers);
  options.response.end(options.head ? undefined : body);
}
