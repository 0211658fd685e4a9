import { createGzip } from 'node:zlib';
import { apiVersionOf } from '../../api/object.ts';
import type { ListAnswer } from '../answer.ts';
import type { RequestContext } from '../request-context.ts';
import type { CacheEntry } from '../watch-cache/watch-cache.ts';
import { visibleObject } from './entry-view.ts';
import { headOf, type ItemBytes, itemsSayKind, newItem, setItem, withoutKind } from './list-item.ts';
import type { AcceptedForm } from './negotiate.ts';
import { parseIncludeObject, partialMetadata, tableOf } from './table.ts';
import { yamlText } from './yaml-form.ts';

/** Lists of more objects than this are built and sent piece by piece. */
export const longListEntries = 100;
/** What is built and encrypted at once: about a third of a millisecond; less while others wait. */
const pieceBytes = 64 * 1024;
const pieceMs = 1;
const hurriedBytes = 16 * 1024;
const hurriedMs = 0.25;
/** A client that reads nothing for so long gets no more. */
const stalledMs = 60_000;

/** A response, or the compressor before it. */
interface Output {
  write(chunk: Uint8Array, written: (error?: Error | null) => void): boolean;
  end(): unknown;
  once(event: 'close', listener: () => void): unknown;
  off(event: 'close', listener: () => void): unknown;
}

interface Response extends Output {
  readonly destroyed?: boolean;
  destroy(): unknown;
  writeHead(code: number, headers: Record<string, string | number | string[]>): unknown;
}

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

/**
 * Sends a list of thousands without holding the processor: each piece takes a slice of the request's turn, and waits
 * until the client has read the one before. Nothing is built that the client does not read.
 */
export async function respondLongList(
  context: RequestContext,
  answer: ListAnswer,
  { response: given, headers, form, pretty, gzip, nowMs, contentType, parts: made }: LongListOptions,
): Promise<void> {
  const response = given as Response;
  const parts = made ?? listParts(context, answer, form, pretty, nowMs);
  response.writeHead(200, {
    ...headers,
    'content-type': contentType ?? (form.format === 'yaml' ? 'application/yaml' : 'application/json'),
    ...(gzip && { 'content-encoding': 'gzip', vary: 'Accept-Encoding' }),
  });
  let output: Output = response;
  if (gzip) {
    const compressor = createGzip({ level: 1 });
    compressor.on('error', () => response.destroy());
    compressor.pipe(given as NodeJS.WritableStream);
    response.once('close', () => compressor.destroy());
    output = compressor;
  }
  let piece = takeBuffer();
  let size = 0;
  const begin = () => {
    const hurried = context.turn?.hurried === true;
    fullBytes = hurried ? hurriedBytes : pieceBytes;
    untilMs = performance.now() + (hurried ? hurriedMs : pieceMs);
  };
  let fullBytes = pieceBytes;
  let untilMs = 0;
  let checked = 0;
  begin();
  const flush = async (): Promise<boolean> => {
    const buffer = piece;
    context.responseBytes = (context.responseBytes ?? 0) + size;
    const written = writeOut(output, response, buffer.subarray(0, size));
    size = 0;
    const goesOn = await written;
    // Whoever did not read it may still hold it.
    if (goesOn) giveBack(buffer);
    return goesOn;
  };
  for (const part of parts) {
    const bytes = part instanceof Uint8Array ? part : part.bytes;
    for (let offset = part instanceof Uint8Array ? 0 : part.start; offset < bytes.length; ) {
      const copied = bytes.copy(piece, size, offset);
      offset += copied;
      size += copied;
      // Asking for the time costs as much as a small part.
      if (size < fullBytes && (++checked % 8 !== 0 || performance.now() < untilMs)) continue;
      if (!(await flush())) return;
      piece = takeBuffer();
      await context.turn?.slice();
      if (response.destroyed) return;
      begin();
    }
  }
  if (size > 0 && !(await flush())) return;
  output.end();
}

/**
 * Buffers for pieces are used again: hundreds of megabytes of them a second would keep the garbage collector busy, and
 * everybody waiting for it.
 */
const freeBuffers: Buffer[] = [];
const freeBuffersLimit = 64;
const takeBuffer = (): Buffer => freeBuffers.pop() ?? Buffer.allocUnsafeSlow(pieceBytes);
function giveBack(buffer: Buffer): void {
  if (freeBuffers.length < freeBuffersLimit) freeBuffers.push(buffer);
}

/** Resolves when the piece is out; with false when the client left, or reads no more. */
function writeOut(output: Output, response: Response, piece: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (more: boolean) => {
      clearTimeout(timer);
      response.off('close', onClose);
      resolve(more);
    };
    const onClose = () => finish(false);
    const timer = setTimeout(() => {
      finish(false);
      response.destroy();
    }, stalledMs);
    response.once('close', onClose);
    output.write(piece, (error) => finish(error == null));
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
    for (const entry of entries) yield Buffer.from(yamlText([item(entry)]));
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
