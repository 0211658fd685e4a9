import { type Cidr, contains, formatAddress, parseAddress, sizeOf } from '../addresses/ipv4.ts';

/**
 * Hands out the addresses of one block: one allocator a (tenant, host). The network's own address, the gateway (the
 * first after it) and the last are never given. An address that was released comes round again only after all others,
 * so that late packets, DNS answers and probes of a gone pod find nobody.
 */
export class BlockAllocator {
  readonly gateway: string;
  readonly #block: Cidr;
  readonly #used = new Set<number>();
  #next: number;

  constructor(block: Cidr) {
    if (sizeOf(block.prefix) < 4) throw new RangeError('a block of pod addresses holds at least four');
    this.#block = block;
    this.gateway = formatAddress(block.base + 1);
    this.#next = this.#first;
  }

  get #first(): number {
    return this.#block.base + 2;
  }

  get #last(): number {
    return this.#block.base + sizeOf(this.#block.prefix) - 2;
  }

  /** The next free address; undefined when all are in use. */
  allocate(): string | undefined {
    const capacity = this.#last - this.#first + 1;
    if (this.#used.size >= capacity) return undefined;
    let candidate = this.#next;
    while (this.#used.has(candidate)) candidate = this.#after(candidate);
    this.#used.add(candidate);
    this.#next = this.#after(candidate);
    return formatAddress(candidate);
  }

  /**
   * Takes a known address, as found after a restart; new ones continue behind the highest of them.
   * @returns false when it is outside the block or taken already.
   */
  reserve(address: string): boolean {
    const value = parseAddress(address);
    if (!contains(this.#block, value) || value < this.#first || value > this.#last || this.#used.has(value))
      return false;
    this.#used.add(value);
    if (value >= this.#next) this.#next = this.#after(value);
    return true;
  }

  release(address: string): void {
    this.#used.delete(parseAddress(address));
  }

  #after(value: number): number {
    return value >= this.#last ? this.#first : value + 1;
  }
}
