import { connect, type Socket } from 'node:net';
import type { PodAddress, PodNetwork } from '../../api/pod-network.ts';
import { hostBlock } from '../addresses/host-block.ts';
import { BlockAllocator } from '../ipam/block-allocator.ts';

/**
 * Addresses without namespaces, for the simulated runtime: nothing listens on them. Each tenant has its host block, as
 * in the real network; a pod number beyond the block continues in the blocks of hosts that a simulation doesn't have.
 */
export function createSimulatedPodNetwork(options: { hostIndex?: number } = {}): PodNetwork {
  const firstBlock = options.hostIndex ?? 0;
  const tenants = new Map<string, BlockAllocator[]>();
  const pods = new Map<string, { tenant: string; uid: string; address: PodAddress; allocator?: BlockAllocator }>();

  const allocate = (tenant: string): { ip: string; allocator: BlockAllocator } => {
    let allocators = tenants.get(tenant);
    if (allocators === undefined) tenants.set(tenant, (allocators = [new BlockAllocator(hostBlock(firstBlock))]));
    for (const allocator of allocators) {
      const ip = allocator.allocate();
      if (ip !== undefined) return { ip, allocator };
    }
    // From the far end of the address plan, where no real host of a test is.
    const allocator = new BlockAllocator(hostBlock(4096 - allocators.length));
    allocators.push(allocator);
    return { ip: allocator.allocate()!, allocator };
  };
  const gateway = new BlockAllocator(hostBlock(firstBlock)).gateway;

  return {
    async setUp({ tenant, uid, hostNetwork }) {
      const key = `${tenant}/${uid}`;
      const known = pods.get(key);
      if (known !== undefined) return known.address;
      const { ip, allocator } = hostNetwork ? { ip: gateway, allocator: undefined } : allocate(tenant);
      const address = { ip, hostIp: gateway };
      pods.set(key, { tenant, uid, address, allocator });
      return address;
    },
    async tearDown({ tenant, uid }) {
      const key = `${tenant}/${uid}`;
      const known = pods.get(key);
      known?.allocator?.release(known.address.ip);
      pods.delete(key);
    },
    async list() {
      return [...pods.values()].map(({ tenant, uid, address }) => ({ tenant, uid, address }));
    },
    connect(_tenant, address, port, timeoutMs): Promise<Socket> {
      return new Promise((resolve, reject) => {
        if (!address.startsWith('127.')) return reject(new Error(`${address}:${port} is a simulated address`));
        const socket = connect({ host: address, port, timeout: timeoutMs });
        socket.once('error', reject);
        socket.once('connect', () => resolve(socket));
      });
    },
    localAddress: () => undefined,
  };
}
