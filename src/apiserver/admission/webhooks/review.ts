import { randomUUID } from 'node:crypto';
import type { KubeObject } from '../../../api/object.ts';
import type { StatusDetails } from '../../../api/status.ts';
import type { AdmissionRequest } from '../admission.ts';
import type { CompiledWebhook } from './compiled-webhook.ts';
import { type MatchedForm, requestedForm } from './forms.ts';

/** As rules and webhooks know it: a namespace is in the namespace of its own name. */
export function namespaceOf({ definition, namespace, name }: AdmissionRequest): string {
  return definition.group === '' && definition.resource === 'namespaces' ? name : namespace;
}

export interface Review {
  uid: string;
  body: object;
}

/** An AdmissionReview for one webhook. `object` and `oldObject` are in the form it asked for. Source: admission/v1. */
export function reviewOf(
  webhook: CompiledWebhook,
  form: MatchedForm,
  request: AdmissionRequest,
  object: KubeObject | undefined,
  oldObject: KubeObject | undefined,
): Review {
  const uid = randomUUID();
  const requested = requestedForm(request);
  const { operation, subresource, name, identity, dryRun, options } = request;
  const namespace = namespaceOf(request);
  const { uid: userUid, extra } = identity;
  return {
    uid,
    body: {
      kind: 'AdmissionReview',
      apiVersion: `admission.k8s.io/${webhook.reviewVersion}`,
      request: {
        uid,
        kind: form.kind,
        resource: form.resource,
        ...(subresource !== '' && { subResource: subresource }),
        requestKind: requested.kind,
        requestResource: requested.resource,
        ...(subresource !== '' && { requestSubResource: subresource }),
        ...(name !== '' && { name }),
        ...(namespace !== '' && { namespace }),
        operation,
        userInfo: {
          username: identity.name,
          ...(userUid !== undefined && { uid: userUid }),
          ...(identity.groups.length > 0 && { groups: identity.groups }),
          ...(extra !== undefined && { extra }),
        },
        object: shown(object),
        oldObject: shown(oldObject),
        dryRun,
        options: options ?? null,
      },
    },
  };
}

/** Tenants never see which tenant they are. */
export function withoutTenant(object: KubeObject): KubeObject {
  if (object.metadata?.clusterName === undefined) return object;
  const { clusterName: _clusterName, ...metadata } = object.metadata;
  return { ...object, metadata };
}

const shown = (object: KubeObject | undefined) => (object === undefined ? null : withoutTenant(object));

export interface ReviewResult {
  allowed: boolean;
  /** The patch document, parsed; empty: none. Only of mutating webhooks. */
  patch: unknown[];
  status: { message?: string; reason?: string; code?: number; details?: StatusDetails } | undefined;
  warnings: string[];
  auditAnnotations: Record<string, string>;
}

/** An answer that is no answer to the question. */
export class InvalidReview extends Error {}

/**
 * Holds an answer to what upstream expects of it; throws InvalidReview. An undecodable patch is left to the caller, since
 * upstream looks at it only when the request is allowed.
 */
export function readReview(
  answer: any,
  uid: string,
  version: 'v1' | 'v1beta1',
  isMutating: boolean,
): Omit<ReviewResult, 'patch'> & { patch: string } {
  const response = answer?.response;
  if (typeof response !== 'object' || response === null) throw new InvalidReview('webhook response was absent');
  const patch = textOf(response.patch, 'response.patch') ?? '';
  const patchType = textOf(response.patchType, 'response.patchType');
  if (version === 'v1') {
    if (response.uid !== uid) {
      throw new InvalidReview(
        `expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`,
      );
    }
    const expected = 'admission.k8s.io/v1, Kind=AdmissionReview';
    const got = `${textOf(answer.apiVersion, 'apiVersion') ?? ''}, Kind=${textOf(answer.kind, 'kind') ?? ''}`;
    if (got !== expected) throw new InvalidReview(`expected webhook response of ${expected}, got ${got}`);
    checkPatch(patch, patchType, isMutating);
  }
  if (isMutating && patch !== '' && version === 'v1' && patchType !== 'JSONPatch') {
    throw new InvalidReview(`unsupported patch type ${JSON.stringify(patchType)}`);
  }
  return {
    allowed: response.allowed === true,
    patch: isMutating ? patch : '',
    status: statusOf(response.status),
    warnings: strings(response.warnings),
    auditAnnotations: stringMap(response.auditAnnotations),
  };
}

/** null says nothing. */
function textOf(value: unknown, field: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw new InvalidReview(`${field} is no string`);
  return value;
}

function statusOf(value: any): ReviewResult['status'] {
  if (typeof value !== 'object' || value === null) return undefined;
  const { code, details } = value;
  const message = textOf(value.message, 'response.status.message');
  const reason = textOf(value.reason, 'response.status.reason');
  return {
    ...(typeof code === 'number' && { code }),
    ...(message !== undefined && { message }),
    ...(reason !== undefined && { reason }),
    ...(typeof details === 'object' && details !== null && !Array.isArray(details) && { details }),
  };
}

function checkPatch(patch: string, patchType: string | undefined, isMutating: boolean): void {
  if (!isMutating) {
    if (patch !== '') throw new InvalidReview('validating webhook may not return response.patch');
    if (patchType !== undefined) throw new InvalidReview('validating webhook may not return response.patchType');
    return;
  }
  if (patch !== '' && patchType === undefined) {
    throw new InvalidReview('webhook returned response.patch but not response.patchType');
  }
  if (patch === '' && patchType !== undefined) {
    throw new InvalidReview('webhook returned response.patchType but not response.patch');
  }
  if (patchType === '') throw new InvalidReview('webhook returned invalid response.patchType of ""');
}

const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];

function stringMap(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
  );
}
