export interface Measured {
  server: string;
  name: string;
  /** Operations a second. */
  rate: number;
  /** Of all of the server's processes, per operation. */
  cpuMs: number;
  generatorCpuMs: number;
  /** Received per operation, TLS taken off. */
  bytes: number;
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const shown = (value: number) =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toPrecision(3);

/**
 * One figure: every server's median rate and CPU, then the first one's against the second's. `load` is the generator's:
 * CPU-ms an operation and how busy it was; near 100 % it is the generator that was measured.
 */
export function printLine(
  { name, unit, budget }: { name: string; unit: string; budget?: number },
  servers: string[],
  byServer: Map<string, Measured[]>,
): void {
  const medians = servers.map((server) => {
    const runs = byServer.get(server) ?? [];
    if (runs.length === 0) return undefined;
    const of = (pick: (one: Measured) => number) => median(runs.map(pick));
    return { rate: of((one) => one.rate), cpuMs: of((one) => one.cpuMs), generator: of((one) => one.generatorCpuMs) };
  });
  const columns = medians.map((one) =>
    one === undefined
      ? 'not run'.padStart(42)
      : `${shown(one.rate).padStart(8)} ${unit} ${shown(one.cpuMs).padStart(8)} CPU-ms (load ${shown(one.generator)}, ${Math.round((one.rate * one.generator) / 10)} %)`,
  );
  const [ours, theirs] = medians;
  let ratio = '';
  if (ours !== undefined && theirs !== undefined) {
    const rates = ours.rate / theirs.rate;
    ratio = ` | rate x${rates.toFixed(2)}, CPU x${(ours.cpuMs / theirs.cpuMs).toFixed(2)}`;
    if (budget !== undefined) ratio += ` | wanted x${budget}: ${rates >= budget ? 'met' : 'NOT met'}`;
  }
  console.log(`${name.padEnd(52)} ${columns.join(' | ')}${ratio}`);
}
