import { notAcceptable } from '../../api/status.ts';
import { table } from '../../base/table.ts';

/** What form an answer takes. Source: API concepts, "Alternate representations of resources". */
export interface AcceptedForm {
  format: 'json' | 'yaml' | 'protobuf';
  /** Of single objects, lists and watch events; plain when absent. */
  as?: 'Table' | 'PartialObjectMetadata';
  /** Partial metadata was asked for as a list. */
  isList?: boolean;
  /** v1 or v1beta1 of meta.k8s.io. */
  version?: string;
}

export interface MediaType {
  /** `application/json` */
  type: string;
  parameters: Record<string, string>;
}

const plainJson: AcceptedForm = { format: 'json' };
const formsByHeader = new Map<string, AcceptedForm>();

/** Media types in the order in which the client wants them, as goautoneg sorts: by q, then wildcards last. */
export function parseAccept(accept: string): MediaType[] {
  const types = accept.split(',').flatMap((part) => {
    const [type = '', ...rest] = part.split(';').map((piece) => piece.trim());
    if (type === '') return [];
    const parameters: Record<string, string> = {};
    for (const piece of rest) {
      const equals = piece.indexOf('=');
      if (equals > 0) parameters[piece.slice(0, equals).trim()] = piece.slice(equals + 1).trim();
    }
    return [{ type, parameters }];
  });
  return accept.includes('q=') || accept.includes('*') ? types.sort((a, b) => rankOf(a) - rankOf(b)) : types;
}

function rankOf({ type, parameters }: MediaType): number {
  const quality = Number(parameters['q'] ?? 1);
  const wildcards = type.startsWith('*/') ? 2 : type.endsWith('/*') ? 1 : 0;
  return (Number.isFinite(quality) ? -quality : 0) * 10 + wildcards;
}

/** What the answer can be given as. */
export interface OfferedForms {
  /** The whole object has a protobuf form: custom resources have none. Partial metadata always has one. */
  protobuf?: boolean;
  /** A watch: there is no stream of YAML. */
  stream?: boolean;
}

/** The first form asked for that can be given; 406 when there is none. */
export function acceptedForm(accept: string, offered: OfferedForms = {}): AcceptedForm {
  if (accept === '' || accept === 'application/json' || accept === '*/*') return plainJson;
  const key = `${offered.protobuf === true}${offered.stream === true}${accept}`;
  const known = formsByHeader.get(key);
  if (known !== undefined) return known;
  const form = chooseForm(accept, offered);
  // Clients send a handful of headers; the bound keeps a hostile one from filling memory.
  if (formsByHeader.size < 256 && accept.length < 1024) formsByHeader.set(key, form);
  return form;
}

const mediaTypes = 'application/json, application/yaml, application/vnd.kubernetes.protobuf';
const routeTypes = new Set(['*/*', 'application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']);
const plainHeaders = new Set(['', '*/*', 'application/json', 'application/vnd.kubernetes.protobuf']);

/**
 * What upstream's router says before anything else is looked at. It takes types word by word: parameters and wildcards
 * like `application/*` mean nothing to it.
 */
export function checkRoute(accept: string, options: { isCollection?: boolean } = {}): void {
  if (plainHeaders.has(accept)) return;
  if (accept.split(',').some((part) => routeTypes.has(part.split(';', 1)[0]!.trim()))) return;
  const streams = options.isCollection
    ? ', application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch'
    : '';
  throw notAcceptable(`406: Not Acceptable\n\nAvailable representations: ${mediaTypes}${streams}`, {});
}

/** The first form asked for that is the thing itself; undefined when the client takes none. */
export function plainForm(accept: string): AcceptedForm | undefined {
  if (accept === '' || accept === 'application/json' || accept === '*/*') return plainJson;
  for (const { type, parameters } of parseAccept(accept)) {
    const format = Object.hasOwn(formats, type) ? formats[type]! : undefined;
    if (format === undefined || isConverted(parameters) || parameters['sv']) continue;
    if (canStream(format, parameters)) return { format };
  }
  return undefined;
}

/** Each of them alone asks for another form; `g` and `v` without `as` for one that nobody knows. */
const isConverted = ({ as, g, v }: MediaType['parameters']) => as !== undefined || g !== undefined || v !== undefined;

/** Of single objects too `stream=watch` may be said, but there is no stream of YAML. */
const canStream = (format: AcceptedForm['format'], { stream }: MediaType['parameters']) =>
  !stream || (stream === 'watch' && format !== 'yaml');

/** Of what is shown in no other form than its own: no tables, no partial metadata. */
export function checkPlain(accept: string): void {
  if (plainHeaders.has(accept)) return;
  if (plainForm(accept) === undefined) {
    throw notAcceptable(`only the following media types are accepted: ${mediaTypes}`);
  }
}

const formats = table<AcceptedForm['format']>({
  'application/json': 'json',
  'application/*': 'json',
  '*/*': 'json',
  'application/yaml': 'yaml',
  'text/yaml': 'yaml',
  'application/x-yaml': 'yaml',
  'application/vnd.kubernetes.protobuf': 'protobuf',
});

function chooseForm(accept: string, offered: OfferedForms): AcceptedForm {
  const form = firstForm(accept, offered);
  if (form === undefined) throw notAcceptable(`only the following media types are accepted: ${mediaTypes}`);
  // What would stream comes too late after what does not.
  if (form.format !== 'yaml' || offered.stream !== true) return form;
  throw notAcceptable(
    'only the following media types are accepted: application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch',
  );
}

function firstForm(accept: string, offered: OfferedForms): AcceptedForm | undefined {
  for (const { type, parameters } of parseAccept(accept)) {
    const format = Object.hasOwn(formats, type) ? formats[type]! : undefined;
    const { as, g, v, sv } = parameters;
    if (format === undefined || !canStream(format, parameters) || (sv && sv !== 'v1')) continue;
    if (!isConverted(parameters)) {
      if (format === 'protobuf' && offered.protobuf !== true) continue;
      return { format };
    }
    if (g !== 'meta.k8s.io' || (v !== 'v1' && v !== 'v1beta1')) continue;
    if (as === 'Table' && format !== 'protobuf') return { format, as, version: v };
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') {
      return { format, as: 'PartialObjectMetadata', version: v, isList: as === 'PartialObjectMetadataList' };
    }
  }
  return undefined;
}
