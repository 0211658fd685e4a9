import type { KubeObject } from '../../api/object.ts';
import type { WatchAnswer } from '../answer.ts';
import { asStatusError } from '../filters/panic-recovery.ts';
import { hasProtobuf, PROTOBUF_WATCH } from '../protobuf/encode-protobuf.ts';
import type { RequestContext } from '../request-context.ts';
import type { CacheEvent } from '../watch-cache/watch-cache.ts';
import { visibleObject } from './entry-view.ts';
import { acceptedForm } from './negotiate.ts';
import { protobufFrame } from './protobuf-form.ts';
import { commonHeaders, type ServerResponseLike } from './respond.ts';
import { parseIncludeObject, partialMetadata, tableOf } from './table.ts';
import { WatchOutbox } from './watch-outbox.ts';

/** A watcher that leaves so much unread is ended: it lists again when it can keep up. The first backlog is free. */
const unsentLimitBytes = 16 * 1024 * 1024;

export interface WatchResponse extends ServerResponseLike {
  readonly writableLength: number;
  flushHeaders?(): void;
  on(event: 'close', listener: () => void): unknown;
}

/** Sends events as JSON, one a line, until the client leaves, the time is up or the server ends. */
export function respondWatch(
  context: RequestContext,
  answer: WatchAnswer,
  response: WatchResponse,
  clock: { now(): number; schedule(delayMs: number, callback: () => void): () => void },
  onServerClose: (end: () => void) => () => void,
): Promise<void> {
  const variant = context.showTenant ? 'platform' : 'tenant';
  const contentType = watchForm(context, answer).format === 'protobuf' ? PROTOBUF_WATCH : 'application/json';
  const frameOf = frameBuilder(context, answer, () => clock.now());
  return new Promise((resolve, reject) => {
    let ended = false;
    let stop: (() => void) | undefined;
    let headSent = false;
    const end = () => {
      if (ended) return;
      ended = true;
      stop?.();
      cancelTimeout?.();
      forgetServer();
      outbox.flush();
      response.end();
      resolve();
    };
    const sendHead = () => {
      headSent = true;
      response.writeHead(200, { ...commonHeaders(context), 'content-type': contentType });
      response.flushHeaders?.();
    };
    const forgetServer = onServerClose(end);
    const cancelTimeout = answer.timeoutMs === undefined ? undefined : clock.schedule(answer.timeoutMs, end);
    response.on('close', end);

    let allowedBytes = unsentLimitBytes;
    let starting = true;
    const send = (bytes: Buffer, frames: readonly Buffer[]) => {
      if (starting) allowedBytes += bytes.length;
      context.onWatchEvents?.(frames);
      response.write(bytes);
      if (response.writableLength > allowedBytes) end();
    };
    const outbox = new WatchOutbox(send);
    const frame = frameOf ?? ((event: CacheEvent) => event.frame(variant));
    const onEvents = (events: CacheEvent[]) => {
      if (ended) return;
      if (!headSent) sendHead();
      if (!starting) {
        for (const event of events) outbox.add(frame(event));
        return;
      }
      const frames = events.map((event) => frame(event));
      send(frames.length === 1 ? frames[0]! : Buffer.concat(frames), frames);
    };
    try {
      // What is already there may come before `start` returns. A 410 is thrown here, while a status can still be sent.
      stop = answer.start(onEvents, end);
    } catch (error) {
      ended = true;
      cancelTimeout?.();
      forgetServer();
      return reject(asStatusError(error, () => {}));
    }
    starting = false;
    if (ended) stop();
    else if (!headSent) sendHead();
  });
}

const watchForm = (context: RequestContext, answer: WatchAnswer) =>
  acceptedForm(context.accept, { protobuf: hasProtobuf(answer.definition), stream: true });

/** Builds lines for Table and PartialObjectMetadata watches; undefined for the plain form, whose lines are shared. */
function frameBuilder(
  context: RequestContext,
  answer: WatchAnswer,
  nowMs: () => number,
): ((event: CacheEvent) => Buffer) | undefined {
  const form = watchForm(context, answer);
  const { group, version, resource } = answer.definition;
  const place = `${group}/${version}/${resource} ${context.showTenant}`;
  const said = `${place} ${form.format} ${form.as} ${form.version}`;
  if (form.format === 'protobuf') {
    const same = sameText(said);
    return (event) => sharedFrame(event, same, () => protobufFrame(answer.definition, event, form));
  }
  if (form.as === undefined) return undefined;
  const includeObject = parseIncludeObject(context.query.get('includeObject'));
  let columnsSent = false;
  const first = sameText(`${said} ${includeObject} first`);
  const later = sameText(`${said} ${includeObject} later`);
  const shape = (object: KubeObject): object => {
    if (form.as === 'PartialObjectMetadata') return partialMetadata(object, form.version!);
    return tableOf(
      answer.definition,
      [object],
      { resourceVersion: object.metadata.resourceVersion },
      { version: form.version!, includeObject, nowMs: nowMs(), withColumns: !columnsSent },
    );
  };
  return (event) => {
    const frame = sharedFrame(event, columnsSent ? later : first, () => {
      const object = visibleObject(event.entry, context.showTenant);
      return Buffer.from(`${JSON.stringify({ type: event.type, object: shape(object) })}\n`);
    });
    columnsSent = true;
    return frame;
  };
}

/** What events of a type look like in a form, by the form; of an entry. */
type Frames = Map<string, Buffer>;
const framesOfTurn = new Map<object, Map<CacheEvent['type'], Frames>>();
/** The last that was asked for: an event goes from watcher to watcher. */
let last: { entry: object; type: CacheEvent['type']; said: string; frame: Buffer } | undefined;

/**
 * What watchers in one form are told in one turn of the event loop is made once: a thousand of them, and an object of a
 * megabyte, were seconds otherwise. `said` tells forms apart, and is of sameText: it is compared for every watcher.
 */
function sharedFrame(event: CacheEvent, said: string, build: () => Buffer): Buffer {
  const { entry, type } = event;
  if (last !== undefined && last.entry === entry && last.type === type && last.said === said) return last.frame;
  if (framesOfTurn.size === 0) {
    setImmediate(() => {
      framesOfTurn.clear();
      last = undefined;
    });
  }
  let ofEntry = framesOfTurn.get(entry);
  if (ofEntry === undefined) framesOfTurn.set(entry, (ofEntry = new Map()));
  let frames = ofEntry.get(type);
  if (frames === undefined) ofEntry.set(type, (frames = new Map()));
  let frame = frames.get(said);
  if (frame === undefined) frames.set(said, (frame = build()));
  last = { entry, type, said, frame };
  return frame;
}

const texts = new Map<string, string>();
const textsLimit = 1000;

/** One text for all that are equal: those are compared at once. */
function sameText(text: string): string {
  const known = texts.get(text);
  if (known !== undefined) return known;
  if (texts.size >= textsLimit) texts.clear();
  texts.set(text, text);
  return text;
}
