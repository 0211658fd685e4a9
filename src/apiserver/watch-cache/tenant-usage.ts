export interface Usage {
  objects: number;
  /** As stored. */
  bytes: number;
}

const none: Usage = { objects: 0, bytes: 0 };

/** What each tenant has stored of the resources that are in memory: all that anyone has asked for since the start. */
export class TenantUsage {
  readonly #usages = new Map<string, Usage>();

  of(tenant: string): Readonly<Usage> {
    return this.#usages.get(tenant) ?? none;
  }

  add(tenant: string, objects: number, bytes: number): void {
    const usage = this.#usages.get(tenant);
    if (usage === undefined) {
      if (objects > 0) this.#usages.set(tenant, { objects, bytes });
      return;
    }
    usage.objects += objects;
    usage.bytes += bytes;
    if (usage.objects <= 0) this.#usages.delete(tenant);
  }
}
