import type { AccessAnswer, AccessQuestion } from '../../../api/cel/libraries/authorizer.ts';
import { AuthorizerValue, ResourceCheck } from '../../../api/cel/libraries/authorizer.ts';
import type { Outcome, Program } from '../../../api/cel/program.ts';
import { CelMap, EvaluationFailure, jsonValue } from '../../../api/cel/values.ts';
import type { GroupVersionKind, GroupVersionResource, KubeObject } from '../../../api/object.ts';
import { type Pace, runInTurns } from '../../../base/steps.ts';
import type { Attributes } from '../../authorization/attributes.ts';
import type { Authorizer } from '../../authorization/authorizer.ts';
import type { Identity } from '../../identity/identity.ts';
import type { AdmissionRequest } from '../admission.ts';

/** A variable of a policy; absent programs do not compile. */
export interface CompiledVariable {
  name: string;
  program: Program | undefined;
  /** Why it does not compile. */
  error?: string;
}

export interface EvaluationInput {
  request: AdmissionRequest;
  authorizer: Authorizer;
  /** In the form of `kind`. */
  object: KubeObject | undefined;
  oldObject: KubeObject | undefined;
  kind: GroupVersionKind;
  resource: GroupVersionResource;
  requestKind: GroupVersionKind;
  requestResource: GroupVersionResource;
  namespace: KubeObject | undefined;
  params?: KubeObject;
  variables?: readonly CompiledVariable[];
}

export type Evaluated = { value: unknown; error?: undefined } | { value?: undefined; error: string };

/** What ends everything that is evaluated for a policy or webhook. Source: celconfig.RuntimeCELCostBudget. */
export const RUNTIME_BUDGET = 10_000_000;
export const MATCH_CONDITIONS_BUDGET = 2_500_000;
export const OUT_OF_BUDGET =
  'validation failed due to running out of cost budget, no further validation rules will be run';

export class OutOfBudget extends Error {}

/**
 * Of all policies and webhooks together, for one request: each has a budget of its own, but how many there are is up to
 * the tenant, and all tenants share the event loop.
 */
const REQUEST_BUDGET = 2 * RUNTIME_BUDGET;
/** Expressions that took longer than this together let others go first, where the request's own pace does not say so. */
const untilPauseMs = 10;

interface Spent {
  cost: number;
  sincePauseMs: number;
}
const spentByRequest = new WeakMap<AdmissionRequest, Spent>();

function spentOn(request: AdmissionRequest): Spent {
  let spent = spentByRequest.get(request);
  if (spent === undefined) spentByRequest.set(request, (spent = { cost: 0, sincePauseMs: 0 }));
  return spent;
}

/** An answer that is not there yet: whoever runs the expression waits and runs it again. */
class AnswerPending {
  readonly answer: Promise<unknown>;
  constructor(answer: Promise<unknown>) {
    this.answer = answer;
  }
}

/** A variable takes long: whoever asked for it is run again when it is there. */
class VariablePending {
  readonly name: string;
  readonly program: Program;
  constructor(name: string, program: Program) {
    this.name = name;
    this.program = program;
  }
}

/** For requests of this process, which have no turns: others have theirs all the same. */
function ownPace(): Pace {
  let sinceMs = performance.now();
  return {
    isLong: true,
    get isDue() {
      return performance.now() - sinceMs > untilPauseMs;
    },
    async rest() {
      await new Promise((resolve) => setImmediate(resolve));
      sinceMs = performance.now();
    },
  };
}

/**
 * Everything expressions about one request see: made once for the request and a set of parameters. Values are read from
 * the objects as they are, so that looking at one field costs one field. Source: admission/plugin/cel/activation.go.
 */
export class Evaluation {
  readonly #input: EvaluationInput;
  readonly #answers = new Map<string, AccessAnswer>();
  readonly #values = new Map<string, unknown>();
  readonly #variables: LazyVariables | undefined;
  /** Spent by lazily evaluated variables since it was last looked at. */
  #spentOnVariables = 0;
  /** What the expression that is evaluated may cost. */
  #left = 0;

