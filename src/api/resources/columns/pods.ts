import type { ContainerStatus, Pod } from '../../generated/core-v1.ts';
import type { ColumnDefinition } from '../../resource-definition.ts';
import {
  ageColumn,
  ageOf,
  containerImages,
  containerNames,
  formatLabels,
  nameColumn,
  textColumn,
  wideColumn,
} from './common.ts';

/** What kubectl prints of a pod. Source: printPod of pkg/printers/internalversion. */
interface Summary {
  ready: string;
  status: string;
  restarts: string;
}

const latest = (a: string | undefined, b: string | null | undefined): string | undefined =>
  b !== undefined && b !== null && (a === undefined || Date.parse(a) < Date.parse(b)) ? b : a;

function terminatedReason(terminated: { reason?: string; signal?: number; exitCode: number }): string {
  if (terminated.reason) return terminated.reason;
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
}

const hasTrueCondition = (pod: Pod, type: string): boolean =>
  pod.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;

interface Tally {
  ready: number;
  restarts: number;
  lastRestart?: string;
}

/** What the init containers say: a status while they are not done. */
function summarizeInit(pod: Pod, sidecars: Set<string>, all: Tally, ofSidecars: Tally): string | undefined {
  const statuses = pod.status?.initContainerStatuses ?? [];
  for (let i = 0; i < statuses.length; i++) {
    const container = statuses[i]!;
    const finishedAt = container.lastState?.terminated?.finishedAt;
    const isSidecar = sidecars.has(container.name);
    for (const tally of isSidecar ? [all, ofSidecars] : [all]) {
      tally.restarts += container.restartCount ?? 0;
      tally.lastRestart = latest(tally.lastRestart, finishedAt);
    }
    const { terminated, waiting } = container.state ?? {};
    if (terminated !== undefined && terminated.exitCode === 0) continue;
    if (isSidecar && container.started === true) {
      if (container.ready) all.ready++;
      continue;
    }
    if (terminated !== undefined) return `Init:${terminatedReason(terminated)}`;
    if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`;
    return `Init:${i}/${pod.spec.initContainers?.length ?? 0}`;
  }
  return undefined;
}

function summarizeContainers(pod: Pod, statuses: ContainerStatus[], initial: string, tally: Tally): string {
  let status = initial;
  let hasRunning = false;
  let errorStatus = '';
  for (let i = statuses.length - 1; i >= 0; i--) {
    const container = statuses[i]!;
    tally.restarts += container.restartCount ?? 0;
    tally.lastRestart = latest(tally.lastRestart, container.lastState?.terminated?.finishedAt);
    const { waiting, terminated, running } = container.state ?? {};
    if (waiting?.reason) status = waiting.reason;
    else if (terminated !== undefined) {
      status = terminatedReason(terminated);
      if (terminated.exitCode !== 0) errorStatus = status;
    } else if (container.ready && running !== undefined) {
      hasRunning = true;
      tally.ready++;
    }
  }
  if (status !== 'Completed') return status;
  // One that has finished does not make a pod complete while another runs.
  if (hasRunning && hasTrueCondition(pod, 'Ready')) return 'Running';
  if (errorStatus !== '') return errorStatus;
  return hasRunning ? 'NotReady' : status;
}

function summarizePod(pod: Pod, nowMs: number): Summary {
  const phase = pod.status?.phase ?? '';
  let status = pod.status?.reason || phase;
  for (const condition of pod.status?.conditions ?? []) {
    if (condition.type === 'PodScheduled' && condition.reason === 'SchedulingGated') status = 'SchedulingGated';
  }
  const sidecars = new Set<string>();
  for (const container of pod.spec.initContainers ?? []) {
    if (container.restartPolicy === 'Always') sidecars.add(container.name);
  }
  let tally: Tally = { ready: 0, restarts: 0 };
  const ofSidecars: Tally = { ready: 0, restarts: 0 };
  const initStatus = summarizeInit(pod, sidecars, tally, ofSidecars);
  if (initStatus !== undefined) status = initStatus;
  if (initStatus === undefined || hasTrueCondition(pod, 'Initialized')) {
    tally = { ...ofSidecars, ready: tally.ready };
    status = summarizeContainers(pod, pod.status?.containerStatuses ?? [], status, tally);
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (pod.status?.reason === 'NodeLost') status = 'Unknown';
    else if (phase !== 'Succeeded' && phase !== 'Failed') status = 'Terminating';
  }
  const { restarts, lastRestart } = tally;
  const ago = restarts !== 0 && lastRestart !== undefined ? ` (${ageOf(lastRestart, nowMs)} ago)` : '';
  return {
    ready: `${tally.ready}/${(pod.spec.containers?.length ?? 0) + sidecars.size}`,
    status,
    restarts: `${restarts}${ago}`,
  };
}

// The three cells of a row come from one look at the pod.
let last: { pod: Pod; nowMs: number; summary: Summary } | undefined;
function summaryOf(pod: Pod, nowMs: number): Summary {
  if (last?.pod !== pod || last.nowMs !== nowMs) last = { pod, nowMs, summary: summarizePod(pod, nowMs) };
  return last.summary;
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const met = gates.filter(({ conditionType }) => hasTrueCondition(pod, conditionType)).length;
  return `${met}/${gates.length}`;
}

export const podColumns: ColumnDefinition[] = [
  nameColumn,
  textColumn('Ready', (object, nowMs) => summaryOf(object as Pod, nowMs).ready),
  textColumn('Status', (object, nowMs) => summaryOf(object as Pod, nowMs).status),
  textColumn('Restarts', (object, nowMs) => summaryOf(object as Pod, nowMs).restarts),
  ageColumn,
  wideColumn('IP', (object) => object['status']?.podIPs?.[0]?.ip || object['status']?.podIP || '<none>'),
  wideColumn('Node', (object) => object['spec']?.nodeName || '<none>'),
  wideColumn('Nominated Node', (object) => object['status']?.nominatedNodeName || '<none>'),
  wideColumn('Readiness Gates', (object) => readinessGates(object as Pod)),
];

export const podTemplateColumns: ColumnDefinition[] = [
  nameColumn,
  textColumn('Containers', (object) => containerNames(object['template']?.spec?.containers)),
  textColumn('Images', (object) => containerImages(object['template']?.spec?.containers)),
  textColumn('Pod Labels', (object) => formatLabels(object['template']?.metadata?.labels)),
];
