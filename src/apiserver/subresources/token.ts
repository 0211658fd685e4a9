import { schemaOfKind } from '../../api/generated-schema.ts';
import { formatTime, type KubeObject } from '../../api/object.ts';
import { NODES, PODS } from '../../api/resources.ts';
import { badRequest, conflict, type FieldError, invalid, notFound } from '../../api/status.ts';
import { admitPosted } from '../admission/admit.ts';
import { type Answer, objectAnswer } from '../answer.ts';
import { readObject } from '../decode-body.ts';
import type { Environment } from '../environment.ts';
import type { TokenRequest } from '../identity/service-account-tokens.ts';
import { dryRunOf } from '../verbs/options/write-options.ts';
import type { ResourceRequest } from '../verbs/scope.ts';

const tokenRequestKind = { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' };
const shortestSeconds = 600;
const longestSeconds = 2 ** 32;
const defaultSeconds = 3600;
/** What admission asks for where a pod does not mount a token of its own making; such a token is good for a year, for clients that read it once. */
const podTokenSeconds = 3607;
const extendedSeconds = 365 * 24 * 3600;

/** POST to a service account's `token`. Source: authentication/v1 TokenRequest and TokenREST upstream. */
export async function requestToken(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, definition, tenant, namespace, name } = request;
  const dryRun = dryRunOf(context, 'CreateOptions');
  const target = { kind: tokenRequestKind, schema: schemaOfKind('authentication.k8s.io', 'v1', 'TokenRequest')! };
  const body = await readObject(context, target);
  if (body.metadata.namespace && body.metadata.namespace !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  body['spec'] = { ...body['spec'], expirationSeconds: body['spec']?.expirationSeconds ?? defaultSeconds };
  await admitPosted(environment, request, body, { kind: tokenRequestKind, dryRun });
  if (body.metadata.name && body.metadata.name !== name) {
    const message = `Invalid value: ${JSON.stringify(body.metadata.name)}: must match the service account name if specified`;
    throw invalid(tokenRequestKind, name, [{ reason: 'FieldValueInvalid', field: 'metadata.name', message }]);
  }
  const entry = await environment.objects.get(definition, tenant, namespace, name);
  if (entry === undefined) throw notFound(definition, name);
  const { uid } = entry.object.metadata;
  if (body.metadata.uid && body.metadata.uid !== uid) {
    throw conflict(
      { group: tokenRequestKind.group, resource: tokenRequestKind.kind },
      name,
      `the UID in the token request (${body.metadata.uid}) does not match the UID of the service account (${uid})`,
    );
  }
  const spec = body['spec'] ?? {};
  const asked: number = spec.expirationSeconds ?? defaultSeconds;
  const errors: FieldError[] = [];
  const tooOdd = (why: string) =>
    errors.push({
      reason: 'FieldValueInvalid',
      field: 'spec.expirationSeconds',
      message: `Invalid value: ${asked}: ${why}`,
    });
  if (asked < shortestSeconds) tooOdd('may not specify a duration less than 10 minutes');
  if (asked > longestSeconds) tooOdd('may not specify a duration larger than 2^32 seconds');
  if (errors.length > 0) throw invalid(tokenRequestKind, '', errors);

  const { issuers } = environment.tokens;
  const audiences: string[] = (spec.audiences ?? []).length > 0 ? spec.audiences : issuers.defaultAudiences(tenant);
  const expirationSeconds = Math.min(asked, issuers.maxExpirationSeconds ?? asked);
  const wanted: TokenRequest = {
    tenant,
    namespace,
    serviceAccount: { name, uid },
    audiences,
    expirationSeconds,
  };
  if (spec.boundObjectRef) await addBinding(environment, request, spec.boundObjectRef, wanted);
  if (expirationSeconds < asked) {
    context.warnings.push(`requested expiration of ${asked} seconds shortened to ${expirationSeconds} seconds`);
  }
  const isForPlatform = audiences.every((audience) => issuers.apiAudiences(tenant).includes(audience));
  const isMounted = wanted.pod !== undefined && expirationSeconds === podTokenSeconds;
  if (issuers.extendsExpiration && isMounted && isForPlatform) {
    wanted.extendedSeconds = extendedSeconds;
  }
  // Also of a dry run, as upstream: nothing is stored of a token.
  const status = await environment.tokens.sign(wanted);
  if (context.auditAnnotations !== undefined) {
    context.auditAnnotations['authentication.kubernetes.io/issued-credential-id'] = `JTI=${status.tokenId}`;
  }
  return objectAnswer(
    {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { name, namespace, uid, creationTimestamp: formatTime(environment.clock.now()) },
      spec: { audiences, expirationSeconds, boundObjectRef: spec.boundObjectRef ?? null },
      status: { token: status.token, expirationTimestamp: formatTime(status.expiresAtMs) },
    },
    201,
  );
}

/** As Go prints a GroupVersionKind. */
function typeText({ apiVersion = '', kind = '' }: { apiVersion?: string; kind?: string }): string {
  return `${apiVersion.includes('/') ? apiVersion : `/${apiVersion}`}, Kind=${kind}`;
}

async function addBinding(
  environment: Environment,
  request: ResourceRequest,
  reference: { kind?: string; apiVersion?: string; name?: string; uid?: string },
  wanted: TokenRequest,
): Promise<void> {
  const { tenant, namespace, name } = request;
  const bound = async (resource: { group: string; resource: string }, inNamespace: string): Promise<KubeObject> => {
    const entry = await environment.objects.get(resource, tenant, inNamespace, reference.name ?? '');
    if (entry === undefined) throw notFound(resource, reference.name ?? '');
    const { uid } = entry.object.metadata;
    if (reference.uid && reference.uid !== uid) {
      throw conflict(
        { group: resource.group, resource: reference.kind ?? '' },
        reference.name ?? '',
        `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    }
    return entry.object;
  };
  // Their group counts, as upstream, and none but the core's is known.
  const isCore = !reference.apiVersion?.includes('/');
  switch (isCore ? reference.kind : undefined) {
    case 'Pod': {
      const pod = await bound(PODS, namespace);
      if ((pod['spec'].serviceAccountName ?? 'default') !== name) {
        throw badRequest(
          `cannot bind token for serviceaccount ${JSON.stringify(name)} to pod running with different serviceaccount name.`,
        );
      }
      wanted.pod = { name: pod.metadata.name, uid: pod.metadata.uid };
      const nodeName: string | undefined = pod['spec'].nodeName;
      if (nodeName) {
        const node = await environment.objects.get(NODES, tenant, '', nodeName);
        wanted.node = { name: nodeName, ...(node !== undefined && { uid: node.object.metadata.uid }) };
      }
      return;
    }
    case 'Secret': {
      const secret = await bound({ group: '', resource: 'secrets' }, namespace);
      wanted.secret = { name: secret.metadata.name, uid: secret.metadata.uid };
      return;
    }
    case 'Node': {
      const node = await bound(NODES, '');
      wanted.node = { name: node.metadata.name, uid: node.metadata.uid };
      return;
    }
    default:
      throw badRequest(`cannot bind token to object of type ${typeText(reference)}`);
  }
}
