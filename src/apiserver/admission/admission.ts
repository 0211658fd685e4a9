import type { GroupVersionKind, KubeObject } from '../../api/object.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import type { Pace } from '../../base/steps.ts';
import type { Identity } from '../identity/identity.ts';

export interface AdmissionRequest {
  operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  definition: ResourceDefinition;
  /** '' for the resource itself. */
  subresource: string;
  tenant: string;
  namespace: string;
  /** '' while a generated name is not made yet. */
  name: string;
  /** The writer's own copy: mutating plug-ins change it in place. Absent for DELETE. */
  object?: KubeObject;
  /** Shared: never mutate. Absent for CREATE. */
  oldObject?: KubeObject;
  identity: Identity;
  dryRun: boolean;
  warnings: string[];
  /** Of `object` where a subresource takes another kind than the resource's: Scale, Eviction, PodExecOptions, ... */
  kind?: GroupVersionKind;
  /** What the client speaks where that is another API's form of `definition`: autoscaling/v1, events.k8s.io/v1. */
  view?: ResourceDefinition;
  /** The request's CreateOptions, UpdateOptions or DeleteOptions, with kind and apiVersion. */
  options?: object;
  /** performance.now() at which waiting for webhooks ends; set by the first of them, unless a caller shares one. */
  deadlineMs?: number;
  /** For the audit log, said by webhooks and policies: by `WEBHOOK/KEY`. */
  auditAnnotations?: Record<string, string>;
  /** How long webhooks of a kind were waited for. */
  webhookMs?: { admit: number; validating: number };
  /** Mutating webhooks and policies note here what they did, so that the chain can be gone through once more. */
  reinvocation?: Reinvocation;
  /** Of the request it is for: long work is done in parts. */
  pace?: Pace;
}

/** As upstream: so long a request may wait for all its webhooks together. */
export const webhooksLimitMs = 34_000;

/** Source: apiserver's admission/reinvocation.go: one more round when a webhook or policy changed the object. */
export interface Reinvocation {
  isReinvoke: boolean;
  shouldReinvoke: boolean;
  /** What plug-ins remember from the first round, by their name. */
  memory: Map<string, unknown>;
}

/** One plug-in of upstream's, under its name. Rejects with a StatusError. */
export interface AdmissionPlugin {
  name: string;
  handles(request: AdmissionRequest): boolean;
  admit?(request: AdmissionRequest): void | Promise<void>;
  validate?(request: AdmissionRequest): void | Promise<void>;
}

export type AdmissionStep = 'admit' | 'validate';

/** Hears how long plug-ins took, for the metrics. */
export interface AdmissionObserver {
  pluginEnded(
    name: string,
    step: AdmissionStep,
    request: AdmissionRequest,
    isRejected: boolean,
    durationMs: number,
  ): void;
  /** All of them, in one round or two. */
  stepEnded(step: AdmissionStep, request: AdmissionRequest, isRejected: boolean, durationMs: number): void;
}

export function reinvocationOf(request: AdmissionRequest): Reinvocation {
  request.reinvocation ??= { isReinvoke: false, shouldReinvoke: false, memory: new Map() };
  return request.reinvocation;
}

/** Mutating plug-ins run in the order of the list; validating ones after the object is valid and final. */
export class Admission {
  /** Those that have something to do at each step. */
  readonly #plugins: Record<AdmissionStep, AdmissionPlugin[]>;
  readonly #observer: AdmissionObserver | undefined;

  constructor(plugins: AdmissionPlugin[], observer?: AdmissionObserver) {
    this.#plugins = {
      admit: plugins.filter((plugin) => plugin.admit !== undefined),
      validate: plugins.filter((plugin) => plugin.validate !== undefined),
    };
    this.#observer = observer;
  }

  async mutate(request: AdmissionRequest): Promise<void> {
    const startedMs = performance.now();
    let isRejected = true;
    try {
      await this.#run('admit', request, startedMs);
      if (request.reinvocation?.shouldReinvoke === true) {
        request.reinvocation.isReinvoke = true;
        await this.#run('admit', request, performance.now());
      }
      isRejected = false;
    } finally {
      this.#observer?.stepEnded('admit', request, isRejected, performance.now() - startedMs);
    }
  }

  async validate(request: AdmissionRequest): Promise<void> {
    const startedMs = performance.now();
    let isRejected = true;
    try {
      await this.#run('validate', request, startedMs);
      isRejected = false;
    } finally {
      this.#observer?.stepEnded('validate', request, isRejected, performance.now() - startedMs);
    }
  }

  async #run(step: AdmissionStep, request: AdmissionRequest, startedMs: number): Promise<void> {
    // Where one plug-in ends the next begins.
    let beganMs = startedMs;
    const plugins = this.#plugins[step];
    for (let index = 0; index < plugins.length; index++) {
      const plugin = plugins[index]!;
      if (!plugin.handles(request)) continue;
      // Each goes through a large object once or twice.
      if (request.pace?.isLong === true && request.pace.isDue) {
        await request.pace.rest();
        beganMs = performance.now();
      }
      let isRejected = true;
      try {
        const pending = plugin[step]!(request);
        if (pending !== undefined) await pending;
        isRejected = false;
      } finally {
        const endedMs = performance.now();
        this.#observer?.pluginEnded(plugin.name, step, request, isRejected, endedMs - beganMs);
        beganMs = endedMs;
      }
    }
  }
}
