import { parse as parseYaml } from 'yaml';
import { applyDefaults } from '../../api/defaults.ts';
import type { KubeObject } from '../../api/object.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import { StatusError } from '../../api/status.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { ComputedGauge, Counter, type Metric } from '../../base/metrics.ts';
import { StoreFullError } from '../../store/store.ts';
import type { Admission, AdmissionRequest } from '../admission/admission.ts';
import type { Answer } from '../answer.ts';
import { attributesOf } from '../authorization/attributes.ts';
import type { Filter } from '../chain.ts';
import type { Identity } from '../identity/identity.ts';
import { decodeProtobuf } from '../protobuf/decode-protobuf.ts';
import type { ResourceRegistry } from '../registry.ts';
import type { RequestBody, RequestContext } from '../request-context.ts';
import type { CacheEntry } from '../watch-cache/watch-cache.ts';
import { ReviewClient, type ReviewServer } from '../webhooks/review-client.ts';
import { type AuditEvent, microTime, statusOf, userOf, withoutManagedFields } from './event.ts';
import { Latencies } from './latencies.ts';
import { AuditLog } from './log-backend.ts';
import { type AuditConfiguration, type AuditStage, auditLevels, loadPolicy, PolicyEvaluator } from './policy.ts';
import { isOfRouter, shownObject } from './shown.ts';
import { sourceAddresses } from './source-addresses.ts';
import { type AuditBackend, AuditWebhook } from './webhook-backend.ts';

/** As kube-apiserver's flags of these names. */
export interface AuditOptions {
  policyFile: string;
  /** undefined: no file. */
  logPath?: string;
  /** MiB; 100 when absent. */
  logMaxSize?: number;
  /** Files put aside; 0 or absent: all are kept. */
  logMaxBackup?: number;
  /** Days; 0 or absent: files put aside get as old as they like. */
  logMaxAge?: number;
  /** Where events are posted; nowhere when absent. */
  webhook?: { server: ReviewServer; maxWaitMs: number };
}

const TENANT_ANNOTATION = 'tenancy.skypod.io/tenant';
/** Of events whose objects were too large to be recorded. */
const TRUNCATED_ANNOTATION = 'audit.k8s.io/truncated';
const userAgentLimit = 1024;
/** Larger objects are left out: whoever sends them must not fill the log, or hold everybody up while it is written. */
const eventLimitBytes = 1024 * 1024;
/** Reading YAML takes a hundred times as long as reading JSON. */
const yamlLimitBytes = 32 * 1024;

interface AuditRecord {
  event: AuditEvent;
  configuration: AuditConfiguration;
  asker: Identity;
  /** Refused before it was known who asks. */
  unauthenticated: boolean;
  /** The body of a patch, or of options to delete. */
  body: RequestBody | undefined;
  answer: Answer | undefined;
  failure: StatusError | undefined;
  panicked: boolean;
}

/**
 * The audit log: who asked for what, and what came of it, by the operator's policy. Without one, none of this is in a
 * request's way. Source: apiserver/pkg/audit and endpoints/filters/audit.go.
 */
