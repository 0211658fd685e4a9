import { goDuration } from '../../base/go-duration.ts';
import type { Filter } from '../chain.ts';
import type { RequestContext } from '../request-context.ts';

/** What of a request's way is timed; source: LatencyTrackers in apiserver/pkg/endpoints/request/webhook_duration.go. */
export type Layer =
  | 'authentication'
  | 'authorization'
  | 'impersonation'
  | 'apf-queue-wait'
  | 'mutating-webhook'
  | 'validating-webhook'
  | 'total';

const prefix = 'apiserver.latency.k8s.io/';
/** Only of requests that took longer, as upstream. */
export const slowMs = 500;

/** Where requests that are recorded spent their time. */
export class Latencies {
  readonly #byContext = new WeakMap<RequestContext, Map<Layer, number>>();

  note(context: RequestContext, layer: Layer, ms: number): void {
    let layers = this.#byContext.get(context);
    if (layers === undefined) this.#byContext.set(context, (layers = new Map()));
    layers.set(layer, (layers.get(layer) ?? 0) + ms);
  }

  /** The same filter; what it takes until the next one has its turn is noted. */
  timed(layer: Layer, filter: Filter): Filter {
    return (context, next) => {
      const startedMs = performance.now();
      const { identity } = context;
      return filter(context, (passed) => {
        // Who is nobody else after it did not ask to be.
        const isDone = layer !== 'impersonation' || passed.identity !== identity;
        if (isDone) this.note(context, layer, performance.now() - startedMs);
        return next(passed);
      });
    };
  }

  /** Annotations of the event of a request that was slow; none for any other. */
  annotationsOf(context: RequestContext): Record<string, string> {
    const { receivedMs, waitedMs } = context;
    const totalMs = receivedMs === undefined ? 0 : performance.now() - receivedMs;
    if (totalMs <= slowMs) return {};
    if (waitedMs !== undefined) this.note(context, 'apf-queue-wait', waitedMs);
    this.note(context, 'total', totalMs);
    const spent = [...this.#byContext.get(context)!].filter(([, ms]) => ms > 0);
    return Object.fromEntries(spent.map(([layer, ms]) => [prefix + layer, goDuration(ms)]));
  }
}
