import type { InstanceStats } from '../../api/instance-stats.ts';
import { sleep } from '../../base/abort.ts';
import type { Clock } from '../../base/clock.ts';
import type { ContainerStats, SandboxRuntime } from '../../runtime/sandbox-runtime.ts';
import type { RuntimeCache } from '../runtime-cache.ts';

const SAMPLE_INTERVAL_MS = 10_000;
/** Two looks closer together than this say little about a rate. */
const SHORTEST_WINDOW_MS = 1000;

interface Sample {
  now: ContainerStats;
  before: ContainerStats | undefined;
}

/** Turns the runtime's ever-growing CPU counters into rates, from samples some seconds apart. */
export class StatsSampler {
  readonly #runtime: SandboxRuntime;
  readonly #cache: RuntimeCache;
  readonly #clock: Clock;
  #samples = new Map<string, Sample>();
  #rates: Promise<InstanceStats[]> | undefined;

  constructor(runtime: SandboxRuntime, cache: RuntimeCache, clock: Clock) {
    this.#runtime = runtime;
    this.#cache = cache;
    this.#clock = clock;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.sample().catch(() => {});
      await sleep(SAMPLE_INTERVAL_MS, signal);
    }
  }

  async latest(): Promise<{ timestamp: string; instances: InstanceStats[] }> {
    this.#rates ??= ratesOf(this.#samples);
    return { timestamp: new Date(this.#clock.now()).toISOString(), instances: await this.#rates };
  }

  async sample(): Promise<void> {
    const rows = await this.#runtime.stats();
    const samples = new Map<string, Sample>();
    for (const now of rows) {
      const before = this.#samples.get(now.containerId)?.now ?? this.#birthOf(now);
      samples.set(now.containerId, { now, before });
    }
    this.#samples = samples;
    // Worked out when somebody asks, which is rare beside the samples.
    this.#rates = undefined;
  }

  /** A container that began after the last sample had used nothing when it began. */
  #birthOf({ podUid, name, containerId }: ContainerStats): ContainerStats | undefined {
    const record = this.#cache
      .get(podUid)
      .containers.get(name)
      ?.find(({ id }) => id === containerId);
    if (record?.startedAt === undefined) return undefined;
    return {
      containerId,
      podUid,
      name,
      timestamp: record.startedAt,
      cpuUsageCoreNanoSeconds: 0n,
      memoryWorkingSetBytes: 0,
    };
  }
}

async function ratesOf(samples: ReadonlyMap<string, Sample>): Promise<InstanceStats[]> {
  const byPod = new Map<string, InstanceStats>();
  for (const { now, before } of samples.values()) {
    const memory = await now.readMemory?.().catch(() => undefined);
    const windowMs = before === undefined ? 0 : now.timestamp - before.timestamp;
    let instance = byPod.get(now.podUid);
    if (instance === undefined) byPod.set(now.podUid, (instance = { uid: now.podUid, containers: [] }));
    const used = before === undefined ? 0n : now.cpuUsageCoreNanoSeconds - before.cpuUsageCoreNanoSeconds;
    instance.containers.push({
      name: now.name,
      ...(windowMs >= SHORTEST_WINDOW_MS && {
        cpuNanoCores: Math.max(Math.round((Number(used) * 1000) / windowMs), 0),
      }),
      cpuUsageCoreNanoSeconds: Number(now.cpuUsageCoreNanoSeconds),
      memoryWorkingSetBytes: now.memoryWorkingSetBytes,
      ...(memory !== undefined && { memoryUsageBytes: memory.usageBytes, memoryRssBytes: memory.rssBytes }),
      timestamp: new Date(now.timestamp).toISOString(),
      windowSeconds: windowMs / 1000,
    });
  }
  return [...byPod.values()];
}
