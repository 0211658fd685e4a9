import { Counter, type Distribution, Histogram, type Metric, SumsOf } from '../../base/metrics.ts';
import type { AdmissionObserver, AdmissionRequest, AdmissionStep } from '../admission/admission.ts';
import type { PodSecurityObserver } from '../admission/pod-security/index.ts';
import type { LevelVersion } from '../admission/pod-security/policy.ts';
import type { PolicyAction, PolicyErrorType, PolicyObserver } from '../admission/policies/observer.ts';
import type { WebhookCall, WebhookKind, WebhookObserver } from '../admission/webhooks/observer.ts';

const stepSeconds = [0.005, 0.025, 0.1, 0.5, 1, 2.5];
const webhookSeconds = [...stepSeconds, 10, 25];
const checkSeconds = [0.000_000_5, 0.001, 0.01, 0.1, 1];
/** Tenants choose the names of their webhooks and policies: so many are told apart. */
const namedSeries = 2000;
const longestCode = 600;
const newestMinor = 36;

type Operation = AdmissionRequest['operation'];
const operationIndex: Record<Operation, number> = { CREATE: 0, UPDATE: 1, DELETE: 2, CONNECT: 3 };

/** The distributions of one plug-in, or of all together, found by number: a write asks for a dozen of them. */
class ByStep {
  readonly #series: Distribution[] = [];
  readonly #make: (labels: string[]) => Distribution;

  constructor(make: (labels: string[]) => Distribution) {
    this.#make = make;
  }

