import { pageNotFound } from '../../api/status.ts';
import { ComputedGauge, Counter, Gauge } from '../../base/metrics.ts';
import type { Answer } from '../answer.ts';
import type { RequestContext } from '../request-context.ts';

export interface HealthCheck {
  name: string;
  /** Part of this endpoint alone; of all three when absent. */
  only?: 'readyz';
  /** A start anew would mend nothing: not part of /livez. */
  withoutLivez?: true;
  /** Rejects when it is not well. */
  check(): Promise<void> | void;
}

/** What checks that were asked for said: /metrics/slis. Source: component-base/metrics/prometheus/slis. */
export class HealthRecord {
  readonly #last = new Gauge(
    'kubernetes_healthcheck',
    '[STABLE] This metric records the result of a single healthcheck.',
    ['name', 'type'],
  );
  readonly #all = new Counter(
    'kubernetes_healthchecks_total',
    '[STABLE] This metric records the results of all healthcheck.',
    ['name', 'type', 'status'],
  );

  observe(name: string, root: string, isWell: boolean): void {
    this.#last.with(name, root).value = isWell ? 1 : 0;
    this.#all.with(name, root, isWell ? 'success' : 'error').add();
  }

  readonly #started = new ComputedGauge(
    'process_start_time_seconds',
    '[ALPHA] Start time of the process since unix epoch in seconds.',
    [],
    () => [{ labels: [], value: (Date.now() - performance.now()) / 1000 }],
  );

  text(): string {
    const lines: string[] = [];
    this.#started.write(lines);
    this.#last.write(lines);
    this.#all.write(lines);
    return `${lines.join('\n')}\n`;
  }
}

/** As upstream's --etcd-healthcheck-timeout and --etcd-readycheck-timeout. */
const storeTimeoutMs = 2_000;

/** Whether the store answers in time. It can be asked by anybody at any rate: all who ask at once share a read. */
export function storeChecks(read: () => Promise<unknown>): HealthCheck[] {
  const check = async () => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('the store does not answer')), storeTimeoutMs);
    });
    try {
      await Promise.race([read(), late]);
    } finally {
      clearTimeout(timer);
    }
  };
  return [
    { name: 'etcd', check },
    { name: 'etcd-readiness', only: 'readyz', check },
  ];
}

export const checksOf = (root: string, checks: readonly HealthCheck[]): HealthCheck[] =>
  checks.filter(
    ({ only, withoutLivez }) => (only === undefined || only === root) && !(withoutLivez && root === 'livez'),
  );

const contentType = 'text/plain; charset=utf-8';
const headers = { 'x-content-type-options': 'nosniff' };
const text = (code: number, bytes: string): Answer => ({
  type: 'bytes',
  code,
  contentType,
  bytes,
  headers,
});

const plain = (bytes: string): Answer => ({ type: 'bytes', code: 200, contentType, bytes });

/**
 * /healthz, /livez and /readyz, with `?verbose`, `?exclude=NAME` and `/NAME`. Why a check failed is not for strangers.
 * Source: "Kubernetes API health endpoints", and apiserver/pkg/server/healthz.
 */
export async function health(context: RequestContext, all: HealthCheck[], record: HealthRecord): Promise<Answer> {
  const [, root = '', ...rest] = context.info.path.split('/');
  const checks = checksOf(root, all);
  const only = rest.join('/');
  if (rest.length > 0) {
    const asked = checks.find(({ name }) => name === only);
    if (asked === undefined) throw pageNotFound();
    return (await isWell(asked)) ? plain('ok') : text(500, `internal server error: ${only} failed\n`);
  }
  const excluded = new Set(context.query.getAll('exclude'));
  // All at once: what takes its time to fail takes it once.
  const outcomes = new Map(checks.filter(({ name }) => !excluded.has(name)).map((one) => [one, isWell(one)] as const));
  const lines: string[] = [];
  let failed = false;
  for (const one of checks) {
    if (excluded.delete(one.name)) {
      lines.push(`[+]${one.name} excluded: ok`);
      continue;
    }
    const well = (await outcomes.get(one))!;
    record.observe(one.name, root, well);
    failed ||= !well;
    lines.push(well ? `[+]${one.name} ok` : `[-]${one.name} failed: reason withheld`);
  }
  if (excluded.size > 0) {
    const names = [...excluded].sort().map((name) => JSON.stringify(name));
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names.join(',')}`);
  }
  if (failed) return text(500, `${lines.join('\n')}\n${root} check failed\n`);
  return text(200, context.query.has('verbose') ? `${lines.join('\n')}\n${root} check passed\n` : 'ok');
}

async function isWell({ check }: HealthCheck): Promise<boolean> {
  try {
    await check();
    return true;
  } catch {
    return false;
  }
}
