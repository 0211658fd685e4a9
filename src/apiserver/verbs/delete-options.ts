import { decodeObject } from '../../api/decode.ts';
import { schemaOf } from '../../api/generated-schema.ts';
import { badRequest, type FieldError, invalid } from '../../api/status.ts';
import { parseBody } from '../decode-body.ts';
import type { RequestContext } from '../request-context.ts';
import { unsupportedDryRun } from './options.ts';

/** meta/v1 DeleteOptions, dryRun aside. */
export interface DeleteOptions {
  gracePeriodSeconds?: number;
  preconditions?: { uid?: string; resourceVersion?: string };
  orphanDependents?: boolean;
  propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
}

/** From the body, or without one from the query. */
export async function readDeleteOptions(context: RequestContext): Promise<{ options: DeleteOptions; dryRun: boolean }> {
  const body = await context.readBody();
  const empty = body.type === 'bytes' ? body.bytes.length === 0 : body.value === undefined;
  const raw = empty ? optionsOfQuery(context) : decoded((await parseBody(context, body, 'DeleteOptions')).value);
  // With a body the query says nothing.
  const dryRun: unknown[] = empty ? context.query.getAll('dryRun') : (raw['dryRun'] ?? []);
  const errors: FieldError[] = [];
  const policy = raw.propagationPolicy;
  if (policy !== undefined && raw.orphanDependents !== undefined) {
    errors.push({
      reason: 'FieldValueInvalid',
      field: 'propagationPolicy',
      message: `Invalid value: ${JSON.stringify(policy)}: orphanDependents and deletionPropagation cannot be both set`,
    });
  }
  if (policy !== undefined && policy !== 'Foreground' && policy !== 'Background' && policy !== 'Orphan') {
    errors.push({
      reason: 'FieldValueNotSupported',
      field: 'propagationPolicy',
      message: `Unsupported value: ${JSON.stringify(policy)}: supported values: "Foreground", "Background", "Orphan", "nil"`,
    });
  }
  if (dryRun.some((value) => value !== 'All')) errors.push(unsupportedDryRun(dryRun));
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors);
  return {
    dryRun: dryRun.includes('All'),
    options: {
      ...(raw.gracePeriodSeconds !== undefined && { gracePeriodSeconds: Number(raw.gracePeriodSeconds) }),
      ...(raw.preconditions !== undefined && raw.preconditions !== null && { preconditions: raw.preconditions }),
      ...(raw.orphanDependents !== undefined && { orphanDependents: raw.orphanDependents }),
      ...(policy !== undefined && { propagationPolicy: policy }),
    },
  };
}

function decoded(value: unknown): Record<string, any> {
  const { object, errors } = decodeObject(schemaOf('io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions')!, value);
  if (errors.length === 0) return object;
  throw badRequest(errors[0]!);
}

function optionsOfQuery({ query }: RequestContext): Record<string, any> {
  const options: Record<string, any> = {};
  const grace = query.get('gracePeriodSeconds');
  if (grace !== null && /^-?\d+$/.test(grace)) options['gracePeriodSeconds'] = Number(grace);
  const policy = query.get('propagationPolicy');
  if (policy !== null && policy !== '') options['propagationPolicy'] = policy;
  const orphan = query.get('orphanDependents');
  if (orphan !== null && orphan !== '') options['orphanDependents'] = orphan === 'true';
  return options;
}
