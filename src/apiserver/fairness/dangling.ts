import { formatTime, type KubeObject } from '../../api/object.ts';
import { isConflict, isNotFound } from '../../api/status.ts';
import type { Transport } from '../../api/transport.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Objects } from '../objects.ts';
import { danglingWords, FLOW_SCHEMAS, PRIORITY_LEVELS } from './bootstrap.ts';

/** Changes of one tenant that come together are looked at together. */
const settleMs = 50;

/**
 * Keeps the condition `Dangling` of tenants' own flow schemas: whether the priority level they name is there. Looks at
 * a tenant when one of its flow schemas or levels changes, and never otherwise. Source: apf_controller.go.
 */
export class DanglingConditions {
  readonly #objects: Objects;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #due = new Set<string>();
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(parts: { objects: Objects; transport: Transport; clock: Clock; logger: Logger }) {
    this.#objects = parts.objects;
    this.#transport = parts.transport;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
  }

  changed(tenant: string): void {
    this.#due.add(tenant);
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#cancel ??= this.#clock.schedule(settleMs, () => {
      void this.#work().finally(() => {
        this.#cancel = undefined;
        if (this.#due.size > 0) this.#schedule();
      });
    });
  }

  async #work(): Promise<void> {
    for (const tenant of [...this.#due]) {
      this.#due.delete(tenant);
      try {
        await this.#look(tenant);
      } catch (error) {
        if (!this.#closed) this.#logger.warn({ tenant, error }, 'the conditions of flow schemas could not be kept');
      }
    }
  }

  async #look(tenant: string): Promise<void> {
    // Those that every tenant has say it from the start; only what a tenant wrote is stored, and can be written to.
    const cache = await this.#objects.cache(FLOW_SCHEMAS);
    const stored = cache.entries({ tenant });
    if (stored.length === 0) return;
    const levels = await this.#objects.entries(PRIORITY_LEVELS, { tenant });
    const names = new Set(levels.map(({ name }) => name));
    for (const { name, object } of stored) {
      const status = this.#wantedStatus(object, names);
      if (status === undefined) continue;
      const { resourceVersion } = object.metadata;
      await this.#transport
        .request({
          method: 'PATCH',
          path: `/clusters/${tenant}/apis/${FLOW_SCHEMAS.group}/v1/flowschemas/${encodeURIComponent(name)}/status`,
          contentType: 'application/merge-patch+json',
          query: { fieldManager: 'api-priority-and-fairness-config-consumer-v1' },
          body: { metadata: { resourceVersion }, status },
        })
        .catch((error) => {
          // Changed or deleted meanwhile: that is heard of, too.
          if (!isConflict(error) && !isNotFound(error)) throw error;
        });
    }
  }

  /** undefined when the status is right as it stands. */
  #wantedStatus(schema: KubeObject, levels: ReadonlySet<string>): object | undefined {
    const level = String(schema['spec']?.priorityLevelConfiguration?.name ?? '');
    const found = levels.has(level);
    const wanted = { type: 'Dangling', status: found ? 'False' : 'True', ...danglingWords(level, found) };
    const conditions: any[] = Array.isArray(schema['status']?.conditions) ? schema['status'].conditions : [];
    const present = conditions.find((one) => one?.type === 'Dangling');
    if (present?.status === wanted.status && present.reason === wanted.reason && present.message === wanted.message) {
      return undefined;
    }
    const others = conditions.filter((one) => one?.type !== 'Dangling');
    const lastTransitionTime = formatTime(this.#clock.now());
    return { conditions: [...others, { ...wanted, lastTransitionTime }] };
  }
}