  constructor(input: EvaluationInput) {
    this.#input = input;
    if (input.variables === undefined) return;
    this.#variables = new LazyVariables(input.variables, (program, name) => {
      const outcome = program.evaluateQuickly(this.#resolve);
      if (outcome === undefined) throw new VariablePending(name, program);
      return this.#heldToBudget(outcome);
    });
  }

  /** What a variable came to. */
  #heldToBudget(outcome: Outcome): unknown {
    this.#spentOnVariables += outcome.cost;
    if (this.#spentOnVariables > this.#left) throw new OutOfBudget(OUT_OF_BUDGET);
    if (outcome.error !== undefined) throw new EvaluationFailure(outcome.error);
    return outcome.value;
  }

  get #isPauseDue(): boolean {
    const { pace } = this.#input.request;
    return pace?.isDue ?? spentOn(this.#input.request).sincePauseMs > untilPauseMs;
  }

  async #pause(): Promise<void> {
    const { request } = this.#input;
    spentOn(request).sincePauseMs = 0;
    await (request.pace?.rest() ?? new Promise((resolve) => setImmediate(resolve)));
  }

  /** What expressions need first, and may take long too. */
  async preparing<T>(prepare: () => T): Promise<T> {
    if (this.#isPauseDue) await this.#pause();
    return prepare();
  }

  /** Rejects with OutOfBudget when this and what was evaluated before cost too much. */
  async evaluate(program: Program, budget: { left: number }): Promise<Evaluated> {
    const { request } = this.#input;
    const spent = spentOn(request);
    if (this.#isPauseDue) await this.#pause();
    this.#left = Math.min(budget.left, REQUEST_BUDGET - spent.cost);
    this.#spentOnVariables = 0;
    for (;;) {
      const startedMs = performance.now();
      try {
        const outcome = program.evaluateQuickly(this.#resolve) ?? (await this.#inSteps(program));
        const cost = outcome.cost + this.#spentOnVariables;
        spent.cost += cost;
        if (cost > this.#left) throw new OutOfBudget(OUT_OF_BUDGET);
        budget.left -= cost;
        if (outcome.error === undefined) return { value: outcome.value };
        return { error: `expression '${program.source}' resulted in error: ${outcome.error}` };
      } catch (error) {
        await this.#whatIsMissing(error);
      } finally {
        spent.sincePauseMs += performance.now() - startedMs;
      }
    }
  }

  async #inSteps(program: Program): Promise<Outcome> {
    return runInTurns(program.evaluateSteps(this.#resolve), this.#input.request.pace ?? ownPace());
  }

  /** Gets what an expression asked for and could not have at once; it is evaluated again then. */
  async #whatIsMissing(error: unknown): Promise<void> {
    if (error instanceof AnswerPending) {
      await error.answer;
      return;
    }
    if (!(error instanceof VariablePending)) throw error;
    const { name, program } = error;
    for (;;) {
      try {
        const outcome = await this.#inSteps(program);
        this.#variables!.keep(name, () => this.#heldToBudget(outcome));
        return;
      } catch (another) {
        await this.#whatIsMissing(another);
      }
    }
  }

  readonly #resolve = (name: string): unknown => {
    if (name === 'variables') return this.#variables;
    let value = this.#values.get(name);
    if (value === undefined) {
      value = this.#valueOf(name);
      this.#values.set(name, value);
    }
    return value;
  };

  #valueOf(name: string): unknown {
    const { object, oldObject, namespace, params, request, resource } = this.#input;
    switch (name) {
      case 'object':
        return jsonValue(object);
      case 'oldObject':
        return jsonValue(oldObject);
      case 'params':
        return jsonValue(params);
      case 'namespaceObject':
        return jsonValue(namespace === undefined ? null : shownNamespace(namespace));
      case 'request':
        return jsonValue(this.#requestValue());
      case 'authorizer':
        return new AuthorizerValue(this.#ask);
      case 'authorizer.requestResource': {
        const { subresource, namespace: place, name: named } = request;
        return new ResourceCheck(new AuthorizerValue(this.#ask), {
          group: resource.group,
          resource: resource.resource,
          subresource,
          namespace: place,
          name: named,
        });
      }
      default:
        return undefined;
    }
  }

  #requestValue(): object {
    const { request, kind, resource, requestKind, requestResource } = this.#input;
    const { identity, operation, name, namespace, subresource, dryRun, options } = request;
    const userInfo: Record<string, unknown> = { username: identity.name };
    if (identity.uid) userInfo['uid'] = identity.uid;
    if (identity.groups.length > 0) userInfo['groups'] = identity.groups;
    if (identity.extra !== undefined) userInfo['extra'] = identity.extra;
    return {
      kind,
      resource,
      ...(subresource !== '' && { subResource: subresource }),
      requestKind,
      requestResource,
      ...(subresource !== '' && { requestSubResource: subresource }),
      ...(name !== '' && { name }),
      ...(namespace !== '' && { namespace }),
      operation,
      userInfo,
      dryRun,
      options: options ?? null,
    };
  }

  readonly #ask = (question: AccessQuestion): AccessAnswer => {
    const key = JSON.stringify(question);
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const keep = (answer: AccessAnswer) => {
      this.#answers.set(key, answer);
      return answer;
    };
    const failed = (error: unknown) => keep({ allowed: false, reason: '', error: (error as Error).message });
    const { request, authorizer } = this.#input;
    let decision: ReturnType<Authorizer['authorize']>;
    try {
      decision = authorizer.authorize(
        askedAbout(question, request),
        attributesOf(question, request.tenant),
        request.pace,
      );
    } catch (error) {
      return failed(error);
    }
    if (!(decision instanceof Promise)) return keep(decision);
    throw new AnswerPending(decision.then(keep, failed));
  };
}

/** `variables`: each is evaluated when something asks for it, once. */
class LazyVariables extends CelMap {
  readonly #variables: ReadonlyMap<string, CompiledVariable>;
  readonly #run: (program: Program, name: string) => unknown;
  readonly #values = new Map<string, { value: unknown } | { failure: EvaluationFailure }>();

  constructor(variables: readonly CompiledVariable[], run: (program: Program, name: string) => unknown) {
    super();
    this.#variables = new Map(variables.map((variable) => [variable.name, variable]));
    this.#run = run;
  }

  get size(): number {
    return this.#variables.size;
  }
  keys(): Iterable<unknown> {
    return this.#variables.keys();
  }
  override has(name: unknown): boolean {
    return this.#variables.has(name as string);
  }
  get(name: unknown): unknown {
    const variable = this.#variables.get(name as string);
    if (variable === undefined) return undefined;
    const { program, name: known } = variable;
    const kept =
      this.#values.get(known) ??
      this.keep(known, () => {
        if (program !== undefined) return this.#run(program, known);
        throw new EvaluationFailure(`composited variable "${known}" fails to compile: ${variable.error}`);
      });
    if ('failure' in kept) throw kept.failure;
    return kept.value;
  }

  /** Evaluated once, whatever comes of it. */
  keep(name: string, evaluate: () => unknown): { value: unknown } | { failure: EvaluationFailure } {
    let kept: { value: unknown } | { failure: EvaluationFailure };
    try {
      kept = { value: evaluate() };
    } catch (error) {
      if (!(error instanceof EvaluationFailure)) throw error;
      const isCompiled = this.#variables.get(name)!.program !== undefined;
      const message = isCompiled ? `composited variable "${name}" fails to evaluate: ${error.message}` : error.message;
      kept = { failure: new EvaluationFailure(message) };
    }
    this.#values.set(name, kept);
    return kept;
  }
}

function askedAbout({ serviceAccount }: AccessQuestion, { identity, tenant }: AdmissionRequest): Identity {
  if (serviceAccount === undefined) return identity;
  const { namespace, name } = serviceAccount;
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
    kind: 'tenant',
    tenant,
  };
}

function attributesOf(question: AccessQuestion, tenant: string): Attributes {
  const { verb, path, group, resource, subresource, namespace, name, fieldSelector, labelSelector } = question;
  return {
    tenant,
    isResourceRequest: path === undefined,
    verb,
    group,
    version: path === undefined ? '*' : '',
    resource,
    subresource,
    namespace,
    name,
    path: path ?? '',
    fieldSelector,
    labelSelector,
  };
}

const shownMetadata = [
  'name',
  'generateName',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'finalizers',
];

function shownNamespace(namespace: KubeObject): object {
  const metadata: Record<string, unknown> = {};
  for (const field of shownMetadata) {
    const value = (namespace.metadata as unknown as Record<string, unknown>)[field];
    if (value !== undefined) metadata[field] = value;
  }
  return { metadata, spec: namespace['spec'] ?? {}, status: namespace['status'] ?? {} };
}
