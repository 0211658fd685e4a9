import { decodeObject } from '../../../api/decode/decode.ts';
import { wrongTypeMeta } from '../../../api/decode/type-meta.ts';
import { schemaOf } from '../../../api/generated-schema.ts';
import { badRequest, type FieldError, invalid, StatusError } from '../../../api/status.ts';
import { parseBody } from '../../decode-body.ts';
import type { RequestBody, RequestContext } from '../../request-context.ts';
import { unsupportedDryRun } from './write-options.ts';

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
  const raw = empty ? optionsOfQuery(context) : decoded(await readValue(context, body));
  // With a body the query says nothing.
  const dryRun: unknown[] = empty ? context.query.getAll('dryRun') : (raw['dryRun'] ?? []);
  checkDeleteOptions(raw, dryRun);
  const policy = raw['propagationPolicy'];
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

/** 422 for what contradicts itself; `dryRun` as asked for. Source: apimachinery's ValidateDeleteOptions. */
export function checkDeleteOptions(raw: Record<string, any>, dryRun: unknown[]): void {
  const errors: FieldError[] = [];
  const { propagationPolicy: policy } = raw;
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
}

/** Every group knows the kind; nothing else is one. */
function checkKind(options: unknown): void {
  const wrong = wrongTypeMeta(options);
  if (wrong !== undefined) throw badRequest(wrong);
  const { kind, apiVersion } = options as { kind?: unknown; apiVersion?: unknown };
  const version = (apiVersion as string) || 'meta.k8s.io/v1';
  if (version.split('/').length > 2) throw badRequest(`unexpected GroupVersion string: ${version}`);
  const name = (kind as string) || 'DeleteOptions';
  if (name === 'DeleteOptions') return;
  throw badRequest(
    `no kind ${JSON.stringify(name)} is registered for version ${JSON.stringify(version)} in scheme "pkg/runtime/scheme.go:111"`,
  );
}

async function readValue(context: RequestContext, body: RequestBody): Promise<unknown> {
  try {
    return (await parseBody(context, body, 'DeleteOptions')).value;
  } catch (error) {
    // Upstream says of these nothing but what is wrong.
    const why = /^the object provided is unrecognized \(must be of type DeleteOptions\): (.*) \(.*\)$/s;
    const match = error instanceof StatusError ? why.exec(error.message) : null;
    throw match === null ? error : badRequest(match[1]!);
  }
}

function decoded(value: unknown): Record<string, any> {
  if (value !== null) checkKind(value);
  const { object, errors } = decodeObject(schemaOf('io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions')!, value);
  if (errors.length === 0) return object;
  throw badRequest(errors[0]!);
}

const largestInteger = 2n ** 63n;

/** As Go reads whole numbers of queries. */
export function checkInteger(text: string): void {
  const isWhole = /^[+-]?\d+$/.test(text);
  if (isWhole && (text.length < 19 || isInt64(BigInt(text.replace('+', ''))))) return;
  const why = isWhole ? 'value out of range' : 'invalid syntax';
  throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: ${why}`);
}

const isInt64 = (value: bigint) => value < largestInteger && value >= -largestInteger;

function optionsOfQuery({ query }: RequestContext): Record<string, any> {
  const options: Record<string, any> = {};
  const grace = query.get('gracePeriodSeconds');
  if (grace !== null) checkInteger(grace);
  if (grace !== null) options['gracePeriodSeconds'] = Number(grace);
  const policy = query.get('propagationPolicy');
  if (policy !== null && policy !== '') options['propagationPolicy'] = policy;
  const orphan = query.get('orphanDependents');
  if (orphan !== null && orphan !== '') options['orphanDependents'] = orphan === 'true';
  const [uid, resourceVersion] = [query.get('uid'), query.get('resourceVersion')];
  if (uid || resourceVersion) {
    options['preconditions'] = { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
  }
  return options;
}
