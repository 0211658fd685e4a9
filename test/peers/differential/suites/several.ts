/** Reads disturb nobody: several at a time. */
export class Several {
  readonly #open = new Set<Promise<unknown>>();

  async start(ask: Promise<unknown>): Promise<void> {
    const done: Promise<unknown> = ask.finally(() => this.#open.delete(done));
    this.#open.add(done);
    if (this.#open.size >= 24) await Promise.race(this.#open);
  }

  async end(): Promise<void> {
    await Promise.all(this.#open);
  }
}
