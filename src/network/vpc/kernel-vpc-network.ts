import { createHash } from 'node:crypto';
import { mkdir, realpath } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import type { PodAddress, PodNetwork } from '../../api/pod-network.ts';
import type { Logger } from '../../base/log.ts';
import { hostBlock } from '../addresses/host-block.ts';
import { chooseLink, linkAddress } from './link-address.ts';
import { Machine } from './machine.ts';
import { kernelNames, namespacePath } from './names.ts';
import { type PodRecord, Records } from './records.ts';
import { Vpc } from './vpc.ts';
import type { CarriedVpc, VpcHandlers, VpcNetwork, VpcNetworkOptions } from './vpc-network.ts';
import { BLOCKED_DESTINATIONS, type LinkPorts } from './vpc-rules.ts';
import { isWithinVpc, unreachable } from './within-vpc.ts';

const DEFAULT_LINK_PORTS: LinkPorts = { dns: 10053, api: 10443 };

/**
 * The pod network of one host. On start it takes over what an earlier process of the same data directory left, and
 * removes what has no record.
 * @throws when not root, or ip or nft are missing
 */
export async function createVpcNetwork(options: VpcNetworkOptions): Promise<VpcNetwork> {
  // The kernel's names come from the path, so it must be the same however it is spelled.
  await mkdir(options.dataDirectory, { recursive: true });
  const network = new KernelVpcNetwork({ ...options, dataDirectory: await realpath(options.dataDirectory) });
  await network.start();
  return network;
}

interface VpcEntry {
  vpc: Vpc;
  ready: Promise<void>;
  pods: Set<string>;
  cancelRemoval?: () => void;
  /** `ready` was rejected although pods of an earlier process live in it. */
  failed?: boolean;
}

class KernelVpcNetwork implements VpcNetwork {
  readonly ports: LinkPorts;
  readonly #options: VpcNetworkOptions;
  readonly #logger: Logger;
  readonly #names: ReturnType<typeof kernelNames>;
  readonly #records: Records;
  readonly #machine: Machine;
  readonly #blocked: readonly string[];
  readonly #vpcs = new Map<string, VpcEntry>();
  /** VPCs on their way out, by tenant: a new one of the same tenant waits. */
  readonly #leaving = new Map<string, Promise<void>>();
  readonly #pods = new Map<string, PodRecord & { work: Promise<void> }>();
  readonly #handlers: VpcHandlers[] = [];

