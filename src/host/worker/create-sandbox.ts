import type { HostPort, PodNetwork } from '../../api/pod-network.ts';
import type { ContainerInstance } from '../../api/pool.ts';
import { sandboxConfig } from './containers/container-config.ts';
import type { WorkerContext } from './context.ts';
import { isRestartableInit } from './state.ts';

/** What the pod asks of the network. */
export function networkRequest({ metadata, spec }: ContainerInstance): Parameters<PodNetwork['setUp']>[0] {
  const hostNetwork = spec.pod.hostNetwork === true;
  const hostPorts: HostPort[] = [];
  for (const { ports } of hostNetwork ? [] : [...(spec.pod.initContainers ?? []), ...spec.pod.containers]) {
    for (const { hostPort, containerPort, protocol = 'TCP', hostIP } of ports ?? []) {
      if (!hostPort) continue;
      const isAnywhere = hostIP === undefined || hostIP === '' || hostIP === '0.0.0.0';
      const at = isAnywhere ? {} : { hostIP };
      hostPorts.push({ hostPort, containerPort, protocol: protocol as HostPort['protocol'], ...at });
    }
  }
  return {
    tenant: metadata.namespace ?? '',
    uid: metadata.name,
    hostNetwork,
    ...(spec.vpc.nodeAddress !== undefined && { nodeAddress: spec.vpc.nodeAddress }),
    ...(hostPorts.length > 0 && { hostPorts }),
  };
}

/** Network, then sandbox. What is left of an earlier sandbox goes first. Rejects with the runtime's or network's error. */
export async function createSandbox(context: WorkerContext, attempt: number): Promise<void> {
  const { dependencies, instance, memory } = context;
  const { runtime, cache, network, files, clock, starts } = dependencies;
  // The pod counts on not being root on the machine, and is spared checks for it: it never runs without.
  if (instance.spec.pod.hostUsers === false) {
    throw new Error("can't set `spec.hostUsers: false`, runtime does not support user namespaces");
  }
  const uid = instance.metadata.name;
  const old = context.observed().sandboxes;
  if (old.length > 0) {
    const message = 'Pod sandbox changed, it will be killed and re-created.';
    context.event({ type: 'Normal', reason: 'SandboxChanged', message });
    await stopSandboxes(context);
    await removeInitContainers(context);
  }
  await starts.run(async () => {
    if (context.ending.aborted) return;
    const address = await network.setUp(networkRequest(instance));
    const config = sandboxConfig({
      instance,
      attempt,
      address,
      logDirectory: files.logDirectory(uid),
      cgroupParent: files.cgroupParent(uid),
      policy: dependencies.policyOf(instance.metadata.namespace ?? ''),
    });
    const createdAt = clock.now();
    const id = await runtime.runPodSandbox(config);
    memory.address = address;
    memory.podResources = config.resources;
    const { metadata, labels, annotations } = config;
    cache.sandboxCreated({ id, metadata, state: 'ready', createdAt, labels, annotations });
  });
}

/** Ends the pod's sandboxes and takes its network away; the records stay for the logs. */
export async function stopSandboxes(context: WorkerContext): Promise<void> {
  const { dependencies, instance, memory } = context;
  const { runtime, cache, network } = dependencies;
  const uid = instance.metadata.name;
  for (const sandbox of context.observed().sandboxes) {
    if (sandbox.state !== 'ready') continue;
    await runtime.stopPodSandbox(sandbox.id);
    cache.sandboxStopped(uid, sandbox.id);
  }
  await network.tearDown({ tenant: instance.metadata.namespace ?? '', uid });
  if (memory.address !== undefined) delete memory.address;
}

/** A new sandbox starts from the first init container again. */
async function removeInitContainers(context: WorkerContext): Promise<void> {
  const { dependencies, instance } = context;
  const uid = instance.metadata.name;
  for (const container of instance.spec.pod.initContainers ?? []) {
    if (isRestartableInit(container)) continue;
    for (const { id } of context.observed().containers.get(container.name) ?? []) {
      await dependencies.runtime.removeContainer(id);
      dependencies.cache.containerRemoved(uid, id);
    }
  }
}
