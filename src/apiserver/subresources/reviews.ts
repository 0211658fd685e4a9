import { schemaOfKind } from '../../api/generated-schema.ts';
import { isQualifiedName } from '../../api/names.ts';
import { apiVersionOf, formatTime, type KubeObject } from '../../api/object.ts';
import { badRequest, type FieldError, invalid, notAcceptable } from '../../api/status.ts';
import { Findings } from '../../api/validation/findings.ts';
import { inOrder } from '../../api/validation/go-value.ts';
import { runInTurns, type Steps } from '../../base/steps.ts';
import { admitPosted } from '../admission/admit.ts';
import { type Answer, objectAnswer } from '../answer.ts';
import type { Attributes } from '../authorization/attributes.ts';
import type { Decision } from '../authorization/decision.ts';
import { aggregate } from '../authorization/rbac/role-based-access.ts';
import type { PolicyRule } from '../authorization/rbac/rules.ts';
import { selectorTexts } from '../authorization/selectors.ts';
import { readObject } from '../decode-body.ts';
import type { Environment } from '../environment.ts';
import { acceptedForm } from '../http/negotiate.ts';
import type { Identity } from '../identity/identity.ts';
import { paceOf } from '../pace.ts';
import { fieldsAfter, trackedResource } from '../verbs/fields/field-management.ts';
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

/** Source: WipeObjectMetaSystemFields of k8s.io/apiserver. */
const systemFields = [
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
] as const;

async function readReview(environment: Environment, request: ResourceRequest): Promise<KubeObject> {
  const { context, definition } = request;
  const { group, version, kind, resource } = definition;
  if (acceptedForm(context.accept).as === 'Table') {
    throw notAcceptable(`the resource ${resource}.${group} does not support being converted to a Table`);
  }
  const review = await readObject(context, { kind: definition, schema: schemaOfKind(group, version, kind)! });
  // As of whatever is created; who wrote what is nobody's business: it is not stored.
  for (const field of systemFields) delete review.metadata[field];
  await admitPosted(environment, request, review);
  if (definition.namespaced) {
    const { namespace } = review.metadata;
    if (namespace && namespace !== request.namespace) {
      throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
    }
    review.metadata.namespace = request.namespace;
  }
  return review;
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
  const review = await readReview(environment, request);
  const { token = '', audiences = [] } = review['spec'] ?? {};
  if (token === '') throw badRequest('token is required for TokenReview in authentication');
  const found = await environment.authenticator.review(token, request.tenant, audiences);
  return answered(
    request,
    review,
    // What the writer says of the user stays where there is none, as upstream.
    'error' in found
      ? { user: {}, ...review['status'], authenticated: undefined, error: found.error }
      : { authenticated: true, user: userInfo(found.identity), audiences: found.audiences },
  );
}

async function selfSubjectReview(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { definition, context } = request;
  await readReview(environment, request);
  return objectAnswer(
    {
      kind: definition.kind,
      apiVersion: apiVersionOf(definition),
      metadata: { creationTimestamp: formatTime(environment.clock.now()) },
      status: { userInfo: userInfo(context.identity) },
    },
    201,
  );
}

async function selfSubjectAccessReview(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const review = await readReview(environment, request);
  checkReview(environment, request, review, false);
  const { attributes, problems } = attributesOf(request, review);
  const decision = await environment.authorizer.authorize(
    request.context.identity,
    attributes,
    paceOf(request.context),
  );
  return answered(request, review, decisionStatus(decision, problems));
}

async function subjectAccessReview(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const review = await readReview(environment, request);
  const { user = '', groups = [], uid, extra } = review['spec'] ?? {};
  checkReview(environment, request, review, user === '' && groups.length === 0);
  // Someone of this tenant: a review never says anything about the platform's own identities.
  const identity: Identity = { name: user, groups, uid, extra, kind: 'tenant', tenant: request.tenant };
  const { attributes, problems } = attributesOf(request, review);
  const decision = await environment.authorizer.authorize(identity, attributes, paceOf(request.context));
  return answered(request, review, decisionStatus(decision, problems));
}

async function selfSubjectRulesReview(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const review = await readReview(environment, request);
  const namespace: string = review['spec']?.namespace ?? '';
  if (namespace === '') throw badRequest('no namespace on request');
  const {
    rules,
    errors,
    incomplete = false,
  } = await environment.authorizer.rules(request.context.identity, request.tenant, namespace, paceOf(request.context));
  const { resourceRules, nonResourceRules } = await runInTurns(byWhatTheyAreAbout(rules), paceOf(request.context));
  return answered(
    request,
    { ...review, metadata: {} as KubeObject['metadata'], spec: {} },
    {
      resourceRules,
      nonResourceRules,
      incomplete,
      ...(errors.length > 0 && { evaluationError: aggregate(errors) }),
    },
  );
}

/** Rules as a review tells them; there may be tens of thousands. */
function* byWhatTheyAreAbout(
  rules: readonly PolicyRule[],
): Steps<Record<'resourceRules' | 'nonResourceRules', object[]>> {
  const resourceRules: object[] = [];
  const nonResourceRules: object[] = [];
  for (const [index, { verbs, apiGroups, resources = [], resourceNames, nonResourceURLs = [] }] of rules.entries()) {
    if (resources.length > 0) resourceRules.push({ verbs, apiGroups, resources, resourceNames });
    if (nonResourceURLs.length > 0) nonResourceRules.push({ verbs, nonResourceURLs });
    if (index % rulesAtOnce === rulesAtOnce - 1) yield;
  }
  return { resourceRules, nonResourceRules };
}
const rulesAtOnce = 1000;