export class Audit {
  readonly #evaluator: PolicyEvaluator;
  readonly #backends: AuditBackend[];
  readonly #registry: ResourceRegistry;
  readonly #clock: Clock;
  readonly #records = new WeakMap<RequestContext, AuditRecord>();
  /** Requests that came as far as the policy, whether it records them or not. */
  readonly #seen = new WeakSet<RequestContext>();
  /** The list of its warnings is what a request and its admission both hold. */
  readonly #annotationsByWarnings = new WeakMap<string[], Record<string, string>>();
  readonly latencies = new Latencies();
  /** As above, of what is timed. */
  readonly #contextsByWarnings = new WeakMap<string[], RequestContext>();
  readonly #events = new Counter('apiserver_audit_event_total', 'Audit events made.', []);
  readonly #eventCount = this.#events.with();
  readonly #levels = new Counter('apiserver_audit_level_total', 'Requests by the level the policy gives them.', [
    'level',
  ]);
  /** Source: apiserver/pkg/audit/metrics.go. */
  readonly metrics: readonly Metric[] = [
    this.#events,
    this.#levels,
    new ComputedGauge(
      'apiserver_audit_error_total',
      'Audit events lost.',
      ['plugin'],
      () => this.#backends.map(({ name, dropped }) => ({ labels: [name], value: dropped })),
      'counter',
    ),
  ];

  constructor(options: AuditOptions, parts: { registry: ResourceRegistry; clock: Clock; logger: Logger }) {
    this.#evaluator = new PolicyEvaluator(loadPolicy(options.policyFile));
    this.#registry = parts.registry;
    this.#clock = parts.clock;
    this.#backends = backendsOf(options, { clock: parts.clock, logger: parts.logger });
  }

  /** Around authentication: who failed to say who they are is recorded too, and who asks for another tenant's API. */
  readonly authenticationFilter: Filter = async (context, next) => {
    try {
      return await next(context);
    } catch (error) {
      if (error instanceof StatusError && !this.#seen.has(context)) {
        const record = this.#begin(context);
        if (record !== undefined) {
          record.failure = error;
          record.unauthenticated = error.code === 401;
          if (record.unauthenticated) record.event.user = {};
        }
      }
      throw error;
    }
  };

  /** Before impersonation: both names are recorded. */
  readonly filter: Filter = async (context, next) => {
    this.#seen.add(context);
    const record = this.#begin(context);
    if (record === undefined) return next(context);
    context.auditAnnotations = record.event.annotations;
    this.#annotationsByWarnings.set(context.warnings, record.event.annotations);
    this.#contextsByWarnings.set(context.warnings, context);
    this.#emit(record, 'RequestReceived');
    const keepsObjects = reaches(record, 'Request');
    const { method } = context;
    context.noteSent = (object, definition) => this.#noteSent(record, object, definition);
    if (keepsObjects && (method === 'PATCH' || method === 'DELETE')) {
      const readBody = context.readBody.bind(context);
      const noting = async () => (record.body = await readBody());
      Object.assign(context, { readBody: noting });
    }
    try {
      const answer = await next(context);
      record.answer = answer;
      return answer;
    } catch (error) {
      if (error instanceof StatusError) record.failure = error;
      else if (!(error instanceof StoreFullError)) {
        record.panicked = true;
        record.failure = new StatusError(
          500,
          'InternalError',
          `APIServer panic'd: ${(error as Error)?.message ?? error}`,
        );
      }
      throw error;
    } finally {
      this.#noteUsers(record, context);
    }
  };

  /** What webhooks and policies say for the audit log goes into the request's event. */
  followAdmission(admission: Admission): void {
    const noting = (work: (request: AdmissionRequest) => Promise<void>) => async (request: AdmissionRequest) => {
      try {
        await work(request);
      } finally {
        const annotations = this.#annotationsByWarnings.get(request.warnings);
        if (annotations !== undefined) {
          for (const [key, value] of Object.entries(request.auditAnnotations ?? {})) annotations[key] ??= value;
        }
        this.#noteWebhooks(request);
      }
    };
    admission.mutate = noting(admission.mutate.bind(admission));
    admission.validate = noting(admission.validate.bind(admission));
  }

  /** A watch, log or stream has begun. */
  longRunning(context: RequestContext): void {
    const record = this.#records.get(context);
    if (record === undefined) return;
    record.event.responseStatus = { metadata: {}, code: record.answer?.type === 'upgrade' ? 101 : 200 };
    this.#emit(record, 'ResponseStarted');
  }

  finished(context: RequestContext, code: number): void {
    const record = this.#records.get(context);
    if (record === undefined) return;
    this.#records.delete(context);
    const { event, failure, answer } = record;
    this.#noteObjects(record, context);
    if (failure !== undefined && !isOfRouter(failure)) event.responseStatus = statusOf(failure);
    else event.responseStatus = { ...statusIn(answer), metadata: {}, code: code === 0 ? 200 : code };
    this.#noteDeprecation(record, context);
    if (code === 0 && failure === undefined && answer?.type !== 'watch') {
      event.responseStatus = { metadata: {}, status: 'Success', message: 'Connection closed early', code: 200 };
    }
    if (!record.panicked && !record.unauthenticated)
      Object.assign(event.annotations, this.latencies.annotationsOf(context));
    const stage = record.panicked ? 'Panic' : record.unauthenticated ? 'ResponseStarted' : 'ResponseComplete';
    this.#emit(record, stage);
  }

  flush(): Promise<void> {
    return this.#ofAll((backend) => backend.flush());
  }

  close(): Promise<void> {
    return this.#ofAll((backend) => backend.close());
  }

  async #ofAll(work: (backend: AuditBackend) => Promise<void>): Promise<void> {
    await Promise.all(this.#backends.map(work));
  }

  #begin(context: RequestContext): AuditRecord | undefined {
    const { info, identity, tenant } = context;
    const configuration = this.#evaluator.evaluate(identity, attributesOf(context));
    this.#levels.with(configuration.level).add();
    if (configuration.level === 'None') return undefined;
    const path = info.tenantPrefix === undefined ? info.rawPath : `/clusters/${info.tenantPrefix}${info.rawPath}`;
    const { userAgent } = context;
    const event: AuditEvent = {
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: configuration.level,
      auditID: context.id,
      stage: 'RequestReceived',
      requestURI: context.rawQuery === '' ? path : `${path}?${context.rawQuery}`,
      verb: info.verb,
      user: userOf(identity),
      sourceIPs: sourceAddresses(context),
      ...(userAgent !== '' && {
        userAgent: userAgent.length > userAgentLimit ? `${userAgent.slice(0, userAgentLimit)}...TRUNCATED` : userAgent,
      }),
      ...(info.isResourceRequest && {
        objectRef: {
          ...(info.resource !== '' && { resource: info.resource }),
          ...(info.namespace !== '' && { namespace: info.namespace }),
          ...(info.name !== '' && { name: info.name }),
          ...(info.group !== '' && { apiGroup: info.group }),
          apiVersion: info.version,
          ...(info.subresource !== '' && { subresource: info.subresource }),
        },
      }),
      requestReceivedTimestamp: microTime(this.#clock.now() - sinceMs(context)),
      stageTimestamp: '',
      annotations: {
        ...(tenant !== '' && { [TENANT_ANNOTATION]: tenant }),
        ...identity.secretToken?.annotations,
        ...(identity.staleness !== undefined && { 'authentication.k8s.io/stale-token': identity.staleness }),
      },
    };
    const record: AuditRecord = {
      event,
      configuration,
      asker: identity,
      unauthenticated: false,
      body: undefined,
      answer: undefined,
      failure: undefined,
      panicked: false,
    };
    this.#records.set(context, record);
    return record;
  }

  /** Once: a request's admission is gone through in several parts. */
  #noteWebhooks(request: AdmissionRequest): void {
    const context = this.#contextsByWarnings.get(request.warnings);
    const { webhookMs } = request;
    if (context === undefined || webhookMs === undefined) return;
    this.latencies.note(context, 'mutating-webhook', webhookMs.admit);
    this.latencies.note(context, 'validating-webhook', webhookMs.validating);
    delete request.webhookMs;
  }

  #noteUsers({ event, asker }: AuditRecord, { identity }: RequestContext): void {
    if (identity !== asker) event.impersonatedUser = userOf(identity);
  }

  /** Names of what is sent are told at every level; itself, as upstream: with its defaults, before admission saw it. */
  #noteSent(record: AuditRecord, sent: KubeObject, definition: ResourceDefinition | undefined): void {
    const { event, configuration } = record;
    const { name, namespace, uid, resourceVersion } = sent.metadata;
    event.objectRef ??= {};
    const told = { name, namespace, uid, resourceVersion };
    for (const [field, value] of Object.entries(told) as [keyof typeof told, string | undefined][]) {
      if (value) event.objectRef[field] ??= value;
    }
    if (!reaches(record, 'Request')) return;
    const text = JSON.stringify(configuration.omitManagedFields ? withoutManagedFields(sent) : sent);
    if (text.length > eventLimitBytes) {
      event.annotations[TRUNCATED_ANNOTATION] = 'true';
      return;
    }
    const object: KubeObject = JSON.parse(text);
    if (definition !== undefined) applyDefaults(definition, object);
    event.requestObject = object;
  }

  #noteDeprecation({ event }: AuditRecord, { info, tenant }: RequestContext): void {
    if (!info.isResourceRequest) return;
    const definition = this.#registry.find(tenant, info.group, info.version, info.resource);
    if (definition?.deprecationWarning !== undefined) event.annotations['k8s.io/deprecated'] = 'true';
  }

  #noteObjects(record: AuditRecord, context: RequestContext): void {
    const { event, body, answer, failure, configuration } = record;
    const { omitManagedFields } = configuration;
    const show = (object: unknown) => (omitManagedFields ? withoutManagedFields(object) : object);
    if (body !== undefined && context.info.isResourceRequest && failure?.code !== 415) {
      if (isTooLong(body)) event.annotations[TRUNCATED_ANNOTATION] = 'true';
      else {
        const sent = this.#parse(body, context);
        if (sent !== undefined) event.requestObject = show(sent);
      }
    }
    if (!reaches(record, 'RequestResponse')) return;
    if (failure !== undefined) {
      if (!isOfRouter(failure)) event.responseObject = failure.toStatus();
    } else if (answer?.type === 'list' && sizeOf(answer.entries) > eventLimitBytes) {
      event.annotations[TRUNCATED_ANNOTATION] = 'true';
    } else if (answer?.type === 'list' || answer?.type === 'entry' || answer?.type === 'object') {
      event.responseObject = show(shownObject(context, answer, this.#clock.now()));
    }
  }

  #parse(body: RequestBody, context: RequestContext): unknown {
    if (body.type === 'value') return body.value;
    if (body.bytes.length === 0) return undefined;
    try {
      if (body.contentType.includes('protobuf')) {
        const { group, version, resource } = context.info;
        const definition = this.#registry.find(context.tenant, group, version, resource);
        return definition === undefined ? undefined : decodeProtobuf(body.bytes, definition.schema);
      }
      const text = body.bytes.toString('utf8');
      return body.contentType.includes('yaml') ? parseYaml(text, { maxAliasCount: 100 }) : JSON.parse(text);
    } catch {
      // What could not be read was answered with an error that says so.
      return undefined;
    }
  }

  #emit({ event, configuration }: AuditRecord, stage: AuditStage): void {
    if (configuration.omitStages.has(stage)) return;
    event.stage = stage;
    event.stageTimestamp = microTime(this.#clock.now());
    const { annotations, ...rest } = event;
    this.#eventCount.add();
    const told = Object.keys(annotations).length === 0 ? rest : event;
    for (const backend of this.#backends) backend.write(told, annotations[TENANT_ANNOTATION] ?? '');
  }
}

