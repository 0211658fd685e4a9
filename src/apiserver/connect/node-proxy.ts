import { apiVersionOf, type KubeObject } from '../../api/object.ts';
import type { PodLogOptions } from '../../api/pod-connector.ts';
import { PODS } from '../../api/resources.ts';
import { badRequest, notFound, StatusError, serviceUnavailable } from '../../api/status.ts';
import type { Answer } from '../answer.ts';
import type { Environment } from '../environment.ts';
import { isTrue, type Query } from '../request-info.ts';
import type { ResourceRequest } from '../verbs/scope.ts';

/**
 * `nodes/NAME/proxy/PATH`: what of the kubelet's API a virtual node has an answer to. Nobody listens there; what it would
 * say is known here. Only the asking tenant's pods are ever part of an answer.
 */
export async function nodeProxy(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, definition, tenant } = request;
  const [nodeName = ''] = nodeNameOf(request.name);
  const node = await environment.objects.get(definition, tenant, '', nodeName);
  if (node === undefined) throw notFound(definition, nodeName);
  const path = context.info.rest.replace(/\/+$/, '');
  if (context.method !== 'GET' && context.method !== 'HEAD') throw noKubelet(path);
  const [first, ...others] = path.split('/').map(decoded);
  if (first === 'healthz') return text('ok');
  if (first === 'pods' || first === 'runningpods') {
    const pods = await podsOf(environment, tenant, nodeName);
    const shown = first === 'pods' ? pods : pods.filter((pod) => pod['status']?.phase === 'Running');
    return json({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: shown.map(withoutTenant) });
  }
  if (first === 'stats' && (others.length === 0 || others[0] === 'summary')) {
    return json(await summary(environment, tenant, nodeName));
  }
  if (path === 'metrics') return text(await kubeletMetrics(environment, tenant, nodeName), metricsType);
  if (path === 'metrics/resource') return text(await resourceMetrics(environment, tenant, nodeName), metricsType);
  if (first === 'containerLogs') return containerLogs(environment, request, nodeName, others);
  throw noKubelet(path);
}

const metricsType = 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores';

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw badRequest(`malformed escape in path segment ${JSON.stringify(segment)}`);
  }
}

/** `[scheme:]name[:port]`; which port is meant makes no difference. */
function nodeNameOf(text: string): string[] {
  const parts = text.split(':');
  return parts.length === 3 ? [parts[1]!] : [parts[0]!];
}

const noKubelet = (path: string) =>
  new StatusError(
    404,
    'NotFound',
    `no kubelet stands behind a virtual node: ${JSON.stringify(`/${path}`)} is not among what it answers (GET of /healthz, /pods, /runningpods, /stats/summary, /metrics, /metrics/resource, /containerLogs)`,
    {},
  );

const text = (bytes: string, contentType = 'text/plain; charset=utf-8'): Answer => ({
  type: 'bytes',
  code: 200,
  contentType,
  bytes,
});
const json = (value: object): Answer => text(JSON.stringify(value), 'application/json');

async function podsOf({ objects }: Environment, tenant: string, nodeName: string): Promise<KubeObject[]> {
  const filter = {
    matches: (object: KubeObject) => object['spec']?.nodeName === nodeName,
    exactFields: { 'spec.nodeName': nodeName },
  };
  return (await objects.entries(PODS, { tenant }, filter)).map(({ object }) => ({
    ...object,
    kind: 'Pod',
    apiVersion: apiVersionOf(PODS),
  }));
}

function withoutTenant(object: KubeObject): KubeObject {
  const { clusterName: _clusterName, ...metadata } = object.metadata;
  return { ...object, metadata };
}

interface Used {
  cores: number;
  coreNanoSeconds: number;
  workingSetBytes: number;
  /** Absent where one of the containers cannot tell. */
  usageBytes: number | undefined;
  rssBytes: number | undefined;
}

interface Measured extends Used {
  namespace: string;
  name: string;
  uid: string;
  startTime: string | null;
  time: string;
  containers: (Used & { name: string; startTime: string | null })[];
}

