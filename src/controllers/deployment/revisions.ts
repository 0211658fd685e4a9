import type { Deployment, ReplicaSet } from '../../api/generated/apps-v1.ts';
import type { PodTemplateSpec } from '../../api/generated/core-v1.ts';
import { canonical } from '../common/canonical.ts';
import {
  byAge,
  DESIRED_REPLICAS,
  desiredOf,
  MAX_REPLICAS,
  maxSurgeOf,
  REVISION,
  REVISION_HISTORY,
} from './replica-math.ts';

export const TEMPLATE_HASH = 'pod-template-hash';
const longestHistory = 2000;

const notCopied = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  'deprecated.deployment.rollback.to',
]);

const templateTexts = new WeakMap<PodTemplateSpec, string>();

/** Shared objects never change, so their text is worked out once. */
function textOf(template: PodTemplateSpec): string {
  let text = templateTexts.get(template);
  if (text === undefined) {
    const { [TEMPLATE_HASH]: _, ...labels } = template.metadata?.labels ?? {};
    text = canonical({ ...template, metadata: { ...template.metadata, labels, creationTimestamp: undefined } });
    templateTexts.set(template, text);
  }
  return text;
}

export const sameTemplate = (a: PodTemplateSpec, b: PodTemplateSpec): boolean => textOf(a) === textOf(b);

/** The set whose template is the Deployment's; the oldest, if there are several. */
export function findNewSet(deployment: Deployment, sets: ReplicaSet[]): ReplicaSet | undefined {
  return byAge(sets).find((set) => sameTemplate(set.spec.template!, deployment.spec.template));
}

/** A revision counts in 64 bits, upstream's int64. */
export function revisionOf(set: ReplicaSet): bigint {
  const text = set.metadata.annotations?.[REVISION];
  return text !== undefined && /^\d{1,19}$/.test(text) ? BigInt(text) : 0n;
}

export function maxRevision(sets: ReplicaSet[]): bigint {
  let highest = 0n;
  for (const revision of sets.map(revisionOf)) if (revision > highest) highest = revision;
  return highest;
}

export function replicaAnnotations(deployment: Deployment): Record<string, string> {
  const desired = desiredOf(deployment);
  return { [DESIRED_REPLICAS]: String(desired), [MAX_REPLICAS]: String(desired + maxSurgeOf(deployment)) };
}

/**
 * The annotations of the newest set: the Deployment's own, and a revision higher than those of all others. A set that
 * comes back after a rollback keeps the revisions it had in its history.
 */
export function newSetAnnotations(
  deployment: Deployment,
  current: Record<string, string> | undefined,
  newRevision: bigint,
): Record<string, string> {
  const annotations = { ...current };
  for (const [name, value] of Object.entries(deployment.metadata.annotations ?? {})) {
    if (!notCopied.has(name)) annotations[name] = value;
  }
  const oldText = annotations[REVISION];
  if (oldText !== undefined && oldText !== '' && !/^\d+$/.test(oldText)) return annotations;
  if (BigInt(oldText || 0) >= newRevision) return annotations;
  annotations[REVISION] = String(newRevision);
  if (oldText !== undefined) {
    const history = annotations[REVISION_HISTORY];
    annotations[REVISION_HISTORY] = history === undefined || history === '' ? oldText : appended(history, oldText);
  }
  return annotations;
}

function appended(history: string, revision: string): string {
  const revisions = history.split(',');
  let length = history.length + revision.length + 1;
  let start = 0;
  while (length > longestHistory && start < revisions.length) length -= revisions[start++]!.length + 1;
  return length <= longestHistory ? [...revisions.slice(start), revision].join(',') : history;
}

/** `name-hash`, the name cut so that the whole is a valid name. */
export function replicaSetName(deploymentName: string, hash: string): string {
  return `${deploymentName.slice(0, 253 - 1 - hash.length)}-${hash}`;
}
