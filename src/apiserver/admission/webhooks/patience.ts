/**
 * How long the platform's own components wait for tenants' webhooks. Their workers serve all tenants: one tenant's slow
 * webhook must not hold them all. A tenant whose webhooks were slow to them within the last minute has only a few of
 * their requests waiting at a time; further ones fail at once, and come back as every failed request does.
 */
export interface PatienceOptions {
  /** Of a tenant whose webhooks are quick, waiting at once. */
  limit: number;
  /** Of one whose webhooks were slow. */
  limitWhenSlow: number;
  slowMs: number;
  rememberMs: number;
  now(): number;
}

const defaults: PatienceOptions = {
  limit: 32,
  limitWhenSlow: 2,
  slowMs: 1000,
  rememberMs: 60_000,
  now: () => performance.now(),
};

/** Slow tenants remembered; the one that was slow longest ago is forgotten first. */
const rememberedLimit = 10_000;

export class Patience {
  readonly #options: PatienceOptions;
  /** By tenant, only while somebody waits. */
  readonly #waiting = new Map<string, number>();
  readonly #slowAt = new Map<string, number>();

  constructor(options: Partial<PatienceOptions> = {}) {
    this.#options = { ...defaults, ...options };
  }

  /** Begins to wait; undefined when too many wait already. The returned function ends it. */
  begin(tenant: string): (() => void) | undefined {
    const { limit, limitWhenSlow, slowMs, now } = this.#options;
    const startedAt = now();
    const waiting = this.#waiting.get(tenant) ?? 0;
    if (waiting >= (this.#isSlow(tenant, startedAt) ? limitWhenSlow : limit)) return undefined;
    this.#waiting.set(tenant, waiting + 1);
    return () => {
      const left = this.#waiting.get(tenant)! - 1;
      if (left === 0) this.#waiting.delete(tenant);
      else this.#waiting.set(tenant, left);
      if (now() - startedAt > slowMs) this.#remember(tenant, now());
    };
  }

  #isSlow(tenant: string, nowMs: number): boolean {
    const slowAt = this.#slowAt.get(tenant);
    if (slowAt === undefined) return false;
    if (nowMs - slowAt <= this.#options.rememberMs) return true;
    this.#slowAt.delete(tenant);
    return false;
  }

  #remember(tenant: string, nowMs: number): void {
    this.#slowAt.delete(tenant);
    this.#slowAt.set(tenant, nowMs);
    if (this.#slowAt.size <= rememberedLimit) return;
    this.#slowAt.delete(this.#slowAt.keys().next().value!);
  }
}