/** Pods of which no container was measured yet are left out. */
async function measuredNode(environment: Environment, tenant: string, nodeName: string) {
  const metrics = environment.metrics?.();
  if (metrics === undefined) throw serviceUnavailable('the virtual nodes are not up yet');
  const [pods, usage] = await Promise.all([podsOf(environment, tenant, nodeName), metrics.nodeUsage(tenant, nodeName)]);
  const podByUid = new Map(pods.map((pod) => [pod.metadata.uid, pod]));
  const measured = usage.pods.flatMap(({ namespace, name, stats }): Measured[] => {
    const pod = podByUid.get(stats.uid);
    if (pod === undefined || stats.containers.length === 0) return [];
    const status = pod['status'];
    const statuses: any[] = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
    const containers = stats.containers.map((container) => ({
      name: container.name,
      startTime: statuses.find((one) => one.name === container.name)?.state?.running?.startedAt ?? null,
      cores: (container.cpuNanoCores ?? 0) / 1e9,
      coreNanoSeconds: container.cpuUsageCoreNanoSeconds,
      workingSetBytes: container.memoryWorkingSetBytes,
      usageBytes: container.memoryUsageBytes,
      rssBytes: container.memoryRssBytes,
    }));
    const { uid } = stats;
    const { timestamp: time } = stats.containers[0]!;
    return [{ namespace, name, uid, startTime: status?.startTime ?? null, time, containers, ...total(containers) }];
  });
  return { pods: measured, used: { ...total(measured), coreNanoSeconds: usage.cpuUsageCoreNanoSeconds } };
}

function total(parts: readonly Used[]): Used {
  const sum = (of: (part: Used) => number) => parts.reduce((known, part) => known + of(part), 0);
  const sumOfAll = (of: (part: Used) => number | undefined) =>
    parts.some((part) => of(part) === undefined) ? undefined : sum((part) => of(part)!);
  return {
    cores: sum(({ cores }) => cores),
    coreNanoSeconds: sum(({ coreNanoSeconds }) => coreNanoSeconds),
    workingSetBytes: sum(({ workingSetBytes }) => workingSetBytes),
    usageBytes: sumOfAll(({ usageBytes }) => usageBytes),
    rssBytes: sumOfAll(({ rssBytes }) => rssBytes),
  };
}

/** Source: k8s.io/kubelet's stats/v1alpha1 Summary. What is not measured is left out, as there. */
async function summary(environment: Environment, tenant: string, nodeName: string): Promise<object> {
  const { pods, used } = await measuredNode(environment, tenant, nodeName);
  const now = new Date(environment.clock.now()).toISOString();
  const usage = (time: string, { cores, coreNanoSeconds, workingSetBytes, usageBytes, rssBytes }: Used) => ({
    cpu: { time, usageNanoCores: Math.round(cores * 1e9), usageCoreNanoSeconds: coreNanoSeconds },
    memory: { time, usageBytes, workingSetBytes, rssBytes },
  });
  return {
    node: { nodeName, startTime: null, ...usage(pods[0]?.time ?? now, used) },
    pods: pods.map((pod) => ({
      podRef: { name: pod.name, namespace: pod.namespace, uid: pod.uid },
      startTime: pod.startTime,
      containers: pod.containers.map(({ name, startTime, ...own }) => ({ name, startTime, ...usage(pod.time, own) })),
      ...usage(pod.time, pod),
    })),
  };
}

const labels = (pairs: Record<string, string>) =>
  `{${Object.entries(pairs)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(',')}}`;

/** What of the kubelet's own metrics is a fact here. Metric names: k8s.io/kubernetes pkg/kubelet/metrics. */
async function kubeletMetrics(environment: Environment, tenant: string, nodeName: string): Promise<string> {
  const pods = (await podsOf(environment, tenant, nodeName)).filter((pod) => pod['status']?.phase === 'Running');
  const states: Record<string, number> = {};
  for (const status of pods.flatMap((pod) => pod['status']?.containerStatuses ?? [])) {
    const state = status.state?.running ? 'running' : status.state?.terminated ? 'exited' : 'created';
    states[state] = (states[state] ?? 0) + 1;
  }
  return [
    "# HELP kubelet_node_name The node's name. The count is always 1.",
    '# TYPE kubelet_node_name gauge',
    `kubelet_node_name${labels({ node: nodeName })} 1`,
    '# HELP kubelet_running_containers Number of containers by state.',
    '# TYPE kubelet_running_containers gauge',
    ...Object.entries(states).map(
      ([state, count]) => `kubelet_running_containers${labels({ container_state: state })} ${count}`,
    ),
    '# HELP kubelet_running_pods Number of pods that have a running sandbox.',
    '# TYPE kubelet_running_pods gauge',
    `kubelet_running_pods ${pods.length}`,
    '# HELP kubelet_terminated_containers_total Cumulative number of container terminations.',
    '# TYPE kubelet_terminated_containers_total counter',
    ...(environment.metrics?.()?.terminations(tenant, nodeName) ?? []).map(({ type, exitCode, reason, count }) => {
      const at = labels({ container_type: type, exit_code: String(exitCode), reason });
      return `kubelet_terminated_containers_total${at} ${count}`;
    }),
    '',
  ].join('\n');
}

