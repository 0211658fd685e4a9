import { deepEqual } from '../../api/equality.ts';
import type { Container, ResourceRequirements } from '../../api/generated/core-v1.ts';
import type { ContainerResources, ContainerState } from '../../runtime/sandbox-runtime.ts';
import { milli } from '../quantities.ts';
import { containerResources, podResources } from './containers/resources.ts';
import type { WorkerContext } from './context.ts';
import { latest, type StepInput } from './state.ts';

/** A running container whose resources are not what its spec says any more. */
export interface Resize {
  container: Container;
  record: ContainerState;
  /** Its resizePolicy wants a new container for a resource that changes. */
  restarts: boolean;
}

const compute = ['cpu', 'memory'] as const;

/** What a running container has been given; a container nobody resized has what its spec says. */
export const actuatedResources = (
  { memory }: Pick<StepInput, 'memory'>,
  container: Container,
  containerId: string,
): ResourceRequirements => memory.actuated.get(containerId) ?? container.resources ?? {};

/** Source: computePodResizeAction of the kubelet: main and init containers that run. */
export function pendingResizes(input: StepInput): Resize[] {
  if (input.memory.actuated.size === 0) return [];
  const pod = input.instance.spec.pod;
  const resizes: Resize[] = [];
  for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
    const record = latest(input.observed, container.name);
    if (record === undefined || (record.state !== 'running' && !input.memory.restarting.has(record.id))) continue;
    const current = actuatedResources(input, container, record.id);
    if (current === container.resources || deepEqual(current, container.resources ?? {})) continue;
    const changed = compute.filter((resource) =>
      (['requests', 'limits'] as const).some(
        (kind) => milli(container.resources?.[kind]?.[resource]) !== milli(current[kind]?.[resource]),
      ),
    );
    if (changed.length === 0) continue;
    const restarts = changed.some((resource) =>
      container.resizePolicy?.some(
        ({ resourceName, restartPolicy }) => resourceName === resource && restartPolicy === 'RestartContainer',
      ),
    );
    resizes.push({ container, record, restarts });
  }
  return resizes;
}

/** Whether the pod's cgroup is to change. Undefined: nothing is known of it, and so it is as it was asked for. */
export function isPodResizePending({ instance, memory }: Pick<StepInput, 'instance' | 'memory'>): boolean {
  return memory.podResources !== undefined && !deepEqual(memory.podResources, podResources(instance.spec.pod));
}

/**
 * Gives running containers what their spec says. The pod's cgroup is widened before and narrowed after its containers',
 * and of those the ones that shrink come first, so that none is ever wider than what it is in.
 */
export async function resizePod(context: WorkerContext): Promise<void> {
  const { dependencies, instance, memory, observed } = context;
  const { runtime, hostMemoryBytes } = dependencies;
  const pod = instance.spec.pod;
  const sandbox = observed().sandboxes.find(({ state }) => state === 'ready');
  if (sandbox === undefined) return;
  const input = { instance, memory, observed: observed(), now: dependencies.clock.now() };
  const pending = pendingResizes(input);
  const resizes = pending.filter(({ restarts }) => !restarts);
  try {
    const wanted = podResources(pod);
    const before = memory.podResources ?? wanted;
    const steps = resizes.map(({ container, record }) => {
      const old = { ...container, resources: actuatedResources(input, container, record.id) };
      return {
        id: record.id,
        container,
        from: containerResources(old, pod, hostMemoryBytes),
        to: containerResources(container, pod, hostMemoryBytes),
      };
    });
    await refuseBelowUsage(context, steps);
    await runtime.updatePodSandboxResources(sandbox.id, widest(before, wanted));
    for (const { id, container, to } of steps.sort((a, b) => growth(a) - growth(b))) {
      await runtime.updateContainerResources(id, to);
      memory.actuated.set(id, container.resources ?? {});
    }
    memory.podResources = widest(before, wanted);
    // A container that is to be restarted has its old limits still.
    if (resizes.length === pending.length) {
      await runtime.updatePodSandboxResources(sandbox.id, wanted);
      memory.podResources = wanted;
    }
    delete memory.resizeError;
  } catch (error) {
    memory.resizeError = (error as Error).message;
    throw error;
  }
}

interface Step {
  id: string;
  container: Container;
  from: ContainerResources;
  to: ContainerResources;
}

const growth = ({ from, to }: Step): number =>
  Math.sign((to.memoryLimitBytes ?? Infinity) - (from.memoryLimitBytes ?? Infinity) || 0) +
  Math.sign((to.cpuQuota ?? Infinity) - (from.cpuQuota ?? Infinity) || 0);

/** No limit is the widest of all. */
function widest(a: ContainerResources, b: ContainerResources): ContainerResources {
  const larger = (left: number | undefined, right: number | undefined) =>
    left === undefined || right === undefined ? undefined : Math.max(left, right);
  const cpuQuota = larger(a.cpuQuota, b.cpuQuota);
  const memoryLimitBytes = larger(a.memoryLimitBytes, b.memoryLimitBytes);
  return {
    cpuShares: Math.max(a.cpuShares ?? 0, b.cpuShares ?? 0),
    ...(cpuQuota !== undefined && { cpuQuota, cpuPeriod: b.cpuPeriod ?? a.cpuPeriod }),
    ...(memoryLimitBytes !== undefined && { memoryLimitBytes }),
  } as ContainerResources;
}

/** A limit below what is in use would kill: it waits. Source: validateMemoryResizeAction. */
async function refuseBelowUsage({ dependencies }: WorkerContext, steps: Step[]): Promise<void> {
  const shrinking = steps.filter(
    ({ from, to }) => to.memoryLimitBytes !== undefined && to.memoryLimitBytes < (from.memoryLimitBytes ?? Infinity),
  );
  if (shrinking.length === 0) return;
  const stats = await dependencies.runtime.stats();
  const complaints = shrinking.flatMap(({ id, container, to }) => {
    const usage = stats.find(({ containerId }) => containerId === id)?.memoryWorkingSetBytes;
    if (usage === undefined || usage < to.memoryLimitBytes!) return [];
    const name = JSON.stringify(container.name);
    return [`attempting to set container ${name} memory limit (${to.memoryLimitBytes}) below current usage (${usage})`];
  });
  if (complaints.length > 0) throw new Error(`cannot decrease memory limits: ${complaints.join(', ')}`);
}
