import { type FieldError, invalid } from '../../../api/status.ts';
import type { RequestContext } from '../../request-context.ts';

/** `dryRun=All`: everything but the write. */
export function dryRunOf(context: RequestContext, optionsKind: string): boolean {
  const asked = context.query.getAll('dryRun');
  if (asked.length === 0) return false;
  if (asked.some((value) => value !== 'All')) {
    throw invalid({ group: 'meta.k8s.io', kind: optionsKind }, '', [unsupportedDryRun(asked)]);
  }
  return true;
}

export const unsupportedDryRun = (asked: unknown[]): FieldError => ({
  reason: 'FieldValueNotSupported',
  field: 'dryRun',
  message: `Unsupported value: ${JSON.stringify(asked)}: supported values: "All"`,
});

/**
 * The options of a writing request as admission shows them: what the query says. Patches are updates there, as upstream.
 */
export function writeOptionsOf({ query }: RequestContext, kind: 'CreateOptions' | 'UpdateOptions'): object {
  const dryRun = query.getAll('dryRun').filter((value) => value !== '');
  const fieldManager = query.get('fieldManager');
  const fieldValidation = query.get('fieldValidation');
  return {
    kind,
    apiVersion: 'meta.k8s.io/v1',
    ...(dryRun.length > 0 && { dryRun }),
    ...(fieldManager && { fieldManager }),
    ...(fieldValidation && { fieldValidation }),
  };
}
