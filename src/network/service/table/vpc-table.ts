import { VPC_NODE_CIDR, type VpcService } from '../../../api/pool.ts';
import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/log.ts';
import type { CarriedVpc } from '../../vpc/index.ts';
import { ProgramError } from '../../vpc/shell.ts';
import { VPC_TABLE } from '../../vpc/vpc-rules.ts';
import { RetriedWork } from '../retried-work.ts';
import type { StickyPort } from './elements.ts';
import { type EndedFlow, TableState } from './table-state.ts';

const RETRY_MS = 1000;

/**
 * Keeps the table of one VPC like the services it is told of. One transaction at a time; what changes meanwhile goes
 * into the next one together. The first transaction, and the one after a failure, writes the whole table.
 */
export class VpcTable {
  readonly #run: CarriedVpc['run'];
  readonly #state: TableState;
  readonly #logger: Logger;
  readonly #writing: RetriedWork;
  readonly #services = new Map<string, VpcService>();
  readonly #changed = new Set<string>();
  #isWhole = false;
  #isConntrackMissing = false;

  constructor(options: Pick<CarriedVpc, 'run'> & { logger: Logger; clock: Clock }) {
    this.#run = options.run;
    this.#state = new TableState();
    this.#logger = options.logger;
    this.#writing = new RetriedWork({
      isDue: () => !this.#isWhole || this.#changed.size > 0,
      attempt: () => this.#write(),
      onFailure: (error) => {
        this.#isWhole = false;
        options.logger.error({ error }, 'writing the service table failed; it will be written anew');
      },
      retryMs: RETRY_MS,
      clock: options.clock,
    });
  }

  set(service: VpcService): void {
    this.#services.set(service.metadata.name, service);
    this.#changed.add(service.metadata.name);
    this.#writing.advance();
  }

  delete(name: string): void {
    this.#services.delete(name);
    this.#changed.add(name);
    this.#writing.advance();
  }

  /** Whether the kernel followed, when it was last told of a change. */
  get isHealthy(): boolean {
    return this.#isWhole;
  }

  /** All services there are have been set: from now on the kernel follows. */
  start(): void {
    this.#writing.start();
  }

  /** Resolves when the kernel has what was set before the call (or the attempt failed and waits for its retry). */
  settled(): Promise<void> {
    return this.#writing.settled();
  }

  /** Leaves the table as it is. */
  close(): Promise<void> {
    return this.#writing.close();
  }

  async #write(): Promise<void> {
    const changed = new Map([...this.#changed].map((name) => [name, this.#services.get(name)]));
    this.#changed.clear();
    const change = this.#isWhole ? this.#state.change(changed) : this.#state.reset(this.#services);
    if (change.script !== '') await this.#run('nft', ['-f', '-'], change.script);
    this.#isWhole = true;
    if (change.forget.length > 0) await this.#forget(change.forget);
    for (const flow of change.ended) await this.#endFlow(flow);
  }

  /**
   * The kernel goes on translating a known UDP flow as it began, as long as the client sends; after this it looks again.
   * TCP needs no such thing: a gone endpoint resets or times out, and the client connects anew.
   */
  async #endFlow({ address, port, endpoint }: EndedFlow): Promise<void> {
    if (this.#isConntrackMissing) return;
    const to = endpoint === undefined ? [] : ['--reply-src', endpoint];
    const what = ['--orig-dst', address ?? VPC_NODE_CIDR, '--orig-port-dst', port, ...to];
    try {
      await this.#run('conntrack', ['-D', '-f', 'ipv4', '-p', 'udp', ...what]);
    } catch (error) {
      // It fails when there was no such flow, too.
      if (!(error instanceof ProgramError) || error.status !== 127) return;
      this.#isConntrackMissing = true;
      this.#logger.info({}, 'there is no conntrack command: UDP clients notice late that an endpoint is gone');
    }
  }

  /** Clients that remember an endpoint which is gone choose again. */
  async #forget(ports: StickyPort[]): Promise<void> {
    const kept = new Map(ports.map(({ mark, endpoints }) => [mark, new Set(endpoints)]));
    const json = await this.#run('nft', ['-j', 'list', 'map', 'ip', VPC_TABLE, 'affinity']);
    const stale: string[] = [];
    for (const [key, value] of affinityElements(JSON.parse(json))) {
      const endpoints = kept.get(key.mark);
      if (endpoints === undefined || endpoints.has(value)) continue;
      stale.push(`${key.client} . 0x${key.mark.toString(16)} . ${key.protocol}`);
    }
    if (stale.length === 0) return;
    const script = stale.map((key) => `delete element ip ${VPC_TABLE} affinity { ${key} }\n`);
    // One that expired meanwhile must not keep the others.
    await this.#run('nft', ['-f', '-'], script.join('')).catch(async () => {
      for (const line of script) await this.#run('nft', ['-f', '-'], line).catch(() => {});
    });
  }
}

function affinityElements(listing: any): [{ client: string; mark: number; protocol: string }, string][] {
  const map = listing.nftables.find((entry: any) => entry.map !== undefined)?.map;
  return ((map?.elem ?? []) as [any, any][]).map(([key, value]) => {
    const [client, mark, protocol] = key.elem?.val?.concat ?? key.concat;
    const [address, port] = value.concat;
    return [{ client, mark, protocol }, `${address} . ${port}`];
  });
}
