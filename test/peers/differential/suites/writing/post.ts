import type { Twin } from '../../twin.ts';

/** Creates in a collection; names that servers make up are taken out of the answer. */
export const poster =
  (twin: Twin, maps: string) =>
  (label: string, body: unknown, query = '', type?: string) =>
    twin.ask(
      `create ${label}`,
      { method: 'POST', path: `${maps}${query}`, body: body as object, ...(type !== undefined && { type }) },
      { replace: [[/(generated-x*|Bad_)[a-z0-9]{5}\b/g, '$1<random>']] },
    );
