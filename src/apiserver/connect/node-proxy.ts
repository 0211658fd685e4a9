import { apiVersionOf, type KubeObject } from '../../api/object.ts';
import type { PodLogOptions } from '../../api/pod-connector.ts';
import { parseQuantity } from '../../api/quantity.ts';
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

interface Measured {
  namespace: string;
  name: string;
  uid: string;
  startTime?: string;
  time: string;
  containers: { name: string; cores: number; bytes: number }[];
}

async function measuredPods(environment: Environment, tenant: string, nodeName: string): Promise<Measured[]> {
  const metrics = environment.metrics?.();
  if (metrics === undefined) throw serviceUnavailable('the virtual nodes are not up yet');
  const pods = new Map(
    (await podsOf(environment, tenant, nodeName)).map((pod) => [`${pod.metadata.namespace}/${pod.metadata.name}`, pod]),
  );
  return (await metrics.podMetrics(tenant)).flatMap((measured) => {
    const { namespace = '', name } = measured.metadata;
    const pod = pods.get(`${namespace}/${name}`);
    if (pod === undefined) return [];
    const containers = measured.containers.map((container) => ({
      name: container.name,
      cores: Number(parseQuantity(container.usage.cpu).nanos) / 1e9,
      bytes: Number(parseQuantity(container.usage.memory).nanos) / 1e9,
    }));
    return [
      {
        namespace,
        name,
        uid: pod.metadata.uid,
        startTime: pod['status']?.startTime,
        time: measured.timestamp,
        containers,
      },
    ];
  });
}

const total = (pods: Measured[], of: 'cores' | 'bytes') =>
  pods.flatMap(({ containers }) => containers).reduce((sum, container) => sum + container[of], 0);

/** Source: k8s.io/kubelet's stats/v1alpha1 Summary. What is not measured is left out, as there. */
async function summary(environment: Environment, tenant: string, nodeName: string): Promise<object> {
  const pods = await measuredPods(environment, tenant, nodeName);
  const time = pods[0]?.time ?? new Date(environment.clock.now()).toISOString();
  const usage = (cores: number, bytes: number) => ({
    cpu: { time, usageNanoCores: Math.round(cores * 1e9) },
    memory: { time, workingSetBytes: Math.round(bytes) },
  });
  return {
    node: { nodeName, startTime: null, ...usage(total(pods, 'cores'), total(pods, 'bytes')) },
    pods: pods.map((pod) => ({
      podRef: { name: pod.name, namespace: pod.namespace, uid: pod.uid },
      startTime: pod.startTime ?? null,
      containers: pod.containers.map(({ name, cores, bytes }) => ({
        name,
        startTime: pod.startTime ?? null,
        ...usage(cores, bytes),
      })),
      ...usage(total([pod], 'cores'), total([pod], 'bytes')),
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
    '',
  ].join('\n');
}

/** Source: the kubelet's /metrics/resource; usage over time is not kept here, so the counters of CPU are left out. */
async function resourceMetrics(environment: Environment, tenant: string, nodeName: string): Promise<string> {
  const pods = await measuredPods(environment, tenant, nodeName);
  const lines = [
    '# HELP container_memory_working_set_bytes Current working set of the container in bytes.',
    '# TYPE container_memory_working_set_bytes gauge',
  ];
  for (const { namespace, name: pod, containers } of pods) {
    for (const { name: container, bytes } of containers) {
      lines.push(`container_memory_working_set_bytes${labels({ container, namespace, pod })} ${bytes}`);
    }
  }
  lines.push(
    '# HELP node_memory_working_set_bytes Current working set of the node in bytes.',
    '# TYPE node_memory_working_set_bytes gauge',
    `node_memory_working_set_bytes ${total(pods, 'bytes')}`,
    '# HELP pod_memory_working_set_bytes Current working set of the pod in bytes.',
    '# TYPE pod_memory_working_set_bytes gauge',
  );
  for (const pod of pods) {
    const at = labels({ namespace: pod.namespace, pod: pod.name });
    lines.push(`pod_memory_working_set_bytes${at} ${total([pod], 'bytes')}`);
  }
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
