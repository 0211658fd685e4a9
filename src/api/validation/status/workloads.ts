import type { Findings } from '../findings.ts';

/** Source: the status parts of pkg/apis/apps/validation and pkg/apis/autoscaling/validation. */
interface Counts {
  /** None of them is negative. */
  counts: string[];
  /** None of these is more than `replicas`. */
  within?: string[];
  /** What `availableReplicas` is told against. */
  ready?: string;
  /** `collisionCount` never falls. */
  countsCollisions?: boolean;
}

const kinds = {
  deployment: {
    counts: [
      'observedGeneration',
      'replicas',
      'updatedReplicas',
      'readyReplicas',
      'availableReplicas',
      'unavailableReplicas',
      'terminatingReplicas',
      'collisionCount',
    ],
    within: ['updatedReplicas', 'readyReplicas', 'availableReplicas'],
    ready: 'readyReplicas',
    countsCollisions: true,
  },
  replicaSet: {
    counts: [
      'replicas',
      'fullyLabeledReplicas',
      'readyReplicas',
      'availableReplicas',
      'observedGeneration',
      'terminatingReplicas',
    ],
    within: ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'],
    ready: 'readyReplicas',
  },
  statefulSet: {
    counts: [
      'replicas',
      'readyReplicas',
      'currentReplicas',
      'updatedReplicas',
      'availableReplicas',
      'observedGeneration',
      'collisionCount',
    ],
    within: ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'],
    ready: 'status.readyReplicas',
    countsCollisions: true,
  },
  daemonSet: {
    counts: [
      'currentNumberScheduled',
      'numberMisscheduled',
      'desiredNumberScheduled',
      'numberReady',
      'observedGeneration',
      'updatedNumberScheduled',
      'numberAvailable',
      'numberUnavailable',
      'collisionCount',
    ],
    countsCollisions: true,
  },
  autoscaler: { counts: ['currentReplicas', 'desiredReplicas'] },
} satisfies Record<string, Counts>;

export const validateWorkloadStatus =
  (kind: keyof typeof kinds) =>
  (object: { status?: any }, old: { status?: any }, findings: Findings): void => {
    const status = object.status ?? {};
    const { counts, within = [], ready, countsCollisions = false }: Counts = kinds[kind];
    for (const field of counts) findings.nonnegative(status[field], `status.${field}`);
    const replicas = status.replicas ?? 0;
    const refuse = (field: string, detail: string) =>
      findings.invalid(`status.${field}`, status[field] ?? 0, `cannot be ${detail}`);
    for (const field of within) if ((status[field] ?? 0) > replicas) refuse(field, 'greater than status.replicas');
    if (ready !== undefined && (status.availableReplicas ?? 0) > (status.readyReplicas ?? 0)) {
      refuse('availableReplicas', `greater than ${ready}`);
    }
    const before = old.status?.collisionCount;
    if (countsCollisions && before !== undefined && (status.collisionCount ?? -1) < before) {
      refuse('collisionCount', 'decremented');
    }
  };
