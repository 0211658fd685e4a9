import { sleep } from '../../base/abort.ts';

export interface AvailabilityOptions {
  members: number;
  /** Asks one member for a linearizable read that reads nothing. Rejects when it does not answer in time, or says no. */
  ask(member: number, timeoutMs: number): Promise<void>;
  /** Of all members this one answered first, when all were asked. */
  onAnswer(member: number): void;
  /** No member answers, and this is what one of them said. */
  onAway(error: Error): void;
  /** After `onAway`: one answers again. */
  onBack(awayMs: number): void;
}

/** When nobody has answered what was asked for so long, all members are asked whether they are there. */
const silenceMs = 1_000;
/** As kube-apiserver's health check of etcd. */
const answerWithinMs = 2_000;
const roundPauseMs = 250;
/** A cluster elects a leader within this, and a lone member starts: who comes in between waits for it. */
const awayAfterMs = 3_000;

/**
 * Whether etcd is there. Single calls can't tell: each waits for its own time, one after the other, and so would all who
 * come while nobody answers. Example of a cluster of three that is cut off, with calls coming all the time:
 *
 *     0 s   a call is sent, and nobody answers it or any after it
 *     1 s   all three are asked at once
 *     3 s   none has answered: away. Whoever is waiting gives up, whoever comes is told at once
 *           all three are asked again and again, however few calls come
 *     ...   one answers: back
 *
 * Nothing runs while calls are answered, but for a timer a second that looks at the time of the last answer.
 */
export class Availability {
  readonly #options: AvailabilityOptions;
  /** Calls that wait for their answer. */
  #open = 0;
  /** Since when nobody has answered: the last answer, or the first call after it that found no other waiting. */
  #silentSinceMs = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Set while it is in doubt whether anybody answers. */
  #failingSinceMs: number | undefined;
  #asking = false;
  #away: Error | undefined;
  #closed = false;

  constructor(options: AvailabilityOptions) {
    this.#options = options;
  }

  /** Why there is no use in asking; undefined as long as there is. */
  get away(): Error | undefined {
    return this.#away;
  }

  /** A call is sent. It ends with `answered` or `failed`. */
  started(): void {
    if (this.#open++ === 0) this.#silentSinceMs = performance.now();
    this.#timer ??= setTimeout(() => this.#look(), silenceMs).unref();
  }

  /** Some member did what it was asked for, or said no for a reason of its own. */
  answered(): void {
    this.#open--;
    this.#noteAnswer();
  }

  /** No answer, or one that says that the cluster is not well. */
  failed(): void {
    this.#open--;
    this.#doubt();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #noteAnswer(): void {
    const failingSinceMs = this.#failingSinceMs;
    const nowMs = performance.now();
    this.#silentSinceMs = nowMs;
    this.#failingSinceMs = undefined;
    if (this.#away === undefined) return;
    this.#away = undefined;
    this.#options.onBack(nowMs - failingSinceMs!);
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#open === 0 || this.#closed) return;
    if (performance.now() - this.#silentSinceMs >= silenceMs) this.#doubt();
    this.#timer = setTimeout(() => this.#look(), silenceMs).unref();
  }

  #doubt(): void {
    this.#failingSinceMs ??= this.#silentSinceMs;
    if (!this.#asking && !this.#closed) void this.#askUntilAnswered();
  }

  async #askUntilAnswered(): Promise<void> {
    this.#asking = true;
    while (this.#failingSinceMs !== undefined && !this.#closed) {
      const error = await this.#askAll();
      // Any call that was answered in the meantime counts as well.
      if (this.#failingSinceMs === undefined || this.#closed) break;
      if (this.#away === undefined && performance.now() - this.#failingSinceMs >= awayAfterMs) {
        this.#away = error!;
        this.#options.onAway(error!);
      }
      await sleep(roundPauseMs);
    }
    this.#asking = false;
  }

  /** Resolves when one has answered, or none within the time; then with what the last one said. */
  async #askAll(): Promise<Error | undefined> {
    const asked = Array.from({ length: this.#options.members }, async (_, member) => {
      await this.#options.ask(member, answerWithinMs);
      return member;
    });
    try {
      const member = await Promise.any(asked);
      if (this.#closed) return undefined;
      this.#noteAnswer();
      this.#options.onAnswer(member);
      return undefined;
    } catch (error) {
      return (error as AggregateError).errors.at(-1);
    }
  }
}
