import type { Job } from '../../api/generated/batch-v1.ts';
import type { Container, Pod, PodTemplateSpec } from '../../api/generated/core-v1.ts';
import type { Draft } from '../../api/object.ts';
import { controllerReference } from '../common/owner.ts';
import { podCondition } from '../common/pod-state.ts';
import { podFromTemplate } from '../common/pod-template.ts';
import { countsAsFailure } from './failure-policy.ts';

export const TRACKING_FINALIZER = 'batch.kubernetes.io/job-tracking';
const COMPLETION_INDEX = 'batch.kubernetes.io/job-completion-index';
const INDEX_FAILURES = 'batch.kubernetes.io/job-index-failure-count';
const INDEX_IGNORED_FAILURES = 'batch.kubernetes.io/job-index-ignored-failure-count';
const longestGenerateName = 58;

export const isIndexed = (job: Job): boolean => job.spec?.completionMode === 'Indexed';
export const hasLimitPerIndex = (job: Job): boolean => job.spec?.backoffLimitPerIndex !== undefined;
export const isTracked = (pod: Pod): boolean => (pod.metadata.finalizers ?? []).includes(TRACKING_FINALIZER);

/** Terminating pods still count as running until they have ended. */
export const replacesFailedOnly = (job: Job): boolean =>
  job.spec?.podReplacementPolicy === 'Failed' || job.spec?.podFailurePolicy !== undefined;

export function isFailed(pod: Pod, job: Job): boolean {
  if (pod.status?.phase === 'Failed') return true;
  if (replacesFailedOnly(job)) return false;
  // A pod without anybody to end it never gets to Failed.
  return pod.metadata.deletionTimestamp !== undefined && pod.status?.phase !== 'Succeeded';
}

/** undefined when the pod has none, or one beyond the Job's completions. */
export function indexOf(pod: Pod, job: Job): number | undefined {
  const text = pod.metadata.annotations?.[COMPLETION_INDEX];
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  return Number(text) < (job.spec?.completions ?? 0) ? Number(text) : undefined;
}

const annotatedCount = (pod: Pod, name: string): number =>
  Number.parseInt(pod.metadata.annotations?.[name] ?? '0', 10) || 0;

export const indexFailures = (pod: Pod): number => annotatedCount(pod, INDEX_FAILURES);
export const allIndexFailures = (pod: Pod): number => indexFailures(pod) + annotatedCount(pod, INDEX_IGNORED_FAILURES);

/** When a pod ended, as well as can be told: epoch milliseconds. */
export function finishedAtMs(pod: Pod): number {
  const statuses = pod.status?.containerStatuses ?? [];
  const ends = statuses.map((status) => status.state?.terminated?.finishedAt);
  if (ends.length > 0 && ends.every((end) => end !== undefined && end !== null)) {
    return Math.max(...ends.map((end) => Date.parse(end!)));
  }
  const ready = podCondition(pod, 'Ready');
  if (ready?.status === 'False' && ready.lastTransitionTime !== undefined) return Date.parse(ready.lastTransitionTime);
  if (pod.metadata.deletionTimestamp !== undefined) {
    return Date.parse(pod.metadata.deletionTimestamp) - (pod.metadata.deletionGracePeriodSeconds ?? 0) * 1000;
  }
  return Date.parse(pod.metadata.creationTimestamp);
}

/** The labels each pod of the Job carries; the API server puts them into the template, others may not. */
function jobLabels(job: Job): Record<string, string> {
  if (job.spec?.manualSelector === true) return {};
  const { uid, name } = job.metadata;
  return {
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
    'controller-uid': uid,
    'job-name': name,
  };
}

/** A pod of the Job; with an index in Indexed mode, and the failed pod of that index that it stands in for. */
export function podOf(job: Job, index: number | undefined, replaced: Pod | undefined): Draft<Pod> {
  const template = job.spec!.template;
  const reference = controllerReference(job, 'batch/v1', 'Job');
  const finalizers = [...new Set([...(template.metadata?.finalizers ?? []), TRACKING_FINALIZER])];
  const labels = { ...jobLabels(job), ...template.metadata?.labels };
  const tracked: PodTemplateSpec = { ...template, metadata: { ...template.metadata, labels, finalizers } as never };
  const pod = podFromTemplate(tracked, job, reference);
  if (index === undefined) return pod;
  const suffix = `-${index}-`;
  const { name } = job.metadata;
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      generateName: `${name.slice(0, longestGenerateName - suffix.length)}${suffix}`,
      labels: { ...labels, [COMPLETION_INDEX]: String(index) },
      annotations: {
        ...template.metadata?.annotations,
        [COMPLETION_INDEX]: String(index),
        ...(hasLimitPerIndex(job) && failureCounts(job, replaced)),
      },
    },
    spec: {
      ...template.spec!,
      hostname: `${name}-${index}`,
      containers: template.spec!.containers.map(withIndexVariable),
      ...(template.spec!.initContainers !== undefined && {
        initContainers: template.spec!.initContainers.map(withIndexVariable),
      }),
    },
  };
}

function withIndexVariable<C extends Container>(container: C): C {
  const name = 'JOB_COMPLETION_INDEX';
  if ((container.env ?? []).some((variable) => variable.name === name)) return container;
  const fieldRef = { fieldPath: `metadata.labels['${COMPLETION_INDEX}']` };
  return { ...container, env: [...(container.env ?? []), { name, valueFrom: { fieldRef } }] };
}

function failureCounts(job: Job, replaced: Pod | undefined): Record<string, string> {
  if (replaced === undefined) return { [INDEX_FAILURES]: '0' };
  const counts = countsAsFailure(job.spec?.podFailurePolicy, replaced);
  const ignored = annotatedCount(replaced, INDEX_IGNORED_FAILURES) + (counts ? 0 : 1);
  return {
    [INDEX_FAILURES]: String(indexFailures(replaced) + (counts ? 1 : 0)),
    ...(ignored > 0 && { [INDEX_IGNORED_FAILURES]: String(ignored) }),
  };
}
