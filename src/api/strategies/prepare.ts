import { randomUUID } from 'node:crypto';
import { deepEqual, semanticEqual } from '../equality.ts';
import type { KubeObject } from '../object.ts';
import { appArmorFromAnnotations } from './app-armor.ts';
import { mergeLabelKeys } from './pod-selectors.ts';
import { qosClassOf } from './qos-class.ts';

/**
 * What the server sets on objects and clients may not. uid, name (or generateName), namespace and creationTimestamp are
 * set before; the status is empty. Source: the strategies in Kubernetes' pkg/registry.
 */
export function preparePod(pod: KubeObject): void {
  pod['status'] = { phase: 'Pending', qosClass: qosClassOf(pod['spec']) };
  if (pod['spec'].schedulingGates?.length) {
    pod['status'].conditions = [
      {
        type: 'PodScheduled',
        status: 'False',
        lastProbeTime: null,
        lastTransitionTime: pod.metadata.creationTimestamp,
        reason: 'SchedulingGated',
        message: 'Scheduling is blocked due to non-empty scheduling gates',
      },
    ];
  }
  mirrorServiceAccount(pod);
  mergeLabelKeys(pod);
  appArmorFromAnnotations(pod);
}

/** What a pod was made with, and which of its states others have seen, is not forgotten by who leaves it out. */
export function preparePodStatus(pod: KubeObject, old: KubeObject): void {
  const [status, before] = [(pod['status'] ??= {}), old['status'] ?? {}];
  // One address under two names.
  if (status.podIP && status.podIPs?.[0]?.ip !== status.podIP) status.podIPs = [{ ip: status.podIP }];
  else if (!status.podIP && status.podIPs?.length > 0) status.podIP = status.podIPs[0].ip;
  if (!status.qosClass && before.qosClass) status.qosClass = before.qosClass;
  if (!status.observedGeneration && before.observedGeneration) status.observedGeneration = before.observedGeneration;
  const seen = new Map<string, number[]>();
  for (const { type, observedGeneration } of before.conditions ?? []) {
    const generations = seen.get(type);
    if (generations === undefined) seen.set(type, [observedGeneration ?? 0]);
    else generations.push(observedGeneration ?? 0);
  }
  for (const generations of seen.values()) generations.reverse();
  for (const condition of status.conditions ?? []) {
    const generation = seen.get(condition.type)?.pop() ?? 0;
    if (!condition.observedGeneration && generation > 0) condition.observedGeneration = generation;
  }
}

/** Both names of the account are always written alike, also when admission chose it. */
function mirrorServiceAccount(pod: KubeObject): void {
  const { spec } = pod;
  if (spec.serviceAccountName) spec.serviceAccount = spec.serviceAccountName;
}

export function nameLimitRange({ metadata }: KubeObject): void {
  metadata.name ||= randomUUID();
}

/** Counted from the first change on. */
export function prepareCsiDriverUpdate(driver: KubeObject, old: KubeObject): void {
  if (!deepEqual(driver['spec'], old['spec'])) driver.metadata.generation = (old.metadata.generation ?? 0) + 1;
}

/** A change of its labels counts like one of what it says. */
export function prepareEndpointSliceUpdate({ metadata }: KubeObject, old: KubeObject): void {
  if (!semanticEqual(metadata.labels, old.metadata.labels)) {
    metadata.generation = (old.metadata.generation ?? 0) + 1;
  }
}

export function prepareNamespace(namespace: KubeObject): void {
  const finalizers: string[] = namespace['spec']?.finalizers ?? [];
  if (!finalizers.includes('kubernetes')) {
    namespace['spec'] = { ...namespace['spec'], finalizers: [...finalizers, 'kubernetes'] };
  }
  namespace['status'] = { phase: 'Active' };
}

/** spec.finalizers change through the finalize subresource only. */
export function prepareNamespaceUpdate(namespace: KubeObject, old: KubeObject): void {
  namespace['spec'] = { ...namespace['spec'], finalizers: old['spec']?.finalizers };
  if (namespace['spec'].finalizers === undefined) delete namespace['spec'].finalizers;
}

