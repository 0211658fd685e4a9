import type { ContainerInstance, UsageRecord } from '../../api/pool.ts';
import { endOf, exact, rowsFor, secondsOf } from '../ledger/rows.ts';
import { costOf, DEFAULT_PRICES, type PriceList } from '../pricing/price-list.ts';

/** What `skypod usage` prints, one a tenant. */
export interface UsageSummary {
  tenant: string;
  /** Instances that were metered at any time. */
  instances: number;
  seconds: number;
  vcpuSeconds: number;
  gibSeconds: number;
  cost: number;
  currency: string;
}

export interface SummaryOptions {
  /** Undefined: every tenant that used anything. */
  tenant?: string;
  prices?: PriceList;
}

/**
 * The bill so far: what the ledger holds, and of instances not fully in it yet the seconds up to now. Each second counts
 * once, whether its row was written before or after the two lists were read.
 */
export function summarize(
  records: Iterable<UsageRecord>,
  instances: Iterable<ContainerInstance>,
  nowMs: number,
  options: SummaryOptions = {},
): UsageSummary[] {
  const prices = options.prices ?? DEFAULT_PRICES;
  const totals = new Map<string, UsageSummary & { ids: Set<string> }>();
  const add = (
    tenant: string,
    instance: string,
    zone: string,
    usage: { seconds: number; vcpuSeconds: number; gibSeconds: number },
  ) => {
    if (options.tenant !== undefined && tenant !== options.tenant) return;
    let total = totals.get(tenant);
    if (total === undefined) {
      const zero = { instances: 0, seconds: 0, vcpuSeconds: 0, gibSeconds: 0, cost: 0 };
      totals.set(tenant, (total = { tenant, ...zero, currency: prices.currency, ids: new Set() }));
    }
    total.ids.add(instance);
    total.seconds += usage.seconds;
    total.vcpuSeconds += usage.vcpuSeconds;
    total.gibSeconds += usage.gibSeconds;
    total.cost += costOf(prices, zone, usage);
  };

  const recordedTo = new Map<string, number>();
  for (const { metadata, spec } of records) {
    add(metadata.namespace ?? '', spec.instance, spec.zone, spec);
    const endMs = Date.parse(spec.intervalEnd);
    recordedTo.set(spec.instance, Math.max(recordedTo.get(spec.instance) ?? 0, endMs));
  }
  for (const instance of instances) {
    for (const row of rowsSoFar(instance, nowMs)) {
      const startMs = Math.max(row.startMs, recordedTo.get(row.instance) ?? 0);
      if (startMs >= row.endMs) continue;
      const seconds = secondsOf({ startMs, endMs: row.endMs });
      const usage = { seconds, vcpuSeconds: seconds * row.vcpus, gibSeconds: seconds * row.gibs };
      add(row.tenant, row.instance, row.zone, usage);
    }
  }
  return [...totals.values()]
    .map(({ ids, ...total }) => ({
      ...total,
      instances: ids.size,
      seconds: exact(total.seconds),
      vcpuSeconds: exact(total.vcpuSeconds),
      gibSeconds: exact(total.gibSeconds),
      cost: exact(total.cost),
    }))
    .sort((a, b) => (a.tenant < b.tenant ? -1 : 1));
}

/** The instance's rows as if it ended now. */
function rowsSoFar(instance: ContainerInstance, nowMs: number) {
  if (endOf(instance) !== undefined || instance.status?.meteredFrom === undefined) return rowsFor(instance, nowMs);
  const meteredTo = new Date(nowMs).toISOString();
  return rowsFor({ ...instance, status: { ...instance.status, meteredTo } }, nowMs);
}

const columns = ['tenant', 'instances', 'seconds', 'vcpuSeconds', 'gibSeconds', 'cost', 'currency'] as const;

export function formatCsv(rows: readonly UsageSummary[]): string {
  const lines = rows.map((row) => columns.map((column) => String(row[column])).join(','));
  return `${[columns.join(','), ...lines].join('\n')}\n`;
}

/** Header and cells of the table for people. */
export function tableRows(rows: readonly UsageSummary[]): { header: string[]; rows: string[][] } {
  return {
    header: ['TENANT', 'INSTANCES', 'SECONDS', 'VCPU-SECONDS', 'GIB-SECONDS', 'COST'],
    rows: rows.map((row) => [
      row.tenant,
      String(row.instances),
      row.seconds.toFixed(1),
      row.vcpuSeconds.toFixed(1),
      row.gibSeconds.toFixed(1),
      `${row.cost.toFixed(6)} ${row.currency}`,
    ]),
  };
}
