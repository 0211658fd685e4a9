import { type Profiler, Session } from 'node:inspector/promises';

export interface Measured {
  /** Processor time of the main thread between two turns of the event loop, at most. */
  longestMs: number;
  /** All of it. */
  totalMs: number;
  heapGrowthMib: number;
  /** What the longest was spent on: the functions with most time of their own, and those with most in all. */
  profile?: string[];
}

const functionsShown = 14;

/** Runs in the server's process: a timer that is due in every turn of the loop sees how long the last one was. */
export class StallMeter {
  readonly #collect: () => void;
  #timer: NodeJS.Timeout | undefined;
  #longestMs = 0;
  /** When the longest began and ended, in microseconds of the machine's clock. */
  #longestAt: [number, number] = [0, 0];
  #startMs = 0;
  #heapBytes = 0;
  #profiler: Session | undefined;

  constructor(collect: () => void) {
    this.#collect = collect;
  }

  async begin(withProfile: boolean): Promise<void> {
    this.#collect();
    this.#heapBytes = heapBytes();
    if (withProfile) {
      this.#profiler = new Session();
      this.#profiler.connect();
      await this.#profiler.post('Profiler.enable');
      await this.#profiler.post('Profiler.setSamplingInterval', { interval: 500 });
      await this.#profiler.post('Profiler.start');
    }
    this.#longestMs = 0;
    let beforeMs = processorMs();
    let beforeAt = now();
    this.#startMs = beforeMs;
    const tick = () => {
      const nowMs = processorMs();
      const at = now();
      if (nowMs - beforeMs > this.#longestMs) {
        this.#longestMs = nowMs - beforeMs;
        this.#longestAt = [beforeAt, at];
      }
      beforeMs = nowMs;
      beforeAt = at;
      this.#timer = setTimeout(tick, 1);
    };
    tick();
  }

  async end(): Promise<Measured> {
    // What was under way when the answer went out.
    await new Promise((resolve) => setTimeout(resolve, 5));
    clearTimeout(this.#timer);
    const totalMs = processorMs() - this.#startMs;
    const profiler = this.#profiler;
    this.#profiler = undefined;
    let profile: string[] | undefined;
    if (profiler !== undefined) {
      const { profile: taken } = await profiler.post('Profiler.stop');
      profiler.disconnect();
      profile = describe(taken, this.#longestAt);
    }
    this.#collect();
    const heapGrowthMib = (heapBytes() - this.#heapBytes) / 2 ** 20;
    return { longestMs: this.#longestMs, totalMs, heapGrowthMib, ...(profile !== undefined && { profile }) };
  }
}

const now = () => Number(process.hrtime.bigint() / 1000n);

function processorMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function heapBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function describe(profile: Profiler.Profile, [from, until]: [number, number]): string[] {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map<number, number>();
  for (const node of profile.nodes) for (const child of node.children ?? []) parents.set(child, node.id);
  const nameOf = (id: number): string => {
    const { functionName, url, lineNumber } = nodes.get(id)!.callFrame;
    return `${functionName || '(anonymous)'} ${url.replace(/^.*\/(?=(src|test)\/)/, '')}${url === '' ? '' : `:${lineNumber + 1}`}`;
  };
  const own = new Map<string, number>();
  const all = new Map<string, number>();
  const add = (to: Map<string, number>, name: string, ms: number) => to.set(name, (to.get(name) ?? 0) + ms);
  let at = profile.startTime;
  for (const [index, id] of (profile.samples ?? []).entries()) {
    const us = profile.timeDeltas![index]!;
    at += us;
    if (at < from || at > until) continue;
    add(own, nameOf(id), us / 1000);
    const seen = new Set<string>();
    for (let one: number | undefined = id; one !== undefined; one = parents.get(one)) seen.add(nameOf(one));
    for (const name of seen) add(all, name, us / 1000);
  }
  const top = (map: Map<string, number>) =>
    [...map]
      .filter(([name]) => !name.startsWith('(root)'))
      .sort((a, b) => b[1] - a[1])
      .slice(0, functionsShown)
      .map(([name, ms]) => `${ms.toFixed(0).padStart(6)} ${name}`);
  return ['own:', ...top(own), 'in all:', ...top(all)];
}
