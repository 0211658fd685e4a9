import type { Pace } from '../base/steps.ts';
import type { RequestContext, RequestTurn } from './request-context.ts';

/** So long a request goes on without looking whether others wait; less while one of them asks for little. */
const stretchMs = 4;
const hurriedMs = 1;

/** Cuts the long work of one request: each stretch is a slice of its turn, and charged to its tenant. */
export class RequestPace implements Pace {
  readonly #turn: RequestTurn;
  readonly #nowMs: () => number;
  #sinceMs: number;
  isLong = false;

  constructor(turn: RequestTurn, nowMs: () => number = () => performance.now()) {
    this.#turn = turn;
    this.#nowMs = nowMs;
    this.#sinceMs = nowMs();
  }

  get isDue(): boolean {
    const ranMs = this.#nowMs() - this.#sinceMs;
    return ranMs >= stretchMs || (ranMs >= hurriedMs && this.#turn.hurried);
  }

  async rest(): Promise<void> {
    this.isLong = true;
    await this.#turn.slice();
    this.#sinceMs = this.#nowMs();
  }
}

/** Of long work that belongs to no request's turn, or to those of many: the event loop goes round in between. */
export class LoopPace implements Pace {
  #sinceMs = performance.now();
  isLong = false;

  get isDue(): boolean {
    return performance.now() - this.#sinceMs >= stretchMs;
  }

  async rest(): Promise<void> {
    this.isLong = true;
    await new Promise((resolve) => setImmediate(resolve));
    this.#sinceMs = performance.now();
  }
}

/** What is larger is worked on in steps where it can be, though each takes a little longer than the whole would. */
const largeBytes = 64 * 1024;

/** Says how large what the request brings or changes is; the pace is undefined in process. */
export function noteSize(pace: Pace | undefined, bytes: number): void {
  if (pace !== undefined && bytes >= largeBytes) pace.isLong = true;
}

/** The request's pace, from the reading of its body on; undefined in process, where nothing has turns. */
export function paceOf(context: RequestContext): Pace | undefined {
  if (context.turn !== undefined) context.pace ??= new RequestPace(context.turn);
  return context.pace;
}
