import { nameIsDnsLabel, nameIsDnsSubdomain } from '../../names.ts';
import type { Functions } from '../declarations.ts';
import { structOf } from '../types.ts';
import { EvaluationFailure, type Opaque } from '../values.ts';

/** One question to the authorizer. */
export interface AccessQuestion {
  /** Of the service account asked about; undefined: who makes the request. */
  serviceAccount?: { namespace: string; name: string };
  verb: string;
  /** Of non-resource requests. */
  path?: string;
  group: string;
  resource: string;
  subresource: string;
  namespace: string;
  name: string;
  fieldSelector: string;
  labelSelector: string;
}

export interface AccessAnswer {
  allowed: boolean;
  reason: string;
  error?: string;
}

/** Answers at once; whoever cannot throws what it waits for and is asked again (see evaluation.ts). */
export type AskAccess = (question: AccessQuestion) => AccessAnswer;

abstract class AuthorizationValue implements Opaque {
  abstract readonly celType: ReturnType<typeof structOf>;
  /** None of them is ever equal to another. */
  equals(other: unknown): boolean {
    return this === other;
  }
}

const typeOf = (name: string) => structOf(`kubernetes.authorization.${name}`);

export class AuthorizerValue extends AuthorizationValue {
  readonly celType = typeOf('Authorizer');
  readonly ask: AskAccess;
  readonly serviceAccount: AccessQuestion['serviceAccount'];
  constructor(ask: AskAccess, serviceAccount?: AccessQuestion['serviceAccount']) {
    super();
    this.ask = ask;
    this.serviceAccount = serviceAccount;
  }
}

class PathCheck extends AuthorizationValue {
  readonly celType = typeOf('PathCheck');
  readonly authorizer: AuthorizerValue;
  readonly path: string;
  constructor(authorizer: AuthorizerValue, path: string) {
    super();
    this.authorizer = authorizer;
    this.path = path;
  }
}

class GroupCheck extends AuthorizationValue {
  readonly celType = typeOf('GroupCheck');
  readonly authorizer: AuthorizerValue;
  readonly group: string;
  constructor(authorizer: AuthorizerValue, group: string) {
    super();
    this.authorizer = authorizer;
    this.group = group;
  }
}

type Place = Omit<AccessQuestion, 'verb' | 'path' | 'serviceAccount'>;

export class ResourceCheck extends AuthorizationValue {
  readonly celType = typeOf('ResourceCheck');
  readonly authorizer: AuthorizerValue;
  readonly place: Place;
  constructor(authorizer: AuthorizerValue, place: Partial<Place>) {
    super();
    this.authorizer = authorizer;
    this.place = {
      group: '',
      resource: '',
      subresource: '',
      namespace: '',
      name: '',
      fieldSelector: '',
      labelSelector: '',
      ...place,
    };
  }
  with(place: Partial<Place>): ResourceCheck {
    return new ResourceCheck(this.authorizer, { ...this.place, ...place });
  }
}

class Decision extends AuthorizationValue {
  readonly celType = typeOf('Decision');
  readonly answer: AccessAnswer;
  constructor(answer: AccessAnswer) {
    super();
    this.answer = answer;
  }
}

function notEmpty(text: string, name: string): string {
  if (text.trim() === '') throw new EvaluationFailure(`${name} must not be empty`);
  return text;
}

function serviceAccount(authorizer: AuthorizerValue, namespace: string, name: string): AuthorizerValue {
  if (nameIsDnsSubdomain(name, false).length > 0) throw new EvaluationFailure('Invalid service account name');
  if (nameIsDnsLabel(namespace, false).length > 0) throw new EvaluationFailure('Invalid service account namespace');
  return new AuthorizerValue(authorizer.ask, { namespace, name });
}

function ask(authorizer: AuthorizerValue, question: Omit<AccessQuestion, 'serviceAccount'>): Decision {
  const who = authorizer.serviceAccount;
  return new Decision(authorizer.ask({ ...question, ...(who !== undefined && { serviceAccount: who }) }));
}

/** Kubernetes' authz library, its selectors included. */
export function addAuthorizer(functions: Functions): void {
  const prefix = 'kubernetes.authorization.';
  const member = (name: string, id: string, parameters: string, result: string, run: (...values: any[]) => unknown) => {
    const full = (type: string) => (/^[A-Z]/.test(type) ? prefix + type : type);
    functions.member(name, id, `(${parameters.split(', ').map(full).join(', ')}) ${full(result)}`, run);
  };
  member(
    'path',
    'authorizer_path',
    'Authorizer, string',
    'PathCheck',
    (value: AuthorizerValue, path: string) => new PathCheck(value, notEmpty(path, 'path')),
  );
  member(
    'group',
    'authorizer_group',
    'Authorizer, string',
    'GroupCheck',
    (value: AuthorizerValue, group: string) => new GroupCheck(value, group),
  );
  member('serviceAccount', 'authorizer_serviceaccount', 'Authorizer, string, string', 'Authorizer', serviceAccount);
  member(
    'resource',
    'groupcheck_resource',
    'GroupCheck, string',
    'ResourceCheck',
    (check: GroupCheck, name: string) =>
      new ResourceCheck(check.authorizer, { group: check.group, resource: notEmpty(name, 'resource') }),
  );
  for (const part of ['subresource', 'namespace', 'name'] as const) {
    member(
      part,
      `resourcecheck_${part}`,
      'ResourceCheck, string',
      'ResourceCheck',
      (check: ResourceCheck, value: string) => check.with({ [part]: value }),
    );
  }
  for (const part of ['fieldSelector', 'labelSelector'] as const) {
    member(
      part,
      `authorizer_${part.toLowerCase()}`,
      'ResourceCheck, string',
      'ResourceCheck',
      (check: ResourceCheck, value: string) => check.with({ [part]: value }),
    );
  }
  const nowhere = new ResourceCheck(new AuthorizerValue(() => ({ allowed: false, reason: '' })), {}).place;
  member('check', 'pathcheck_check', 'PathCheck, string', 'Decision', ({ authorizer, path }: PathCheck, verb: string) =>
    ask(authorizer, { ...nowhere, path, verb }),
  );
  member('check', 'resourcecheck_check', 'ResourceCheck, string', 'Decision', (check: ResourceCheck, verb: string) =>
    ask(check.authorizer, { ...check.place, verb }),
  );
  member('errored', 'decision_errored', 'Decision', 'bool', ({ answer }: Decision) => answer.error !== undefined);
  member('error', 'decision_error', 'Decision', 'string', ({ answer }: Decision) => answer.error ?? '');
  member('allowed', 'decision_allowed', 'Decision', 'bool', ({ answer }: Decision) => answer.allowed);
  member('reason', 'decision_reason', 'Decision', 'string', ({ answer }: Decision) => answer.reason);
}
