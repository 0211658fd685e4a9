import { apiVersionOf, type KubeObject } from '../../api/object.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import { notAcceptable } from '../../api/status.ts';
import type { EntryAnswer, ListAnswer, ObjectAnswer } from '../answer.ts';
import {
  encodeObject,
  encodeResource,
  envelope,
  hasProtobuf,
  listParts,
  protobufSchema,
  watchFrame,
} from '../protobuf/encode-protobuf.ts';
import type { RequestContext } from '../request-context.ts';
import type { CacheEntry, CacheEvent } from '../watch-cache/watch-cache.ts';
import type { AcceptedForm } from './negotiate.ts';
import { partialMetadata } from './table.ts';

/** Whether the whole answer has a protobuf form. */
export function offersProtobuf(answer: EntryAnswer | ListAnswer | ObjectAnswer): boolean {
  if (answer.definition !== undefined) return hasProtobuf(answer.definition);
  const { kind = '', apiVersion = '' } = (answer as ObjectAnswer).object as Partial<KubeObject>;
  return protobufSchema(kind, apiVersion) !== undefined;
}

/** The bare message of an entry, encoded once per revision when somebody asks and shared by lists, gets and watches. */
const messageOf = (definition: ResourceDefinition, entry: CacheEntry): Buffer =>
  entry.representation('protobuf', (object) => encodeResource(definition, object));

/** Objects are encoded for so long before others get a turn. */
const encodingMs = 1;

/** A whole answer. Lists that have many objects are better sent in parts. */
export async function protobufBytes(
  context: RequestContext,
  answer: EntryAnswer | ListAnswer | ObjectAnswer,
  form: AcceptedForm,
): Promise<Buffer> {
  if (answer.type === 'list') return Buffer.concat([...(await protobufListParts(context, answer, form))]);
  const isPartial = form.as === 'PartialObjectMetadata';
  if (answer.type === 'object') {
    const object = answer.object as KubeObject;
    return encoded(isPartial && answer.definition !== undefined ? partialMetadata(object, form.version!) : object);
  }
  const { definition, entry } = answer;
  if (isPartial) return encoded(partialMetadata(entry.object, form.version!));
  return envelope(definition.kind, apiVersionOf(definition), messageOf(definition, entry));
}

/** A list's bytes in parts. Its length comes first, so every object is encoded before the first part is given. */
export async function protobufListParts(
  context: RequestContext,
  { definition, entries, metadata }: ListAnswer,
  form: AcceptedForm,
): Promise<Iterable<Buffer>> {
  const isPartial = form.as === 'PartialObjectMetadata';
  const items: Buffer[] = [];
  let untilMs = performance.now() + encodingMs;
  for (const entry of entries) {
    items.push(isPartial ? partialMessage(entry) : messageOf(definition, entry));
    if (items.length % 8 !== 0 || performance.now() < untilMs) continue;
    await (context.turn?.slice() ?? new Promise((resolve) => setImmediate(resolve)));
    untilMs = performance.now() + encodingMs;
  }
  return isPartial
    ? listParts('PartialObjectMetadataList', `meta.k8s.io/${form.version}`, metadata, items)
    : listParts(definition.listKind, apiVersionOf(definition), metadata, items);
}

const partialMessage = (entry: CacheEntry): Buffer =>
  encodeResource({ schema: protobufSchema('PartialObjectMetadata', 'meta.k8s.io/v1')! }, entry.object);

/** One event of a watch. The same one goes to many watchers in a row: they share its bytes. */
export function protobufFrame(definition: ResourceDefinition, event: CacheEvent, form: AcceptedForm): Buffer {
  const { as, version } = form;
  if (last?.event !== event || last.definition !== definition || last.as !== as || last.version !== version) {
    last = { event, definition, as, version, frame: buildFrame(definition, event, form) };
  }
  return last.frame;
}
let last:
  | ({ event: CacheEvent; definition: ResourceDefinition; frame: Buffer } & Pick<AcceptedForm, 'as' | 'version'>)
  | undefined;

function buildFrame(definition: ResourceDefinition, event: CacheEvent, form: AcceptedForm): Buffer {
  const { type, entry } = event;
  const object =
    form.as === 'PartialObjectMetadata'
      ? envelope('PartialObjectMetadata', `meta.k8s.io/${form.version}`, partialMessage(entry))
      : envelope(definition.kind, apiVersionOf(definition), messageOf(definition, entry));
  return watchFrame(type, object);
}

function encoded(object: object): Buffer {
  const bytes = encodeObject(object);
  if (bytes === undefined) throw notAcceptable('the object has no protobuf form');
  return bytes;
}