/** Source: the kubelet's pkg/kubelet/metrics/collectors/resource_metrics.go. */
async function resourceMetrics(environment: Environment, tenant: string, nodeName: string): Promise<string> {
  const { pods, used } = await measuredNode(environment, tenant, nodeName);
  const containers = pods.flatMap(({ namespace, name: pod, containers: own }) =>
    own.map(({ name: container, ...usage }) => ({ at: labels({ container, namespace, pod }), ...usage })),
  );
  const ofPods = pods.map((pod) => ({ ...pod, at: labels({ namespace: pod.namespace, pod: pod.name }) }));
  const lines: string[] = [];
  const family = (name: string, type: string, help: string, samples: [at: string, value: number][]) => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const [at, value] of samples) lines.push(`${name}${at} ${value}`);
  };
  const cpu = (what: string) => `Cumulative cpu time consumed by the ${what} in core-seconds`;
  const memory = (what: string) => `Current working set of the ${what} in bytes`;
  const seconds = ({ coreNanoSeconds }: Used) => coreNanoSeconds / 1e9;
  const started = containers.flatMap(({ at, startTime }): [string, number][] =>
    startTime === null ? [] : [[at, Date.parse(startTime) / 1000]],
  );
  family(
    'container_cpu_usage_seconds_total',
    'counter',
    cpu('container'),
    containers.map((one) => [one.at, seconds(one)]),
  );
  family(
    'container_memory_working_set_bytes',
    'gauge',
    memory('container'),
    containers.map((one) => [one.at, one.workingSetBytes]),
  );
  family('container_start_time_seconds', 'gauge', 'Start time of the container since unix epoch in seconds', started);
  family('node_cpu_usage_seconds_total', 'counter', cpu('node'), [['', seconds(used)]]);
  family('node_memory_working_set_bytes', 'gauge', memory('node'), [['', used.workingSetBytes]]);
  family(
    'pod_cpu_usage_seconds_total',
    'counter',
    cpu('pod'),
    ofPods.map((one) => [one.at, seconds(one)]),
  );
  family(
    'pod_memory_working_set_bytes',
    'gauge',
    memory('pod'),
    ofPods.map((one) => [one.at, one.workingSetBytes]),
  );
  return `${lines.join('\n')}\n`;
}

/** `containerLogs/NAMESPACE/POD/CONTAINER`. */
async function containerLogs(
  environment: Environment,
  { context, tenant }: ResourceRequest,
  nodeName: string,
  [namespace, podName, container]: string[],
): Promise<Answer> {
  if (!namespace || !podName || !container) throw badRequest('containerLogs takes NAMESPACE/POD/CONTAINER');
  const entry = await environment.objects.get(PODS, tenant, namespace, podName);
  if (entry === undefined || entry.object['spec']?.nodeName !== nodeName) throw notFound(PODS, podName);
  const connector = environment.connector();
  if (connector === undefined) throw serviceUnavailable('the pool is not connected yet');
  const chunks = await connector.logs(entry.object, logOptions(context.query, container), context.signal);
  return { type: 'stream', code: 200, contentType: 'text/plain', chunks };
}

function logOptions(query: Query, container: string): PodLogOptions {
  const whole = (field: string) => {
    const value = query.get(field);
    if (value === null || value === '') return undefined;
    if (!/^\d+$/.test(value)) throw badRequest(`invalid ${field}: ${JSON.stringify(value)}`);
    return Number(value);
  };
  return {
    container,
    follow: isTrue(query.get('follow')),
    previous: isTrue(query.get('previous')),
    timestamps: isTrue(query.get('timestamps')),
    sinceSeconds: whole('sinceSeconds'),
    tailLines: whole('tailLines'),
    limitBytes: whole('limitBytes'),
  };
}
