import { badRequest, type FieldError, invalid } from '../../../api/status.ts';
import type { RequestContext } from '../../request-context.ts';
import { readContinue } from '../../watch-cache/pages.ts';

/** How old an answer may be. Source: API concepts, "Resource versions". */
export type Freshness =
  /** No resourceVersion: as of now, whoever wrote. */
  | { type: 'newest' }
  /** `0`: whatever is at hand. */
  | { type: 'any' }
  | { type: 'notOlderThan'; revision: number }
  | { type: 'exact'; revision: number };

export function parseRevision(text: string, options: { isList?: boolean } = {}): number {
  if (/^\d+$/.test(text) && Number(text) <= Number.MAX_SAFE_INTEGER) return Number(text);
  const quoted = JSON.stringify(text);
  const why = /^\d+$/.test(text) ? 'value out of range' : 'invalid syntax';
  const message = `resourceVersion: Invalid value: ${quoted}: strconv.ParseUint: parsing ${quoted}: ${why}`;
  // Of a single object upstream says the latter with a 500; bad input is the client's fault all the same.
  throw badRequest(options.isList ? `invalid resource version: ${message}` : message);
}

export function freshnessOf(
  context: RequestContext,
  options: { limited: boolean; continued: boolean; isList?: boolean; continueToken?: string },
): Freshness {
  const version = context.query.get('resourceVersion') ?? '';
  const match = context.query.get('resourceVersionMatch') ?? '';
  const errors: FieldError[] = [];
  const forbid = (message: string) =>
    errors.push({ reason: 'FieldValueForbidden', field: 'resourceVersionMatch', message: `Forbidden: ${message}` });
  if (match !== '') {
    if (version === '') forbid('resourceVersionMatch is forbidden unless resourceVersion is provided');
    if (options.continued) forbid('resourceVersionMatch is forbidden when continue is provided');
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      errors.push({
        reason: 'FieldValueNotSupported',
        field: 'resourceVersionMatch',
        message: `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`,
      });
    }
    if (match === 'Exact' && version === '0') {
      forbid('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
    }
  }
  if (options.isList && context.query.get('sendInitialEvents') !== null) {
    const message = 'Forbidden: sendInitialEvents is forbidden for list';
    errors.push({ reason: 'FieldValueForbidden', field: 'sendInitialEvents', message });
  }
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors);
  if (options.continueToken) readContinue(options.continueToken);
  if (version === '') return { type: 'newest' };
  if (options.continued) {
    if (version !== '0') throw badRequest('specifying resource version is not allowed when using continue');
    return { type: 'newest' };
  }
  const revision = parseRevision(version, options);
  if (revision === 0) return { type: 'any' };
  if (match === 'Exact' || (match === '' && options.limited)) return { type: 'exact', revision };
  return { type: 'notOlderThan', revision };
}
