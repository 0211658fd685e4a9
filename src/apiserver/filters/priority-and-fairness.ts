import { StatusError } from '../../api/status.ts';
import type { Filter } from '../chain.ts';
import { type Asked, PLATFORM_ACCOUNT } from '../fairness/account.ts';
import { flowDistinguisher, matchesSchema } from '../fairness/classification.ts';
import type { FlowControlConfigurations } from '../fairness/configuration.ts';
import { seatLimits, widestRequest } from '../fairness/priority-level.ts';
import { RetryAfter } from '../fairness/retry-after.ts';
import type { Scheduler } from '../fairness/scheduler.ts';
import { estimateSeats } from '../fairness/work-estimate.ts';
import { connectionLimits } from '../http/connection-budget.ts';
import type { Objects } from '../objects.ts';
import type { RequestContext } from '../request-context.ts';

/** Who shares the processor: each tenant for itself, the platform with its hosts, and strangers apart from all. */
const platformWeight = 4;
const strangersWeight = 0.25;
const refusalsKept = 1024;
/** Upstream counts them nowhere, and says no level of theirs. */
const longRunning = new Set(['attach', 'exec', 'log', 'portforward', 'proxy']);
const readOnlyVerbs = new Set(['get', 'list', 'watch']);

/** What API Priority and Fairness did, for the metrics. */
export interface FairnessObserver {
  dispatched(level: string, schema: string, waitedMs: number, seats: number): void;
  rejected(level: string, schema: string, reason: string, waitedMs: number): void;
  executed(level: string, schema: string, durationMs: number, watch: boolean): void;
}

export interface PriorityAndFairnessOptions {
  scheduler: Scheduler;
  configurations: FlowControlConfigurations;
  objects: Objects;
  nowMs(): number;
  observer?: FairnessObserver;
}

/**
 * Every request waits for its turn: first among tenants, then by its tenant's flow schemas and priority levels. Comes
 * before the body is read. Source: KEP-1040, and apiserver/pkg/server/filters/priority-and-fairness.go.
 */
export function priorityAndFairnessFilter(options: PriorityAndFairnessOptions): Filter {
  const { scheduler, configurations, objects, observer } = options;
  const refusals = new Map<string, RetryAfter>();

  const retryAfter = (account: string, level: string): number => {
    const key = `${account} ${level}`;
    let tracker = refusals.get(key);
    if (tracker === undefined) {
      if (refusals.size >= refusalsKept) refusals.delete(refusals.keys().next().value!);
      refusals.set(key, (tracker = new RetryAfter()));
    }
    return tracker.refused(options.nowMs());
  };

  return async (context, next) => {
    const { identity, info } = context;
    const share = shareOf(context);
    if (context.claimConnection?.(share.account, share.connections) === false) throw tooManyRequests(1);
    const pending = configurations.of(context.tenant);
    const configuration = pending instanceof Promise ? await pending : pending;
    const schema =
      configuration.schemas.find((candidate) => matchesSchema(candidate, identity, info)) ??
      // Only reached by who is in no group at all.
      configuration.schemas.find(({ name }) => name === 'catch-all')!;
    const level = configuration.levels.get(schema.level)!;
    const asked: Asked = {
      ...share,
      configuration,
      schema,
      distinguisher: flowDistinguisher(schema, identity, info),
      width: estimateSeats(objects, context, widestRequest(level, seatLimits(level, configuration.sumOfShares))),
      signal: context.signal,
      isMutating: !readOnlyVerbs.has(info.verb),
    };
    // Uids, not names: what a tenant calls its levels is not for everyone to know.
    if (!longRunning.has(info.subresource)) {
      context.responseHeaders = {
        ...context.responseHeaders,
        'x-kubernetes-pf-flowschema-uid': schema.uid,
        'x-kubernetes-pf-prioritylevel-uid': level.uid,
      };
    }
    const arrivedMs = performance.now();
    const turn = await scheduler.admit(asked);
    if (typeof turn === 'string') {
      observer?.rejected(level.name, schema.name, turn, performance.now() - arrivedMs);
      throw tooManyRequests(retryAfter(asked.account, level.name));
    }
    context.turn = turn;
    context.waitedMs = turn.startedMs - arrivedMs;
    observer?.dispatched(level.name, schema.name, context.waitedMs, asked.width);
    try {
      const answer = await next(context);
      // What a commit let go at once is not answered at once.
      const slice = turn.resume();
      if (slice !== undefined) await slice;
      return answer;
    } finally {
      turn.answered();
      observer?.executed(level.name, schema.name, performance.now() - turn.startedMs, info.verb === 'watch');
    }
  };
}

const tooManyRequests = (retryAfterSeconds: number) =>
  new StatusError(429, 'TooManyRequests', 'Too many requests, please try again later.', { retryAfterSeconds });

function shareOf({ identity, tenant }: RequestContext): { account: string; weight: number; connections: number } {
  switch (identity.kind) {
    case 'platform':
    case 'host':
      return { account: PLATFORM_ACCOUNT, weight: platformWeight, connections: connectionLimits.all };
    case 'anonymous':
      return { account: `/strangers/${tenant}`, weight: strangersWeight, connections: connectionLimits.strangers };
    default:
      return { account: tenant, weight: 1, connections: connectionLimits.tenant };
  }
}