function backendsOf(options: AuditOptions, parts: { clock: Clock; logger: Logger }): AuditBackend[] {
  const { logPath: path, logMaxSize, logMaxBackup: maxBackups = 0, logMaxAge = 0, webhook } = options;
  const backends: AuditBackend[] = [];
  if (path !== undefined) {
    const maxSizeBytes = (logMaxSize || 100) * 1024 * 1024;
    backends.push(new AuditLog({ path, maxSizeBytes, maxBackups, maxAgeMs: logMaxAge * 86_400_000, ...parts }));
  }
  if (webhook !== undefined) {
    const client = new ReviewClient(webhook.server, webhookAttempts);
    backends.push(new AuditWebhook({ client, maxWaitMs: webhook.maxWaitMs, ...parts }));
  }
  return backends;
}

/** Ten seconds at first, as upstream's --audit-webhook-initial-backoff. */
const webhookAttempts = {
  timeoutMs: 30_000,
  retryDelaysMs: [10_000, 15_000, 22_500, 33_750],
  ignoresAnswer: true as const,
};

function isTooLong(body: RequestBody): boolean {
  if (body.type === 'value') return false;
  return body.bytes.length > (body.contentType.includes('yaml') ? yamlLimitBytes : eventLimitBytes);
}

const sizeOf = (entries: readonly CacheEntry[]) => entries.reduce((sum, { size = 0 }) => sum + size, 0);

const reaches = ({ configuration }: AuditRecord, level: (typeof auditLevels)[number]) =>
  auditLevels.indexOf(configuration.level) >= auditLevels.indexOf(level);

const sinceMs = ({ receivedMs }: RequestContext) => (receivedMs === undefined ? 0 : performance.now() - receivedMs);

/** What a Status that is no failure says. */
function statusIn(answer: Answer | undefined): object {
  if (answer?.type !== 'object') return {};
  const { kind, status, message, reason, details } = answer.object as Record<string, unknown>;
  if (kind !== 'Status') return {};
  return {
    status,
    ...(message !== undefined && { message }),
    ...(reason !== undefined && { reason }),
    ...(details !== undefined && { details }),
  };
}
