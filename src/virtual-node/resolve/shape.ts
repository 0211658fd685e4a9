import type { PodSpec } from '../../api/generated/core-v1.ts';
import { podRequests } from '../../api/pods/pod-resources.ts';
import { quantityOf, quantityOfMillis } from '../../api/quantity.ts';

const GIBIBYTE = 1024 ** 3;

/**
 * The billable shapes. A pod's effective requests are rounded up: CPU to the next size, memory to the next multiple of
 * the step of its range. A pod that asks for nothing gets the smallest shape, 0.25 vCPU and 0.5 GiB.
 *
 * | vCPU                                          | memory                                       |
 * | 0.25 0.5 1 2 4 8 16 32 64 128, then by 128     | to 8 GiB by 0.5, to 64 GiB by 1, then by 8   |
 */
const CPU_SIZES_MILLIS = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000];
const MEMORY_STEPS = [
  { upToGib: 8, stepGib: 0.5 },
  { upToGib: 64, stepGib: 1 },
  { upToGib: Infinity, stepGib: 8 },
];

/** The shape as quantities: `{cpu: '250m', memory: '512Mi'}`. */
export function shapeOf(spec: PodSpec): { cpu: string; memory: string } {
  const { cpuMillis, memoryBytes } = podRequests(spec);
  return {
    cpu: quantityOfMillis(roundCpu(cpuMillis)),
    memory: quantityOf(roundMemory(memoryBytes), 'BinarySI'),
  };
}

function roundCpu(millis: number): number {
  const largest = CPU_SIZES_MILLIS.at(-1)!;
  return CPU_SIZES_MILLIS.find((size) => size >= millis) ?? Math.ceil(millis / largest) * largest;
}

function roundMemory(bytes: number): number {
  const { stepGib } = MEMORY_STEPS.find(({ upToGib }) => bytes <= upToGib * GIBIBYTE)!;
  const step = stepGib * GIBIBYTE;
  return Math.max(1, Math.ceil(bytes / step)) * step;
}
