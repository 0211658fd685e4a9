import { badRequest, type FieldError, invalid, StatusError } from '../../api/status.ts';
import type { RequestContext } from '../request-context.ts';

/** How old an answer may be. Source: API concepts, "Resource versions". */
export type Freshness =
  /** No resourceVersion: as of now, whoever wrote. */
  | { type: 'newest' }
  /** `0`: whatever is at hand. */
  | { type: 'any' }
  | { type: 'notOlderThan'; revision: number }
  | { type: 'exact'; revision: number };

export function parseRevision(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) > Number.MAX_SAFE_INTEGER) {
    throw new StatusError(
      400,
      'BadRequest',
      `Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  return Number(text);
}

export function freshnessOf(context: RequestContext, options: { limited: boolean; continued: boolean }): Freshness {
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
        message: `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan"`,
      });
    }
    if (match === 'Exact' && version === '0') {
      forbid('resourceVersionMatch "Exact" is forbidden for resourceVersion "0"');
    }
    if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors);
  }
  if (version === '') return { type: 'newest' };
  const revision = parseRevision(version);
  if (options.continued) {
    if (revision !== 0) throw badRequest('specifying resource version is not allowed when using continue');
    return { type: 'newest' };
  }
  if (revision === 0) return { type: 'any' };
  if (match === 'Exact' || (match === '' && options.limited)) return { type: 'exact', revision };
  return { type: 'notOlderThan', revision };
}
