import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

/** One figure beside its budget; `make bench` prints nothing else, so that runs can be compared line by line. */
export function printFigure(what: string, value: number, unit: string, budget?: string): void {
  const text = value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
  console.log(
    `${what.padEnd(64)} ${text.padStart(10)} ${unit.padEnd(10)}${budget === undefined ? '' : ` budget ${budget}`}`,
  );
}

export function printMachine(): void {
  console.log(
    `machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, node ${process.version}`,
  );
}

/** Seconds of CPU a process has used (user and system), by /proc/PID/stat. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** CPU seconds of the whole machine that were not idle, since boot. */
export function machineCpuSeconds(): number {
  const [user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq) / 100;
}

export function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** Without pages of files that are only mapped: lmdb's are the kernel's to take back. */
export function residentOwnMiB(pid: number): number {
  return Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** The p-th percentile (0..100) of measured values, by the nearest rank. */
export function percentile(values: number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)];
}
