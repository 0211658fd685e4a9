import { notAcceptable } from '../../api/status.ts';

/** What form an answer takes. Source: API concepts, "Alternate representations of resources". */
export interface AcceptedForm {
  format: 'json' | 'yaml';
  /** Of single objects, lists and watch events; plain when absent. */
  as?: 'Table' | 'PartialObjectMetadata';
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

/** Media types in the client's order; q-values are ignored as upstream's clients send none that matter. */
export function parseAccept(accept: string): MediaType[] {
  return accept.split(',').flatMap((part) => {
    const [type = '', ...rest] = part.split(';').map((piece) => piece.trim());
    if (type === '') return [];
    const parameters: Record<string, string> = {};
    for (const piece of rest) {
      const equals = piece.indexOf('=');
      if (equals > 0) parameters[piece.slice(0, equals)] = piece.slice(equals + 1);
    }
    return [{ type, parameters }];
  });
}

/** The first form asked for that can be given; 406 when there is none. */
export function acceptedForm(accept: string): AcceptedForm {
  if (accept === '' || accept === 'application/json' || accept === '*/*') return plainJson;
  const known = formsByHeader.get(accept);
  if (known !== undefined) return known;
  const form = chooseForm(accept);
  // Clients send a handful of headers; the bound keeps a hostile one from filling memory.
  if (formsByHeader.size < 256) formsByHeader.set(accept, form);
  return form;
}

function chooseForm(accept: string): AcceptedForm {
  for (const { type, parameters } of parseAccept(accept)) {
    const format =
      type === 'application/yaml' || type === 'text/yaml' || type === 'application/x-yaml'
        ? 'yaml'
        : type === 'application/json' || type === '*/*' || type === 'application/*'
          ? 'json'
          : undefined;
    if (format === undefined) continue;
    const { as, g, v } = parameters;
    if (as === undefined) return { format };
    if (g !== 'meta.k8s.io' || (v !== 'v1' && v !== 'v1beta1')) continue;
    if (as === 'Table') return { format, as, version: v };
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') {
      return { format, as: 'PartialObjectMetadata', version: v };
    }
  }
  throw notAcceptable(
    'only the following media types are accepted: application/json, application/yaml, application/json;stream=watch',
  );
}
