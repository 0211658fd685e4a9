import type { Container, PodSpec } from '../../api/generated/core-v1.ts';
import type { ContainerInstance } from '../../api/pool.ts';
import type { ContainerState, PodSandbox } from '../../runtime/sandbox-runtime.ts';
import { initialMemory } from '../worker/adoption.ts';
import type { PodObservation, StepInput, WorkerMemory } from '../worker/state.ts';

export const NOW = Date.parse('2026-01-02T03:04:05Z');

export const containerSpec = (name: string, more: Partial<Container> = {}): Container => ({
  name,
  image: `registry.example/${name}:1`,
  ...more,
});

export function instanceOf(
  pod: Partial<PodSpec>,
  metadata: Partial<ContainerInstance['metadata']> = {},
): ContainerInstance {
  return {
    metadata: {
      name: 'uid-1',
      namespace: 'acme',
      uid: 'instance-uid',
      resourceVersion: '1',
      creationTimestamp: '2026-01-02T03:00:00Z',
      ...metadata,
    },
    spec: {
      podRef: { namespace: 'shop', name: 'web', uid: 'uid-1' },
      zone: 'zone-a',
      hostName: 'host-1',
      resources: { cpu: '250m', memory: '512Mi' },
      pod: { restartPolicy: 'Always', terminationGracePeriodSeconds: 30, containers: [], ...pod },
      vpc: { serviceCidr: '10.96.0.0/12', dnsAddress: '10.96.0.10', clusterDomain: 'cluster.local' },
    },
  };
}

export const sandbox = (state: PodSandbox['state'] = 'ready', attempt = 0): PodSandbox => ({
  id: `sandbox-${attempt}`,
  metadata: { tenant: 'acme', namespace: 'shop', name: 'web', uid: 'uid-1', attempt },
  state,
  createdAt: NOW - 60_000 + attempt,
  labels: {},
  annotations: {},
});

/** One record; `after` an exit is how many seconds ago it ended. */
export function record(name: string, more: Partial<ContainerState> = {}): ContainerState {
  const attempt = more.attempt ?? 0;
  return {
    id: `${name}-${attempt}`,
    sandboxId: 'sandbox-0',
    podUid: 'uid-1',
    name,
    attempt,
    state: 'running',
    createdAt: NOW - 50_000 + attempt,
    startedAt: NOW - 50_000 + attempt,
    image: `registry.example/${name}:1`,
    imageRef: `registry.example/${name}@sha256:${'0'.repeat(64)}`,
    labels: {},
    annotations: {},
    logPath: '',
    ...more,
  };
}

export const exited = (name: string, exitCode: number, more: Partial<ContainerState> = {}): ContainerState =>
  record(name, {
    state: 'exited',
    exitCode,
    finishedAt: NOW - 1000,
    reason: exitCode === 0 ? 'Completed' : 'Error',
    ...more,
  });

/** Records are given newest first. */
export function observation(sandboxes: PodSandbox[], ...records: ContainerState[]): PodObservation {
  const containers = new Map<string, ContainerState[]>();
  for (const entry of records) containers.set(entry.name, [...(containers.get(entry.name) ?? []), entry]);
  return { sandboxes, containers };
}

/** A worker's memory a minute after the start, its files ready. */
export function memoryOf(more: Partial<WorkerMemory> = {}): WorkerMemory {
  const fresh = initialMemory({ metadata: {}, spec: {} } as unknown as ContainerInstance, NOW - 60_000);
  return { ...fresh, address: { ip: '10.128.0.5', hostIp: '10.128.0.1' }, filesReady: true, ...more };
}

export const stepInput = (
  instance: ContainerInstance,
  observed: PodObservation,
  memory: Partial<WorkerMemory> = {},
): StepInput => ({ instance, observed, memory: memoryOf(memory), now: NOW });