function decisionStatus({ allowed, denied, reason, error }: Decision, problems: string[]): object {
  const errors = [...(error === undefined ? [] : [error]), ...problems];
  return {
    allowed,
    ...(denied === true && { denied }),
    ...(reason !== '' && { reason }),
    ...(errors.length > 0 && { evaluationError: errors.join('; ') }),
  };
}

/** As Go prints the internal type, whose fields have no names in JSON. */
const shownAttributes = ({ path = '', verb = '' }: { path?: string; verb?: string }) =>
  JSON.stringify({ Path: path, Verb: verb });

function wrong(field: string, value: string, why: string): FieldError {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${value}: ${why}` };
}

/** Operators nobody knows are taken: newer clients may know more. */
function requirementErrors(
  { key = '', operator = '', values = [] }: { key?: string; operator?: string; values?: string[] },
  selector: string,
  field: string,
): FieldError[] {
  const findings = new Findings();
  const [one, none] = ["'In' or 'NotIn'", "'Exists' or 'DoesNotExist'"];
  if ((operator === 'In' || operator === 'NotIn') && values.length === 0) {
    findings.required(`${field}.values`, `must be specified when \`operator\` is ${one}`);
  }
  if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0) {
    findings.forbidden(`${field}.values`, `may not be specified when \`operator\` is ${none}`);
  }
  if (selector === 'labelSelector') findings.invalidEach(`${field}.key`, key, isQualifiedName(key));
  else if (key === '') findings.required(`${field}.key`, 'must be specified');
  return findings.list;
}

const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

/** Source: apis/authorization/validation upstream. */
function checkReview(
  environment: Environment,
  { context, definition, namespace }: ResourceRequest,
  review: KubeObject,
  lacksSubject: boolean,
): void {
  const errors: FieldError[] = [];
  const { resourceAttributes, nonResourceAttributes } = review['spec'] ?? {};
  const isLocal = definition.resource === 'localsubjectaccessreviews';
  if (resourceAttributes && nonResourceAttributes) {
    const shown = shownAttributes(nonResourceAttributes);
    errors.push(
      wrong('spec.nonResourceAttributes', shown, 'cannot be specified in combination with resourceAttributes'),
    );
  }
  if (!resourceAttributes && !nonResourceAttributes) {
    errors.push(
      wrong(
        'spec.resourceAttributes',
        'null',
        'exactly one of nonResourceAttributes or resourceAttributes must be specified',
      ),
    );
  }
  if (lacksSubject) {
    errors.push(wrong('spec.user', '""', 'at least one of user or group must be specified'));
  }
  const { namespace: _place, managedFields: _fields, ...metadata } = review.metadata as Partial<KubeObject['metadata']>;
  if (Object.keys(metadata).length > 0) {
    const managedFields = fieldsAfter(environment, context, trackedResource(definition, ''), undefined, review);
    const shown = JSON.stringify(inOrder(OBJECT_META, { ...review.metadata, managedFields }));
    errors.push(wrong('metadata', shown, isLocal ? 'must be empty except for namespace' : 'must be empty'));
  }
  for (const selector of ['fieldSelector', 'labelSelector']) {
    const given = resourceAttributes?.[selector];
    if (!given) continue;
    const field = `spec.resourceAttributes.${selector}`;
    const hasRequirements = (given.requirements ?? []).length > 0;
    if (given.rawSelector && hasRequirements) {
      const shown = JSON.stringify(given.rawSelector);
      errors.push(wrong(`${field}.rawSelector`, shown, 'may not specified at the same time as requirements'));
    }
    (given.requirements ?? []).forEach((requirement: object, index: number) => {
      errors.push(...requirementErrors(requirement, selector, `${field}.requirements[${index}]`));
    });
    if (!given.rawSelector && !hasRequirements) {
      errors.push({
        reason: 'FieldValueRequired',
        field: `${field}.requirements`,
        message: `Required value: when ${field} is specified, requirements or rawSelector is required`,
      });
    }
  }
  if (isLocal && resourceAttributes && (resourceAttributes.namespace ?? '') !== namespace) {
    const shown = JSON.stringify(resourceAttributes.namespace ?? '');
    errors.push(wrong('spec.resourceAttributes.namespace', shown, 'must match metadata.namespace'));
  }
  if (isLocal && nonResourceAttributes) {
    const shown = shownAttributes(nonResourceAttributes);
    errors.push(wrong('spec.nonResourceAttributes', shown, 'disallowed on this kind of request'));
  }
  // Upstream leaves out the kind.
  if (errors.length > 0) throw invalid({ group: definition.group, kind: '' }, '', errors);
}

function attributesOf(request: ResourceRequest, review: KubeObject): { attributes: Attributes; problems: string[] } {
  const { resourceAttributes, nonResourceAttributes } = review['spec'];
  const {
    verb = '',
    group = '',
    version = '',
    resource = '',
    subresource = '',
    namespace = '',
    name = '',
  } = resourceAttributes ?? {};
  const selectors = selectorTexts(resourceAttributes ?? {});
  const attributes: Attributes = {
    tenant: request.tenant,
    isResourceRequest: Boolean(resourceAttributes),
    verb: resourceAttributes ? verb : (nonResourceAttributes.verb ?? ''),
    group,
    version: version || (resourceAttributes ? '*' : ''),
    resource,
    subresource,
    namespace,
    name,
    path: nonResourceAttributes?.path ?? '',
    fieldSelector: selectors.fieldSelector,
    labelSelector: selectors.labelSelector,
  };
  return { attributes, problems: selectors.problems };
}