/** The labels that tie a job's pods to it, and the selector that finds them. */
export function prepareJob(job: KubeObject): void {
  const { spec, metadata } = job;
  if (spec.manualSelector === true) return;
  const labels = {
    'batch.kubernetes.io/controller-uid': metadata.uid,
    'batch.kubernetes.io/job-name': metadata.name ?? '',
    'controller-uid': metadata.uid,
    'job-name': metadata.name ?? '',
  };
  // Whoever copies a job copies its labels; a label of one's own under these names stays and fails validation.
  const current = spec.template.metadata?.labels ?? {};
  // A job without labels of its own has its template's.
  if (isShared(metadata.labels, spec.template.metadata?.labels)) metadata.labels = { ...labels, ...current };
  spec.template.metadata = { ...spec.template.metadata, labels: { ...labels, ...current } };
  spec.selector ??= {};
  spec.selector.matchLabels = {
    'batch.kubernetes.io/controller-uid': metadata.uid,
    ...spec.selector.matchLabels,
  };
}

export function renameJob(job: KubeObject, taken: string): void {
  if (job['spec'].manualSelector === true) return;
  for (const labels of [job.metadata.labels, job['spec'].template.metadata.labels]) {
    for (const label of ['batch.kubernetes.io/job-name', 'job-name']) {
      if (labels?.[label] === taken) labels[label] = job.metadata.name;
    }
  }
}

const isShared = (labels: Record<string, string> = {}, ofTemplate: Record<string, string> = {}): boolean =>
  labels === ofTemplate || (Object.keys(labels).length === 0 && Object.keys(ofTemplate).length === 0);

const templateGeneration = 'deprecated.daemonset.template.generation';

/** Who writes a daemon set has always said this too: upstream keeps the number elsewhere. */
export function defaultDaemonSet({ metadata }: KubeObject): void {
  metadata.annotations = { [templateGeneration]: '0', ...metadata.annotations };
}

/** The daemon set controller names its pods' templates by this number. */
export function prepareDaemonSet({ metadata }: KubeObject): void {
  const number = Number(metadata.annotations?.[templateGeneration] ?? 0);
  metadata.annotations = { ...metadata.annotations, [templateGeneration]: String(Math.max(number, 1)) };
}

export function prepareDaemonSetUpdate(daemonSet: KubeObject, old: KubeObject): void {
  const key = templateGeneration;
  const before = Number(old.metadata.annotations?.[key] ?? 0);
  const changed = !semanticEqual(daemonSet['spec'].template, old['spec'].template);
  daemonSet.metadata.annotations = { ...daemonSet.metadata.annotations, [key]: String(changed ? before + 1 : before) };
}

/** One address under two names. Source: pkg/registry/core/service/strategy.go's normalization. */
export function prepareService(service: KubeObject): void {
  const { spec } = service;
  if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
  if (spec.type === 'ExternalName') {
    delete spec.internalTrafficPolicy;
    delete spec.externalTrafficPolicy;
  }
}

export function prepareServiceUpdate(service: KubeObject, old: KubeObject): void {
  const { spec } = service;
  const before = old['spec'];
  if (spec.type === 'ExternalName') {
    // A service that becomes a mere name gives its addresses back.
    if (before.type !== 'ExternalName' && spec.clusterIP === before.clusterIP) {
      for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy']) {
        delete spec[field];
      }
    }
    keepNodePorts(spec, before);
    return;
  }
  if (before.type !== 'ExternalName') {
    // Clients that know nothing of allocation leave the address out: it stays.
    if (!spec.clusterIP && !spec.clusterIPs?.length && before.clusterIP) {
      spec.clusterIP = before.clusterIP;
      spec.clusterIPs = before.clusterIPs;
    }
    spec.ipFamilies ??= before.ipFamilies;
    spec.ipFamilyPolicy ??= before.ipFamilyPolicy;
    if (spec.ipFamilies === undefined) delete spec.ipFamilies;
    if (spec.ipFamilyPolicy === undefined) delete spec.ipFamilyPolicy;
  }
  if (
    spec.clusterIP &&
    (!spec.clusterIPs?.length ||
      (spec.clusterIP !== before.clusterIP && semanticEqual(spec.clusterIPs, before.clusterIPs)))
  ) {
    spec.clusterIPs = [spec.clusterIP];
  }
  keepNodePorts(spec, before);
}