  constructor(options: VpcNetworkOptions) {
    this.#options = options;
    this.#logger = options.logger;
    this.#names = kernelNames(options.dataDirectory);
    this.#records = new Records(options.dataDirectory);
    this.#blocked = [...BLOCKED_DESTINATIONS, ...(options.blockedDestinations ?? [])];
    this.ports = options.ports ?? DEFAULT_LINK_PORTS;
    this.#machine = new Machine({
      names: this.#names,
      records: this.#records,
      ports: this.ports,
      egress: options.egress,
      blocked: this.#blocked,
      logger: options.logger,
      clock: options.clock,
    });
  }

  async start(): Promise<void> {
    const [vpcs, pods] = await Promise.all([this.#records.vpcs(), this.#records.pods()]);
    let links = () => vpcs.map(({ link }) => link);
    await this.#machine.start(() => links());
    const podsOfTenant = Map.groupBy(pods, ({ tenant }) => tenant);
    for (const { tenant, link, rules } of vpcs) {
      const entry = this.#enter(tenant, link, rules);
      for (const pod of podsOfTenant.get(tenant) ?? []) this.#adopt(entry, pod);
    }
    links = () => [...this.#vpcs.values()].map(({ vpc }) => vpc.link.index);
    await this.#removeStrangers();
    await Promise.allSettled([...this.#vpcs.values()].map(({ ready }) => ready));
    for (const entry of this.#vpcs.values()) this.#removeWhenIdle(entry);
    if (vpcs.length > 0) this.#logger.info({ vpcs: vpcs.length, pods: this.#pods.size }, 'took over the pod network');
  }

  async setUp(pod: Parameters<PodNetwork['setUp']>[0]): Promise<PodAddress> {
    requireName(pod.tenant);
    requireName(pod.uid);
    const key = keyOf(pod);
    for (;;) {
      const known = this.#pods.get(key);
      const entry = await this.#vpc(pod.tenant);
      if (known !== undefined) {
        await known.work.catch(() => {
          if (this.#pods.get(key) === known) known.work = this.#makeAgain(entry.vpc, known);
        });
        await known.work;
        if (this.#pods.get(key) === known) return this.#addressOf(known, entry.vpc);
        continue;
      }
      if (this.#pods.has(key)) continue;
      const ip = pod.hostNetwork ? entry.vpc.gateway : entry.vpc.allocator.allocate();
      if (ip === undefined) throw new Error(`no free pod address is left in the VPC of ${pod.tenant} on this host`);
      const record = {
        tenant: pod.tenant,
        uid: pod.uid,
        hostNetwork: pod.hostNetwork,
        ip,
        ...(pod.hostPorts !== undefined && pod.hostPorts.length > 0 && { hostPorts: pod.hostPorts }),
        ...(pod.nodeAddress !== undefined && { nodeAddress: pod.nodeAddress }),
      };
      entry.pods.add(key);
      const work = this.#make(entry.vpc, record, true);
      this.#pods.set(key, { ...record, work });
      try {
        await work;
      } catch (error) {
        await this.tearDown(pod).catch(() => {});
        throw error;
      }
      return this.#addressOf(record, entry.vpc);
    }
  }

  async tearDown(pod: { tenant: string; uid: string }): Promise<void> {
    const key = keyOf(pod);
    const known = this.#pods.get(key);
    if (known === undefined) return;
    const before = known.work;
    const work = (async () => {
      await before.catch(() => {});
      if (this.#pods.get(key) !== known) return;
      const entry = this.#vpcs.get(pod.tenant);
      if (entry !== undefined && !known.hostNetwork) {
        await this.#closeHostPorts(entry.vpc, known);
        await entry.vpc.disconnectPod(this.#names.podNamespace(pod.tenant, pod.uid), known.ip);
      }
      await this.#records.removePod(pod.tenant, pod.uid);
      this.#pods.delete(key);
      if (entry === undefined) return;
      if (!known.hostNetwork) entry.vpc.allocator.release(known.ip);
      entry.pods.delete(key);
      this.#removeWhenIdle(entry);
    })();
    known.work = work;
    await work;
  }

  async list(): Promise<{ tenant: string; uid: string; address: PodAddress }[]> {
    const namespaces = new Set(await this.#machine.ownNamespaces());
    const found: { tenant: string; uid: string; address: PodAddress }[] = [];
    for (const pod of this.#pods.values()) {
      const entry = this.#vpcs.get(pod.tenant);
      if (entry === undefined) continue;
      if (!pod.hostNetwork && !namespaces.has(this.#names.podNamespace(pod.tenant, pod.uid))) continue;
      found.push({ tenant: pod.tenant, uid: pod.uid, address: this.#addressOf(pod, entry.vpc) });
    }
    return found;
  }

  localAddress(tenant: string): string | undefined {
    return this.#vpcs.get(tenant)?.vpc.link.machine;
  }

  connect(tenant: string, address: string, port: number, timeoutMs: number): Promise<Socket> {
    const localAddress = this.localAddress(tenant);
    return new Promise((resolve, reject) => {
      if (localAddress === undefined) return reject(new Error(`this host does not carry the VPC of ${tenant}`));
      if (!isWithinVpc(address)) return reject(unreachable(address, port));
      const socket = connect({ host: address, port, localAddress });
      const cancel = this.#options.clock.schedule(timeoutMs, () => {
        socket.destroy(new Error(`connecting to ${address}:${port} timed out after ${timeoutMs} ms`));
      });
      const failed = (error: Error) => {
        cancel();
        reject(error);
      };
      socket.once('error', failed);
      socket.once('connect', () => {
        cancel();
        socket.off('error', failed);
        resolve(socket);
      });
    });
  }

  carried(): CarriedVpc[] {
    return [...this.#vpcs.values()].map(({ vpc }) => this.#describe(vpc));
  }

  async subscribe(handlers: VpcHandlers): Promise<void> {
    this.#handlers.push(handlers);
    await Promise.all(
      [...this.#vpcs.values()].map(async ({ vpc, ready }) => {
        await ready;
        await this.#tell(handlers, 'added', vpc);
      }),
    );
  }

  close(): void {
    this.#machine.close();
    for (const { vpc, cancelRemoval } of this.#vpcs.values()) {
      cancelRemoval?.();
      vpc.close();
    }
  }

  async destroy(): Promise<void> {
    await Promise.all([...this.#pods.values()].map((pod) => this.tearDown(pod)));
    for (const entry of [...this.#vpcs.values()]) await this.#remove(entry);
    await Promise.all(this.#leaving.values());
    await this.#removeStrangers();
    await this.#machine.restore();
    await this.#records.removeAll();
    this.close();
  }

  /** The VPC of a tenant, made when it is not there. */
  async #vpc(tenant: string): Promise<VpcEntry> {
    for (;;) {
      await this.#leaving.get(tenant);
      let entry = this.#vpcs.get(tenant);
      if (entry === undefined) {
        const taken = await this.#machine.takenLinks();
        if (this.#vpcs.has(tenant) || this.#leaving.has(tenant)) continue;
        for (const { vpc } of this.#vpcs.values()) taken.add(vpc.link.machine);
        entry = this.#enter(tenant, chooseLink(this.#names.instance, tenant, taken).index, undefined);
      }
      entry.cancelRemoval?.();
      entry.cancelRemoval = undefined;
      if (entry.failed) {
        entry.failed = false;
        entry.ready = this.#create(entry.vpc, undefined);
        entry.ready.catch(() => {
          entry.failed = true;
        });
      }
      await entry.ready;
      if (this.#vpcs.get(tenant) === entry) return entry;
    }
  }

  #enter(tenant: string, link: number, standingRules: string | undefined): VpcEntry {
    const vpc = new Vpc({
      tenant,
      names: this.#names,
      block: hostBlock(this.#options.hostIndex),
      link: linkAddress(link),
      ports: this.ports,
      mtu: this.#options.mtu ?? 1500,
      egress: this.#machine.egress,
      blocked: this.#blocked,
      machineIp: this.#machine.ip,
      podShell: this.#machine.podShell,
      rulesShell: this.#machine.rulesShell,
    });
    const entry: VpcEntry = { vpc, ready: this.#create(vpc, standingRules), pods: new Set() };
    this.#vpcs.set(tenant, entry);
    entry.ready.catch(async (error) => {
      // Whoever waits for it gets the error; the next pod tries again, from nothing unless pods live in it.
      this.#logger.error({ tenant, error }, 'making the VPC failed');
      if (this.#vpcs.get(tenant) !== entry) return;
      if (entry.pods.size === 0) await this.#remove(entry).catch(() => {});
      else entry.failed = true;
    });
    return entry;
  }

  async #create(vpc: Vpc, standingRules: string | undefined): Promise<void> {
    const { tenant, link } = vpc;
    const rules = createHash('sha256').update(vpc.rules).digest('hex').slice(0, 16);
    const keepRules = standingRules === rules && vpc.exists();
    if (!keepRules) await this.#records.writeVpc({ tenant, link: link.index });
    await vpc.create(keepRules);
    if (!keepRules) await this.#records.writeVpc({ tenant, link: link.index, rules });
    await Promise.all(this.#handlers.map((handlers) => this.#tell(handlers, 'added', vpc)));
    this.#logger.info({ tenant, link: link.machine }, 'the VPC stands');
  }

  /** A part that serves VPCs may fail; the network stands all the same. */
  async #tell(handlers: VpcHandlers, event: 'added' | 'removed', vpc: Vpc): Promise<void> {
    try {
      await handlers[event](this.#describe(vpc));
    } catch (error) {
      this.#logger.error({ tenant: vpc.tenant, event, error }, 'a part that serves the VPC failed');
    }
  }

  /** A pod of an earlier process: its address is kept, and what a crash left undone is done. */
  #adopt(entry: VpcEntry, pod: PodRecord): void {
    const key = keyOf(pod);
    if (!pod.hostNetwork) entry.vpc.allocator.reserve(pod.ip);
    entry.pods.add(key);
    const work = entry.ready.then(() => this.#make(entry.vpc, pod, false));
    work.catch((error) => this.#logger.error({ tenant: pod.tenant, uid: pod.uid, error }, 'taking over a pod failed'));
    this.#pods.set(key, { ...pod, work });
  }

  async #make(vpc: Vpc, pod: PodRecord, fresh: boolean): Promise<void> {
    if (fresh) await this.#records.writePod(pod);
    if (pod.hostNetwork) return;
    await Promise.all([
      vpc.connectPod(this.#names.podNamespace(pod.tenant, pod.uid), pod.ip, fresh, pod.nodeAddress),
      vpc.hostPorts('add', pod.ip, pod.hostPorts ?? []),
    ]);
  }

  /** Taking a pod over after a restart failed. Only a namespace that is none, so nothing runs in it, is made anew. */
  async #makeAgain(vpc: Vpc, pod: PodRecord): Promise<void> {
    try {
      await this.#make(vpc, pod, false);
    } catch (error) {
      if (!/network namespace|netns/.test(String(error))) throw error;
      await this.#make(vpc, pod, true);
    }
  }

  async #closeHostPorts(vpc: Vpc, pod: PodRecord): Promise<void> {
    try {
      await vpc.hostPorts('delete', pod.ip, pod.hostPorts ?? []);
    } catch (error) {
      // They were never opened: another pod has one of them.
      this.#logger.debug({ tenant: pod.tenant, uid: pod.uid, error }, 'host ports were not closed');
    }
  }

  #removeWhenIdle(entry: VpcEntry): void {
    if (entry.pods.size > 0 || entry.cancelRemoval !== undefined) return;
    entry.cancelRemoval = this.#options.clock.schedule(this.#options.idleVpcMs ?? 30_000, () => {
      entry.cancelRemoval = undefined;
      if (entry.pods.size > 0 || this.#vpcs.get(entry.vpc.tenant) !== entry) return;
      this.#remove(entry).catch((error) =>
        this.#logger.error({ tenant: entry.vpc.tenant, error }, 'removing an idle VPC failed'),
      );
    });
  }

  #remove(entry: VpcEntry): Promise<void> {
    const { tenant } = entry.vpc;
    entry.cancelRemoval?.();
    this.#vpcs.delete(tenant);
    const work = (async () => {
      await entry.ready.catch(() => {});
      await Promise.all(this.#handlers.map((handlers) => this.#tell(handlers, 'removed', entry.vpc)));
      await entry.vpc.remove();
      await this.#records.removeVpc(tenant);
      this.#logger.info({ tenant }, 'the VPC is gone');
    })().finally(() => {
      if (this.#leaving.get(tenant) === work) this.#leaving.delete(tenant);
    });
    this.#leaving.set(tenant, work);
    return work;
  }

  #removeStrangers(): Promise<void> {
    return this.#machine.removeStrangers(
      [...this.#vpcs.values()].map(({ vpc }) => vpc),
      [...this.#pods.values()].map(({ tenant, uid }) => this.#names.podNamespace(tenant, uid)),
    );
  }

  #describe({ tenant, link, gateway, namespacePath }: Vpc): CarriedVpc {
    return {
      tenant,
      linkAddress: link.machine,
      gateway,
      namespacePath,
      run: (program, args, input) =>
        this.#machine.rulesShell.run('nsenter', [`--net=${namespacePath}`, program, ...args], input),
    };
  }

  #addressOf(pod: PodRecord, vpc: Vpc): PodAddress {
    return {
      ip: pod.ip,
      hostIp: vpc.gateway,
      namespacePath: pod.hostNetwork ? vpc.namespacePath : namespacePath(this.#names.podNamespace(pod.tenant, pod.uid)),
    };
  }
}

function keyOf(pod: { tenant: string; uid: string }): string {
  return `${pod.tenant}/${pod.uid}`;
}

/** Names become file names and words of commands. */
function requireName(name: string): void {
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(name)) throw new Error(`not a usable name: ${JSON.stringify(name)}`);
}
