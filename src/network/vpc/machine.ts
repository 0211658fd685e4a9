import { readdir } from 'node:fs/promises';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { IpBatch, IpCommandError } from './ip-batch.ts';
import { linkAddress } from './link-address.ts';
import {
  disableForwarding,
  enableForwarding,
  findUplink,
  linkElements,
  machineRules,
  removeMachineRules,
} from './machine-rules.ts';
import { type KernelNames, LINK_NAME, NAMESPACE_DIRECTORY } from './names.ts';
import type { Records } from './records.ts';
import { runNft, Shell } from './shell.ts';
import { RULE_PRIORITY, type Vpc } from './vpc.ts';
import type { LinkPorts } from './vpc-rules.ts';

export interface MachineOptions {
  names: KernelNames;
  records: Records;
  ports: LinkPorts;
  /** Undefined: when the machine has a default route. */
  egress: boolean | undefined;
  blocked: readonly string[];
  logger: Logger;
  clock: Clock;
}

/** How often it is looked whether our rules still stand in the machine's namespace. */
const GUARD_MS = 10_000;

/** The machine's own side: its rules, its forwarding, and what of ours lies about in it. */
export class Machine {
  readonly ip = new IpBatch();
  /** For programs that configure pods, and for those that write rules: neither waits for the other. */
  readonly podShell = new Shell();
  readonly rulesShell = new Shell();
  /** Known after `start`. */
  egress = false;
  readonly #options: MachineOptions;
  #cancelGuard: (() => void) | undefined;
  #closed = false;

  constructor(options: MachineOptions) {
    this.#options = options;
  }

  /**
   * Writes the rules, and keeps them: a reload of the machine's own firewall flushes our table with the rest, and would
   * leave the machine open to pods.
   * @param links numbers of the links that stand, now and at any later time
   */
  async start(links: () => number[]): Promise<void> {
    const { records, logger } = this.#options;
    const uplink = await findUplink(this.rulesShell);
    this.egress = this.#options.egress ?? uplink !== undefined;
    await this.#writeRules(links());
    this.#guard(links);
    if (this.egress && uplink !== undefined && (await enableForwarding(uplink))) {
      await records.writeForwarding(uplink);
      logger.info({ interface: uplink }, 'IPv4 forwarding was turned on for the uplink, so that pods reach out');
    }
  }

  /** Link-local addresses in the machine's namespace, whoever has them. */
  async takenLinks(): Promise<Set<string>> {
    const links = JSON.parse((await this.rulesShell.run('ip', ['-j', '-4', 'addr', 'show'])) || '[]') as {
      addr_info?: { local?: string }[];
    }[];
    return new Set(links.flatMap((link) => (link.addr_info ?? []).map(({ local }) => local ?? '')));
  }

  async ownNamespaces(): Promise<string[]> {
    const names = await readdir(NAMESPACE_DIRECTORY).catch(() => []);
    return names.filter((name) => name.startsWith(this.#options.names.namespacePrefix));
  }

  /** Removes namespaces, links and routing rules of this instance that nobody accounts for. */
  async removeStrangers(vpcs: Iterable<Vpc>, podNamespaces: Iterable<string>): Promise<void> {
    const { names, logger } = this.#options;
    const knownNamespaces = new Set(podNamespaces);
    const knownLinks = new Set<string>();
    for (const vpc of vpcs) {
      knownNamespaces.add(vpc.namespaceName);
      knownLinks.add(vpc.linkName);
    }
    const commands = (await this.ownNamespaces())
      .filter((name) => !knownNamespaces.has(name))
      .map((name) => `netns del ${name}`);
    for (const ifname of await this.#veths()) {
      if (!ifname.startsWith(names.linkPrefix) || knownLinks.has(ifname)) continue;
      const link = linkAddress(Number(ifname.slice(names.linkPrefix.length)));
      commands.push(
        `link del ${ifname}`,
        `rule del from ${link.machine} lookup ${link.routingTable} priority ${RULE_PRIORITY}`,
      );
    }
    if (commands.length === 0) return;
    logger.info({ commands }, 'removing what an earlier process left behind');
    await this.ip.run(commands).catch((error) => {
      if (!(error instanceof IpCommandError)) throw error;
      logger.warn({ error }, 'some of what an earlier process left could not be removed');
    });
  }

  /** Takes the rules away, and turns off the forwarding that this instance turned on, unless another one uses it. */
  async restore(): Promise<void> {
    this.#stopGuard();
    await removeMachineRules(this.rulesShell, this.#options.names);
    const interfaceName = await this.#options.records.forwarding();
    if (interfaceName === undefined) return;
    const others = (await this.#veths()).some(
      (name) => LINK_NAME.test(name) && !name.startsWith(this.#options.names.linkPrefix),
    );
    if (!others) await disableForwarding(interfaceName);
  }

  /** Ends the helper processes. */
  close(): void {
    this.#stopGuard();
    this.ip.close();
    this.podShell.close();
    this.rulesShell.close();
  }

  async #veths(): Promise<string[]> {
    const json = await this.rulesShell.run('ip', ['-j', 'link', 'show', 'type', 'veth']);
    return (JSON.parse(json || '[]') as { ifname?: string }[]).flatMap(({ ifname }) => ifname ?? []);
  }

  async #writeRules(links: number[]): Promise<void> {
    const { names, ports, blocked } = this.#options;
    const rules = machineRules({ names, ports, egress: this.egress, blocked });
    const elements = links.map((link) => linkElements('add', names, linkAddress(link)));
    await runNft(this.rulesShell, undefined, rules + elements.join(''));
  }

  #guard(links: () => number[]): void {
    const { names, logger, clock } = this.#options;
    this.#cancelGuard = clock.schedule(GUARD_MS, async () => {
      try {
        await this.rulesShell.run('nft', ['list', 'set', 'inet', names.machineTable, 'sources']);
      } catch (error) {
        if (this.#closed) return;
        logger.warn({ error }, 'the rules between the machine and its VPCs were gone; writing them again');
        await this.#writeRules(links()).catch((failure) =>
          logger.error({ error: failure }, 'writing the rules between the machine and its VPCs failed'),
        );
      }
      if (!this.#closed) this.#guard(links);
    });
  }

  #stopGuard(): void {
    this.#closed = true;
    this.#cancelGuard?.();
  }
}
