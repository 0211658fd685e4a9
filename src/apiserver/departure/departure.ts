import { StatusError } from '../../api/status.ts';
import { pause, sleep } from '../../base/abort.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import type { Answer } from '../answer.ts';
import type { Filter } from '../chain.ts';
import type { HealthCheck } from '../discovery/health.ts';
import { isLongRunning } from '../filters/request-deadline.ts';
import type { RequestContext } from '../request-context.ts';
import { OpenWatches } from './open-watches.ts';

export interface DepartureOptions {
  /** How likely a request over HTTP/2 ends its connection, so that clients spread over all servers: 0 to 0.02. */
  goawayChance?: number;
  /** Who comes when nothing new is taken is told to try again, as long as answers are under way. */
  sendRetryAfter?: boolean;
  /** For so long, at most, watches end one after the other; all at once when absent, or 0. */
  watchGraceMs?: number;
  random?(): number;
  /** For the delay, and for ends of watches. */
  clock?: Clock;
}

/** What takes connections. */
interface Door {
  /** Connections are to end as soon as nothing is under way on them; new ones are taken. */
  release(how: { watches: boolean }): void;
  /** Takes no more connections, and cuts those that are left when `drained` has resolved. */
  close(drained?: Promise<void>): Promise<void>;
}

export interface Leaving {
  /** How long everything goes on but /readyz, so that load balancers see it and leave. */
  delayMs: number;
  /** How long answers under way are waited for. */
  drainMs: number;
}

/** The last of the delay: clients are asked to go in the middle of it, so that none is cut off between two requests. */
const partingMs = 1_000;
const drainPollMs = 20;

/**
 * How clients are led elsewhere. When the process is to end, in this order:
 *
 *     leaving    /readyz fails, all else goes on: load balancers go
 *     parting    answers end their connections (GOAWAY, Connection: close), and connections without any get a GOAWAY
 *     gone       nothing new is taken, watches end (at once, or over a time), answers under way are waited for
 *
 * And while nothing is heard of the store: watches would be silent whatever happens, so they end and no new ones begin,
 * and answers end their connections.
 *
 * Source: apiserver's WithRetryAfter, WithWaitGroup, WithProbabilisticGoaway and "graceful termination"
 */
export class Departure {
  readonly #options: DepartureOptions;
  #phase: 'staying' | 'leaving' | 'parting' | 'gone' = 'staying';
  #isStoreSilent = false;
  readonly #underWay = new Set<RequestContext>();
  /** Known where they do not end all at once. */
  readonly #watches: OpenWatches | undefined;

  constructor(options: DepartureOptions = {}) {
    this.#options = options;
    if ((options.watchGraceMs ?? 0) > 0) this.#watches = new OpenWatches();
  }

  readonly check: HealthCheck = {
    name: 'shutdown',
    only: 'readyz',
    check: () => {
      if (this.#phase !== 'staying') throw new Error('process is shutting down');
    },
  };

  readonly filter: Filter = (context, next) => {
    if (this.#phase === 'gone' && !isExempt(context)) return Promise.resolve(this.#refuse(context));
    if (this.#endsConnection(context)) endConnection(context);
    if (this.#isStoreSilent && context.info.verb === 'watch') throw deaf();
    if (!isLongRunning(context.info)) this.#underWay.add(context);
    const watches = this.#watches;
    if (watches === undefined || context.info.verb !== 'watch') return next(context);
    return next(context).then((answer) => (answer.type === 'watch' ? watches.follow(answer) : answer));
  };

  /** Hears of the ends of requests. */
  finished(context: RequestContext): void {
    this.#underWay.delete(context);
  }

  /** Nothing is heard of the store any more, or it is again. */
  storeIsSilent(isSilent: boolean, doors: readonly Door[]): void {
    this.#isStoreSilent = isSilent;
    if (isSilent) for (const door of doors) door.release({ watches: true });
  }

  /** Resolves when everybody has left, or the time is up. */
  async leave(doors: readonly Door[], { delayMs, drainMs }: Leaving): Promise<void> {
    const { clock = systemClock, sendRetryAfter, watchGraceMs = 0 } = this.#options;
    this.#phase = 'leaving';
    const partMs = Math.min(partingMs, delayMs / 2);
    if (delayMs > 0) {
      await pause(clock, delayMs - partMs);
      this.#phase = 'parting';
      for (const door of doors) door.release({ watches: false });
      await pause(clock, partMs);
    }
    this.#phase = 'gone';
    const drained = this.#drained(drainMs);
    if (this.#watches !== undefined) {
      for (const door of doors) door.release({ watches: false });
      await this.#watches.end(watchGraceMs, clock);
    }
    if (sendRetryAfter === true) {
      for (const door of doors) door.release({ watches: true });
      await drained;
    }
    await Promise.all(doors.map((door) => door.close(drained)));
  }

  #endsConnection(context: RequestContext): boolean {
    if (this.#isStoreSilent || this.#phase === 'parting' || this.#phase === 'gone') return true;
    const { goawayChance = 0, random = Math.random } = this.#options;
    // Over HTTP/1.1 each watch has a connection of its own anyway.
    return goawayChance > 0 && context.headers[':method'] !== undefined && random() < goawayChance;
  }

  #refuse(context: RequestContext): Answer {
    endConnection(context);
    const { sendRetryAfter = false } = this.#options;
    if (!sendRetryAfter) {
      throw new StatusError(503, 'ServiceUnavailable', 'apiserver is shutting down', { retryAfterSeconds: 1 });
    }
    return {
      type: 'bytes',
      code: 429,
      contentType: 'text/plain; charset=utf-8',
      bytes: 'The apiserver is shutting down, please try again later.\n',
      headers: { 'retry-after': '5', 'x-content-type-options': 'nosniff' },
    };
  }

  async #drained(limitMs: number): Promise<void> {
    const deadlineMs = performance.now() + limitMs;
    while (this.#underWay.size > 0 && performance.now() < deadlineMs) await sleep(drainPollMs);
  }
}

const deaf = () => new StatusError(503, 'ServiceUnavailable', 'etcd: no member answers', { retryAfterSeconds: 1 });

/** Over HTTP/2 it becomes a GOAWAY. */
function endConnection(context: RequestContext): void {
  context.responseHeaders = { ...context.responseHeaders, connection: 'close' };
}

const exemptPaths = ['/readyz', '/livez', '/healthz', '/metrics'];

function isExempt({ info, userAgent }: RequestContext): boolean {
  return userAgent.startsWith('kube-apiserver/') || exemptPaths.some((prefix) => info.path.startsWith(prefix));
}
