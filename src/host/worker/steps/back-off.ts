import type { Container } from '../../../api/generated/core-v1.ts';

/**
 * Exponential back-off by key, with the kubelet's semantics (client-go's flowcontrol.Backoff): the delay doubles each
 * time, and starts over when nothing happened for twice the longest delay.
 */
export interface BackOff {
  entries: Map<string, { delayMs: number; updatedAt: number }>;
  initialMs: number;
  maximumMs: number;
}

const createBackOff = (initialMs: number, maximumMs: number): BackOff => ({
  entries: new Map(),
  initialMs,
  maximumMs,
});

/** Restarts of a container and pulls of an image both wait 10 s, doubling up to 5 min. */
export const kubeletBackOff = (): BackOff => createBackOff(10_000, 300_000);

const expired = (backOff: BackOff, eventAt: number, updatedAt: number) => eventAt - updatedAt > backOff.maximumMs * 2;

/** Epoch ms until which `key` must wait after what happened at `eventAt`; undefined when it need not. */
export function waitsUntil(backOff: BackOff, key: string, eventAt: number, now: number): number | undefined {
  const entry = backOff.entries.get(key);
  if (entry === undefined || expired(backOff, eventAt, entry.updatedAt)) return undefined;
  const until = eventAt + entry.delayMs;
  return now < until ? until : undefined;
}

export const currentDelayMs = (backOff: BackOff, key: string): number => backOff.entries.get(key)?.delayMs ?? 0;

/** The next failure of `key`, seen at `eventAt`, will wait longer. */
export function lengthen(backOff: BackOff, key: string, eventAt: number, now: number): void {
  const entry = backOff.entries.get(key);
  const delayMs =
    entry === undefined || expired(backOff, eventAt, entry.updatedAt)
      ? backOff.initialMs
      : Math.min(entry.delayMs * 2, backOff.maximumMs);
  backOff.entries.set(key, { delayMs, updatedAt: now });
}

/** What a container's restarts wait by: with another image or other resources it starts at once, as the kubelet's do. */
export const restartKey = ({ name, image = '', resources = {} }: Container): string =>
  `${name}/${image}/${JSON.stringify(resources)}`;

/** Drops what a container waited by before it was changed: a tenant may change it as often as it likes. */
export function forgetOthers(backOff: BackOff, container: Container): void {
  const key = restartKey(container);
  for (const other of backOff.entries.keys()) {
    if (other !== key && other.startsWith(`${container.name}/`)) backOff.entries.delete(other);
  }
}

/** As Go prints a time.Duration: `10s`, `1m20s`, `5m0s`, `1.234s`, `250ms`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return '0s';
  if (milliseconds < 1000) return `${Math.round(milliseconds)}ms`;
  const hours = Math.floor(milliseconds / 3_600_000);
  const minutes = Math.floor((milliseconds % 3_600_000) / 60_000);
  const seconds = Number(((milliseconds % 60_000) / 1000).toFixed(3));
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  if (minutes > 0) return `${minutes}m${seconds}s`;
  return `${seconds}s`;
}
