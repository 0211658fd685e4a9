import { readFileSync, statfsSync } from 'node:fs';
import { cpus } from 'node:os';
import { formatTime } from '../api/object.ts';
import type { Host } from '../api/pool.ts';
import type { ImageStatus } from '../runtime/sandbox-runtime.ts';

/** What the kernel and the agent itself keep of a machine's memory. */
const RESERVED_MEMORY_BYTES = 256 * 1024 * 1024;
const PODS = 500;
/** As the kubelet: a status is not a catalogue. */
const MOST_IMAGES = 50;
const MOST_NAMES = 5;

export interface Machine {
  cpus: number;
  memoryBytes: number;
  diskBytes: number;
}

export function readMachine(dataDirectory: string): Machine {
  const total = /^MemTotal:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  let diskBytes = 0;
  try {
    const { bsize, blocks } = statfsSync(dataDirectory);
    diskBytes = bsize * blocks;
  } catch {
    // No directory yet: a simulated host needs none.
  }
  return { cpus: cpus().length, memoryBytes: Number(total ?? 0) * 1024, diskBytes };
}

export interface HostStatusInput {
  machine: Machine;
  capacity: { cpu?: string; memory?: string; pods?: string };
  images: ImageStatus[];
  runtime: { name: string; version: string };
  streaming: { address: string; port: number };
  /** Why the runtime is not usable. */
  problem: string | undefined;
  previous: Host['status'];
  now: number;
}

/** The Host's status: a pure function of what was measured. */
export function hostStatus(input: HostStatusInput): NonNullable<Host['status']> {
  const { machine, problem, previous, now } = input;
  const capacity = {
    cpu: input.capacity.cpu ?? String(machine.cpus),
    memory: input.capacity.memory ?? `${Math.floor(machine.memoryBytes / 1024)}Ki`,
    pods: input.capacity.pods ?? String(PODS),
    'ephemeral-storage': `${Math.floor(machine.diskBytes / 1024)}Ki`,
  };
  const allocatable = {
    ...capacity,
    memory: input.capacity.memory ?? `${Math.floor(Math.max(machine.memoryBytes - RESERVED_MEMORY_BYTES, 0) / 1024)}Ki`,
  };
  const status = problem === undefined ? ('True' as const) : ('False' as const);
  const before = previous?.conditions?.find(({ type }) => type === 'Ready');
  return {
    conditions: [
      {
        type: 'Ready',
        status,
        reason: problem === undefined ? 'AgentReady' : 'RuntimeNotReady',
        message: problem ?? 'the host agent is running and its sandbox runtime answers',
        lastTransitionTime:
          before?.status === status && before.lastTransitionTime !== undefined
            ? before.lastTransitionTime
            : formatTime(now),
      },
    ],
    streaming: input.streaming,
    runtime: input.runtime,
    capacity,
    allocatable,
    images: input.images
      .map(({ repoTags, repoDigests, sizeBytes }) => ({
        names: [...repoDigests, ...repoTags].slice(0, MOST_NAMES),
        sizeBytes,
      }))
      .filter(({ names }) => names.length > 0)
      .sort((a, b) => b.sizeBytes - a.sizeBytes || (a.names[0]! < b.names[0]! ? -1 : 1))
      .slice(0, MOST_IMAGES),
  };
}