  of(step: AdmissionStep, operation: Operation, isRejected: boolean): Distribution {
    const index = operationIndex[operation] * 4 + (step === 'admit' ? 0 : 2) + (isRejected ? 1 : 0);
    return (this.#series[index] ??= this.#make([step, operation, String(isRejected)]));
  }
}

/**
 * Source: apiserver/pkg/admission/metrics, and policy/validating/metrics and policy/mutating/metrics below
 * apiserver/pkg/admission/plugin, and pod-security-admission/metrics.
 */
export class AdmissionMetrics implements AdmissionObserver, WebhookObserver, PolicyObserver, PodSecurityObserver {
  readonly #steps = new Histogram(
    'apiserver_admission_step_admission_duration_seconds',
    'Time all admission plug-ins took.',
    ['type', 'operation', 'rejected'],
    stepSeconds,
  );
  readonly #plugins = new Histogram(
    'apiserver_admission_controller_admission_duration_seconds',
    'Time one admission plug-in took.',
    ['name', 'type', 'operation', 'rejected'],
    stepSeconds,
  );
  readonly #webhooks = new Histogram(
    'apiserver_admission_webhook_admission_duration_seconds',
    'Time an admission webhook took to answer.',
    ['name', 'type', 'operation', 'rejected'],
    webhookSeconds,
    namedSeries,
  );
  readonly #webhookRequests = new Counter(
    'apiserver_admission_webhook_request_total',
    'Calls of admission webhooks, by the code of the answer.',
    ['name', 'type', 'operation', 'code', 'rejected'],
    namedSeries,
  );
  readonly #webhookRejections = new Counter(
    'apiserver_admission_webhook_rejection_count',
    'Requests that admission webhooks refused, or that were refused because a webhook did not answer.',
    ['name', 'type', 'operation', 'error_type', 'rejection_code'],
    namedSeries,
  );
  readonly #webhooksOpen = new Counter(
    'apiserver_admission_webhook_fail_open_count',
    'Requests let through although a webhook did not answer.',
    ['name', 'type'],
    namedSeries,
  );
  readonly #validations = new Counter(
    'apiserver_validating_admission_policy_check_total',
    'Validations that did not hold, by what was done about it.',
    ['policy', 'policy_binding', 'error_type', 'enforcement_action'],
    namedSeries,
  );
  readonly #validationTimes = new Histogram(
    'apiserver_validating_admission_policy_check_duration_seconds',
    'Time to evaluate validations that did not hold.',
    ['policy', 'policy_binding', 'error_type', 'enforcement_action'],
    checkSeconds,
    namedSeries,
  );
  readonly #mutations = new Counter(
    'apiserver_mutating_admission_policy_check_total',
    'Mutations evaluated.',
    ['policy', 'policy_binding', 'error_type'],
    namedSeries,
  );
  readonly #mutationTimes = new Histogram(
    'apiserver_mutating_admission_policy_check_duration_seconds',
    'Time to evaluate mutations.',
    ['policy', 'policy_binding', 'error_type'],
    checkSeconds,
    namedSeries,
  );
  readonly #podSecurity = new Counter(
    'pod_security_evaluations_total',
    'Pods and their makers held to a level, by what came of it.',
    ['decision', 'policy_level', 'policy_version', 'mode', 'request_operation', 'resource', 'subresource'],
  );
  /** What nearly every pod is. */
  readonly #privilegedPods = this.#podSecurity.with('allow', 'privileged', 'latest', 'enforce', 'create', 'pod', '');
  readonly #allPlugins = new ByStep((labels) => this.#steps.with(...labels));
  readonly #byPlugin = new Map<string, ByStep>();
  /** By the request's warnings, which it shares with its admission. */
  readonly #webhookMs = new WeakMap<string[], { mutatingMs: number; validatingMs: number }>();
  readonly metrics: readonly Metric[] = [
    this.#steps,
    new SumsOf('apiserver_admission_step_admission_duration_seconds_summary', this.#steps.help, this.#steps),
    this.#plugins,
    this.#webhooks,
    this.#webhookRequests,
    this.#webhookRejections,
    this.#webhooksOpen,
    this.#validations,
    this.#validationTimes,
    this.#mutations,
    this.#mutationTimes,
    this.#podSecurity,
  ];

  stepEnded(step: AdmissionStep, { operation }: AdmissionRequest, isRejected: boolean, durationMs: number): void {
    this.#allPlugins.of(step, operation, isRejected).observe(durationMs / 1000);
  }

  pluginEnded(
    name: string,
    step: AdmissionStep,
    { operation }: AdmissionRequest,
    isRejected: boolean,
    durationMs: number,
  ): void {
    let series = this.#byPlugin.get(name);
    if (series === undefined) {
      this.#byPlugin.set(name, (series = new ByStep((labels) => this.#plugins.with(name, ...labels))));
    }
    series.of(step, operation, isRejected).observe(durationMs / 1000);
  }

  webhookCalled(kind: WebhookKind, name: string, request: AdmissionRequest, call: WebhookCall): void {
    const { operation } = request;
    const rejected = String(call.rejectedBy !== undefined);
    const code = String(Math.min(call.code, longestCode));
    this.#webhookRequests.with(name, kind, operation, code, rejected).add();
    this.#webhooks.with(name, kind, operation, rejected).observe(call.durationMs / 1000);
    if (call.rejectedBy !== undefined) {
      this.#webhookRejections.with(name, kind, operation, call.rejectedBy, code).add();
    }
    if (call.failsOpen) this.#webhooksOpen.with(name, kind).add();
    const waited = this.#webhookMs.get(request.warnings) ?? { mutatingMs: 0, validatingMs: 0 };
    // One after the other, but all validating ones at once.
    if (kind === 'admit') waited.mutatingMs += call.durationMs;
    else waited.validatingMs = Math.max(waited.validatingMs, call.durationMs);
    this.#webhookMs.set(request.warnings, waited);
  }

  validated(
    policy: string,
    binding: string,
    errorType: PolicyErrorType,
    action: PolicyAction,
    elapsedMs: number,
  ): void {
    this.#validations.with(policy, binding, errorType, action).add();
    this.#validationTimes.with(policy, binding, errorType, action).observe(elapsedMs / 1000);
  }

  mutated(policy: string, binding: string, errorType: PolicyErrorType, elapsedMs: number): void {
    this.#mutations.with(policy, binding, errorType).add();
    this.#mutationTimes.with(policy, binding, errorType).observe(elapsedMs / 1000);
  }

  podSecurityEvaluated(
    decision: 'allow' | 'deny',
    { level, minor }: LevelVersion,
    mode: 'enforce' | 'audit' | 'warn',
    { operation, definition, subresource }: AdmissionRequest,
  ): void {
    const isPod = definition.group === '' && definition.resource === 'pods';
    const isUsual = isPod && subresource === '' && operation === 'CREATE' && mode === 'enforce';
    if (isUsual && level === 'privileged' && decision === 'allow') {
      this.#privilegedPods.add();
      return;
    }
    const isLatest = minor === undefined || level === 'privileged';
    const version = isLatest ? 'latest' : minor > newestMinor ? 'future' : `v1.${minor}`;
    const resource = isPod ? 'pod' : 'controller';
    this.#podSecurity.with(decision, level, version, mode, operation.toLowerCase(), resource, subresource).add();
  }

  /** How long the request with these warnings waited for webhooks. */
  webhookMsOf(warnings: string[]): number {
    const waited = this.#webhookMs.get(warnings);
    return waited === undefined ? 0 : waited.mutatingMs + waited.validatingMs;
  }
}
