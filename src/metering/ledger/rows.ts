import { resourcesOf } from '../../api/pods/pod-resources.ts';
import type { ContainerInstance, UsageRecord } from '../../api/pool.ts';

export const HOUR_MS = 3_600_000;
const GIBIBYTE = 1024 ** 3;

/** One interval of one instance; times are epoch ms, the end is exclusive. */
export interface UsageRow {
  tenant: string;
  instance: string;
  pod: { namespace: string; name: string };
  zone: string;
  startMs: number;
  endMs: number;
  vcpus: number;
  gibs: number;
}

/**
 * When the instance stopped being metered; undefined while it runs. One that was taken from a host which never reported
 * its end counts to the moment of its deletion: what nobody can show was used is not billed.
 */
export function endOf({ metadata, status }: ContainerInstance): number | undefined {
  if (status?.meteredTo !== undefined) return Date.parse(status.meteredTo);
  const isForced = metadata.deletionTimestamp !== undefined && metadata.deletionGracePeriodSeconds === 0;
  return isForced ? Date.parse(metadata.deletionTimestamp!) : undefined;
}

/**
 * Every ledger row of the instance that is final at `nowMs`: one for each full interval between fixed boundaries, and
 * the last one, cut at the end, once there is an end. A pure function, so a crash is answered by asking again. A resize
 * cuts an interval in two.
 *
 * Ran 10:20-12:05, asked at 11:30: `[10:20, 11:00)`. Asked at 12:10: that, `[11:00, 12:00)` and `[12:00, 12:05)`.
 */
export function rowsFor(instance: ContainerInstance, nowMs: number, intervalMs = HOUR_MS): UsageRow[] {
  const { metadata, spec, status } = instance;
  if (status?.meteredFrom === undefined) return [];
  const endMs = endOf(instance);
  const shapes = shapesOf(instance);
  const rows: UsageRow[] = [];
  let startMs = Date.parse(status.meteredFrom);
  for (;;) {
    const shape = shapes.find(({ untilMs }) => untilMs > startMs)!;
    const boundaryMs = Math.min((Math.floor(startMs / intervalMs) + 1) * intervalMs, shape.untilMs);
    const isLast = endMs !== undefined && endMs <= boundaryMs;
    const rowEndMs = isLast ? endMs : boundaryMs;
    if (rowEndMs <= startMs || (!isLast && boundaryMs > nowMs)) return rows;
    rows.push({
      tenant: metadata.namespace ?? '',
      instance: metadata.name,
      pod: { namespace: spec.podRef.namespace, name: spec.podRef.name },
      zone: spec.zone,
      startMs,
      endMs: rowEndMs,
      vcpus: shape.cpuMillis / 1000,
      gibs: shape.memoryBytes / GIBIBYTE,
    });
    if (isLast) return rows;
    startMs = boundaryMs;
  }
}

/** What it was sized like, oldest first; the present shape holds for ever. */
function shapesOf({ spec }: ContainerInstance): { cpuMillis: number; memoryBytes: number; untilMs: number }[] {
  const past = (spec.resourceHistory ?? []).map(({ until, ...shape }) => ({ shape, untilMs: Date.parse(until) }));
  return [...past, { shape: spec.resources, untilMs: Infinity }].map(({ shape, untilMs }) => {
    const { cpuMillis, memoryBytes } = resourcesOf(shape);
    return { cpuMillis, memoryBytes, untilMs };
  });
}

export const rowName = ({ instance, startMs }: Pick<UsageRow, 'instance' | 'startMs'>): string =>
  `${instance}-${startMs}`;

export const secondsOf = ({ startMs, endMs }: Pick<UsageRow, 'startMs' | 'endMs'>): number => (endMs - startMs) / 1000;

export function recordOf(
  row: UsageRow,
): Omit<UsageRecord, 'metadata'> & { metadata: { name: string; namespace: string } } {
  const seconds = secondsOf(row);
  return {
    apiVersion: 'metering.skypod.io/v1alpha1',
    kind: 'UsageRecord',
    metadata: { name: rowName(row), namespace: row.tenant },
    spec: {
      instance: row.instance,
      pod: row.pod,
      zone: row.zone,
      intervalStart: new Date(row.startMs).toISOString(),
      intervalEnd: new Date(row.endMs).toISOString(),
      seconds,
      vcpuSeconds: exact(seconds * row.vcpus),
      gibSeconds: exact(seconds * row.gibs),
    },
  };
}

/** Products of milliseconds and thousandths have six decimals; floating point's dust beyond goes. */
export const exact = (value: number): number => Math.round(value * 1e6) / 1e6;