/** How an address is reached is said with it. */
export function prepareServiceStatus({ spec, status }: KubeObject): void {
  if (spec.type !== 'LoadBalancer') return;
  for (const ingress of status?.loadBalancer?.ingress ?? []) if (ingress.ip) ingress.ipMode ??= 'VIP';
}

/** Node ports that were allocated stay with their port when a client leaves them out. */
function keepNodePorts(spec: any, before: any): void {
  const isChecked = ({ type, externalTrafficPolicy }: any) =>
    type === 'LoadBalancer' && externalTrafficPolicy === 'Local';
  if (isChecked(before)) {
    if (isChecked(spec)) spec.healthCheckNodePort ||= before.healthCheckNodePort;
    else if (spec.healthCheckNodePort === before.healthCheckNodePort) delete spec.healthCheckNodePort;
  }
  const isOpen = (type: string) => type === 'NodePort' || type === 'LoadBalancer';
  if (!isOpen(spec.type)) {
    if (isOpen(before.type)) {
      const oldPorts = portsByKey(before.ports);
      for (const port of spec.ports ?? []) {
        const old = oldPorts.get(portKey(port));
        if (old !== undefined && old.nodePort === port.nodePort) delete port.nodePort;
      }
      if (spec.externalTrafficPolicy === before.externalTrafficPolicy && !spec.externalIPs?.length) {
        delete spec.externalTrafficPolicy;
      }
      if (spec.allocateLoadBalancerNodePorts === before.allocateLoadBalancerNodePorts) {
        delete spec.allocateLoadBalancerNodePorts;
      }
      if (before.type === 'LoadBalancer' && spec.loadBalancerClass === before.loadBalancerClass) {
        delete spec.loadBalancerClass;
      }
    }
    return;
  }
  if (!isOpen(before.type)) return;
  const taken = new Set((spec.ports ?? []).map((port: any) => port.nodePort).filter(Boolean));
  const oldPorts = portsByKey(before.ports);
  for (const port of spec.ports ?? []) {
    if (port.nodePort) continue;
    const old = oldPorts.get(portKey(port));
    if (old?.nodePort && !taken.has(old.nodePort)) {
      port.nodePort = old.nodePort;
      taken.add(old.nodePort);
    }
  }
}

const portKey = ({ port, protocol }: any): string => `${port}/${protocol}`;

/** The first of each number and protocol. */
function portsByKey(ports: any[] | undefined): Map<string, any> {
  const byKey = new Map<string, any>();
  for (const port of ports ?? []) if (!byKey.has(portKey(port))) byKey.set(portKey(port), port);
  return byKey;
}

/** Plain text is a way to write a secret, never kept as such: it becomes data, over what stands there. */
export function mergeStringData(secret: KubeObject): void {
  const { stringData } = secret;
  if (stringData === undefined) return;
  if (typeof stringData === 'object' && stringData !== null && Object.keys(stringData).length > 0) {
    const entries = Object.entries(stringData).map(([key, text]) => [
      key,
      Buffer.from(String(text)).toString('base64'),
    ]);
    secret['data'] = { ...secret['data'], ...Object.fromEntries(entries) };
  }
  delete secret['stringData'];
}

/** Off by default upstream, and kept where it was set while it was on: who should lead (CoordinatedLeaderElection). */
export function prepareLease(lease: KubeObject, old?: KubeObject): void {
  for (const field of ['strategy', 'preferredHolder']) {
    if (lease['spec'] && old?.['spec']?.[field] === undefined) delete lease['spec'][field];
  }
}

/** Likewise how many pods may be missing during an update (MaxUnavailableStatefulSet). */
export function prepareStatefulSet(set: KubeObject, old?: KubeObject): void {
  const { rollingUpdate } = set['spec'].updateStrategy ?? {};
  if (rollingUpdate && old?.['spec'].updateStrategy?.rollingUpdate?.maxUnavailable === undefined) {
    delete rollingUpdate.maxUnavailable;
  }
}
