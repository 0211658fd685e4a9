import type { KubeObject } from '../api/object.ts';
import { type Clock, spanClock } from '../base/clock.ts';
import { eventSuffix } from './event-name.ts';

export interface CorrelatedEvent {
  tenant: string;
  event: KubeObject;
  /** It was written before under the same name: only count, time and message change. */
  isRepeat: boolean;
}

// client-go's EventCorrelator defaults.
const cacheSize = 4096;
const spamBurst = 25;
const spamRefillPerMs = 1 / 300_000;
const similarBeforeCombining = 10;
const combineWithinMs = 600_000;

/** The newest `limit` entries; reading one makes it the newest. */
class RecentMap<V> {
  readonly #entries = new Map<string, V>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, value);
    }
    return value;
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.#limit) this.#entries.delete(this.#entries.keys().next().value!);
  }
}

/**
 * Turns repeated events into counts, many similar ones into one "(combined from similar events)", and drops what one
 * object floods beyond 25 events plus one in five minutes. Follows client-go's tools/record.
 */
export class EventCorrelator {
  readonly #clock: Clock;
  readonly #spanMs: () => number;
  readonly #buckets = new RecentMap<{ tokens: number; atMs: number }>(cacheSize);
  readonly #similar = new RecentMap<{ messages: Set<string>; atMs: number }>(cacheSize);
  readonly #written = new RecentMap<{ name: string; count: number; firstTimestamp: string }>(cacheSize);

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#spanMs = spanClock(clock);
  }

  /** Undefined: drop it. */
  correlate(tenant: string, incoming: KubeObject): CorrelatedEvent | undefined {
    const nowMs = this.#spanMs();
    const object = incoming['involvedObject'];
    const base = `${tenant}|${object.kind}|${object.namespace}|${object.name}|${object.uid}|${object.apiVersion}|${incoming['type']}`;
    if (!this.#takeToken(base, nowMs)) return undefined;

    const groupKey = `${base}|${incoming['reason']}`;
    let key = `${base}|${object.fieldPath ?? ''}|${incoming['reason']}|${incoming['message']}`;
    let event = incoming;
    let group = this.#similar.get(groupKey);
    if (group === undefined || nowMs - group.atMs > combineWithinMs) group = { messages: new Set(), atMs: nowMs };
    group.messages.add(incoming['message']);
    group.atMs = nowMs;
    this.#similar.set(groupKey, group);
    if (group.messages.size >= similarBeforeCombining) {
      group.messages.delete(group.messages.values().next().value!);
      key = groupKey;
      event = {
        ...incoming,
        metadata: { ...incoming.metadata, name: `${object.name}.${eventSuffix(this.#clock.now())}` },
        message: `(combined from similar events): ${incoming['message']}`,
      };
    }

    const written = this.#written.get(key);
    if (written === undefined) {
      this.#written.set(key, { name: event.metadata.name, count: 1, firstTimestamp: event['firstTimestamp'] });
      return { tenant, event, isRepeat: false };
    }
    written.count++;
    return {
      tenant,
      event: {
        ...event,
        metadata: { ...event.metadata, name: written.name },
        count: written.count,
        firstTimestamp: written.firstTimestamp,
      },
      isRepeat: true,
    };
  }

  #takeToken(key: string, nowMs: number): boolean {
    const bucket = this.#buckets.get(key) ?? { tokens: spamBurst, atMs: nowMs };
    bucket.tokens = Math.min(spamBurst, bucket.tokens + (nowMs - bucket.atMs) * spamRefillPerMs);
    bucket.atMs = nowMs;
    this.#buckets.set(key, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}
