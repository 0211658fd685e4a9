import { randomUUID } from 'node:crypto';
import { schemaOfKind } from '../../api/generated-schema.ts';
import { apiVersionOf, formatTime, type KubeObject } from '../../api/object.ts';
import { badRequest, invalid } from '../../api/status.ts';
import { type Answer, objectAnswer } from '../answer.ts';
import type { Attributes } from '../authorizer.ts';
import { readObject } from '../decode-body.ts';
import type { Environment } from '../environment.ts';
import type { Identity } from '../identity/identity.ts';
import type { ResourceRequest } from '../verbs/scope.ts';

/** Kinds that are created to be answered, and never stored. Source: authentication/v1 and authorization/v1. */
export const reviews: Record<string, (environment: Environment, request: ResourceRequest) => Promise<Answer>> = {
  'authentication.k8s.io/tokenreviews': tokenReview,
  'authentication.k8s.io/selfsubjectreviews': selfSubjectReview,
  'authorization.k8s.io/selfsubjectaccessreviews': selfSubjectAccessReview,
  'authorization.k8s.io/subjectaccessreviews': subjectAccessReview,
  'authorization.k8s.io/localsubjectaccessreviews': subjectAccessReview,
  'authorization.k8s.io/selfsubjectrulesreviews': selfSubjectRulesReview,
};

function readReview({ context, definition }: ResourceRequest): Promise<KubeObject> {
  const { group, version, kind } = definition;
  return readObject(context, { kind: definition, schema: schemaOfKind(group, version, kind)! });
}

function answered({ definition }: ResourceRequest, review: KubeObject, status: object): Answer {
  return objectAnswer(
    {
      kind: definition.kind,
      apiVersion: apiVersionOf(definition),
      metadata: review.metadata,
      spec: review['spec'],
      status,
    },
    201,
  );
}

const userInfo = (identity: Identity) => ({
  username: identity.name,
  ...(identity.uid !== undefined && { uid: identity.uid }),
  groups: identity.groups,
  ...(identity.extra !== undefined && { extra: identity.extra }),
});

async function tokenReview(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const review = await readReview(request);
  const { token = '', audiences = [] } = review['spec'] ?? {};
  if (token === '') throw badRequest('token is required for TokenReview in authentication');
  const found = await environment.authenticator.review(token, request.tenant, audiences);
  return answered(
    request,
    review,
    found === undefined
      ? { user: {}, error: '[invalid bearer token]' }
      : { authenticated: true, user: userInfo(found.identity), audiences: found.audiences },
  );
}

async function selfSubjectReview(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { definition, context } = request;
  await readReview(request);
  return objectAnswer(
    {
      kind: definition.kind,
      apiVersion: apiVersionOf(definition),
      metadata: { uid: randomUUID(), creationTimestamp: formatTime(environment.clock.now()) },
      status: { userInfo: userInfo(context.identity) },
    },
    201,
  );
}

async function selfSubjectAccessReview(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const review = await readReview(request);
  const attributes = attributesOf(request, review);
  const decision = await environment.authorizer.authorize(request.context.identity, attributes);
  return answered(request, review, decisionStatus(decision));
}

async function subjectAccessReview(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const review = await readReview(request);
  const { user = '', groups = [], uid, extra } = review['spec'] ?? {};
  if (user === '' && groups.length === 0) {
    throw invalid(request.definition, '', [
      {
        reason: 'FieldValueRequired',
        field: 'spec.user',
        message: 'Required value: at least one of user or group must be specified',
      },
    ]);
  }
  const attributes = attributesOf(request, review);
  if (request.definition.resource === 'localsubjectaccessreviews' && attributes.namespace !== request.namespace) {
    throw badRequest(`spec.resourceAttributes.namespace must match namespace: ${request.namespace}`);
  }
  // Someone of this tenant: a review never says anything about the platform's own identities.
  const identity: Identity = { name: user, groups, uid, extra, kind: 'tenant', tenant: request.tenant };
  return answered(request, review, decisionStatus(await environment.authorizer.authorize(identity, attributes)));
}

async function selfSubjectRulesReview(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const review = await readReview(request);
  const namespace: string = review['spec']?.namespace ?? '';
  if (namespace === '') throw badRequest('no namespace on request');
  const rules = environment.authorizer.rules(request.context.identity, request.tenant, namespace);
  return answered(request, review, { ...rules, incomplete: false });
}

function decisionStatus({ allowed, reason }: { allowed: boolean; reason: string }): object {
  return { allowed, ...(reason !== '' && { reason }) };
}

function attributesOf(request: ResourceRequest, review: KubeObject): Attributes {
  const { resourceAttributes, nonResourceAttributes } = review['spec'] ?? {};
  if ((resourceAttributes === undefined) === (nonResourceAttributes === undefined)) {
    throw invalid(request.definition, '', [
      {
        reason: 'FieldValueInvalid',
        field: 'spec.resourceAttributes',
        message: 'Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified',
      },
    ]);
  }
  const {
    verb = '',
    group = '',
    version = '',
    resource = '',
    subresource = '',
    namespace = '',
    name = '',
  } = resourceAttributes ?? {};
  return {
    tenant: request.tenant,
    isResourceRequest: resourceAttributes !== undefined,
    verb: resourceAttributes === undefined ? (nonResourceAttributes.verb ?? '') : verb,
    group,
    version,
    resource,
    subresource,
    namespace,
    name,
    path: nonResourceAttributes?.path ?? '',
    fieldSelector: resourceAttributes?.fieldSelector?.rawSelector ?? '',
  };
}
