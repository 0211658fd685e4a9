import { semanticEqual } from '../../equality.ts';
import type { Job, JobSpec, JobStatus } from '../../generated/batch-v1.ts';
import type { Findings } from '../findings.ts';

const CONDITIONS = 'status.conditions';
const isTrue = (status: JobStatus, type: string): boolean =>
  status.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
const isFinished = (status: JobStatus): boolean => isTrue(status, 'Complete') || isTrue(status, 'Failed');

/**
 * A job's life has an order, and whoever writes its status keeps it. Most rules look only at what this write changes:
 * what is wrong already must not stand in the way of others. Source: pkg/registry/batch/job/strategy.go,
 * pkg/apis/batch/validation.
 */
export function validateJobStatus(job: Job, old: Job, findings: Findings): void {
  const status = job.status ?? {};
  const before = old.status ?? {};
  for (const field of ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const) {
    findings.nonnegative(status[field], `status.${field}`);
  }
  validateUncounted(status, findings);
  const changed = (...fields: (keyof JobStatus)[]) =>
    fields.some((field) => !semanticEqual(status[field], before[field]));
  const turned = (...types: string[]) => types.some((type) => isTrue(status, type) !== isTrue(before, type));
  validateEnd(status, changed, turned, findings);
  validateFinished(job.spec, status, before, changed, findings);
  validateIndexes(job.spec, status, changed, findings);
  if ((changed('ready') || (status.active ?? 0) !== (before.active ?? 0)) && status.ready !== undefined) {
    if (status.ready > (status.active ?? 0)) {
      findings.invalid('status.ready', status.ready, 'cannot set more ready pods than active');
    }
  }
  validateConditionPairs(job.spec, status, findings);
  validateTransitions(job, status, before, changed, findings);
}

function validateUncounted({ uncountedTerminatedPods }: JobStatus, findings: Findings): void {
  const seen = new Set<string>();
  for (const list of ['succeeded', 'failed'] as const) {
    uncountedTerminatedPods?.[list]?.forEach((uid, index) => {
      const path = `status.uncountedTerminatedPods.${list}[${index}]`;
      if (uid === '') findings.invalid(path, uid, 'must not be empty');
      else if (seen.has(uid)) findings.duplicate(path, uid);
      seen.add(uid);
    });
  }
}

type Changed = (...fields: (keyof JobStatus)[]) => boolean;
type Turned = (...types: string[]) => boolean;

/** What goes with Complete and Failed. */
function validateEnd(status: JobStatus, changed: Changed, turned: Turned, findings: Findings): void {
  const refuse = (detail: string) => findings.invalidWithoutValue(CONDITIONS, detail);
  const isComplete = isTrue(status, 'Complete');
  const isFailed = isTrue(status, 'Failed');
  const time = status.completionTime;
  if (turned('Complete', 'Failed') && isComplete && isFailed) {
    refuse('cannot set Complete=True and Failed=true conditions');
  }
  if (turned('Complete', 'FailureTarget') && isComplete && isTrue(status, 'FailureTarget')) {
    refuse('cannot set Complete=True and FailureTarget=true conditions');
  }
  if (turned('Complete') || changed('completionTime')) {
    if (time && !isComplete) {
      const detail = 'cannot set completionTime when there is no Complete=True condition';
      findings.invalid('status.completionTime', time, detail);
    }
    if (!time && isComplete) {
      findings.required('status.completionTime', 'completionTime is required for Complete jobs');
    }
  }
  if (changed('startTime', 'completionTime') && status.startTime && time && time < status.startTime) {
    findings.invalid('status.completionTime', time, 'must be equal to or after `startTime`');
  }
  if ((turned('Failed') || changed('failedIndexes')) && isFailed && !isTrue(status, 'FailureTarget')) {
    refuse('cannot set Failed=True condition without the FailureTarget=true condition');
  }
  if (turned('Complete', 'SuccessCriteriaMet') && isComplete && !isTrue(status, 'SuccessCriteriaMet')) {
    refuse('cannot set Complete=True condition without the SuccessCriteriaMet=true condition');
  }
}

/** What a finished job no longer has. */
function validateFinished(
  spec: JobSpec,
  status: JobStatus,
  before: JobStatus,
  changed: Changed,
  findings: Findings,
): void {
  if (!isFinished(status)) return;
  const ended = !isFinished(before);
  const { active = 0, terminating = 0, startTime, uncountedTerminatedPods } = status;
  if ((ended || active !== (before.active ?? 0)) && active > 0) {
    findings.invalid('status.active', active, 'active>0 is invalid for finished job');
  }
  const neverRan = spec.suspend === true && spec.completions === 0;
  if ((ended || changed('startTime')) && !neverRan && !startTime) {
    findings.required('status.startTime', 'startTime is required for finished job');
  }
  const uncounted = (uncountedTerminatedPods?.failed?.length ?? 0) + (uncountedTerminatedPods?.succeeded?.length ?? 0);
  if ((ended || changed('uncountedTerminatedPods')) && uncounted > 0) {
    findings.invalid('status.uncountedTerminatedPods', uncountedTerminatedPods, 'must be empty for finished job');
  }
  if ((ended || changed('terminating')) && terminating > 0) {
    findings.invalid('status.terminating', terminating, 'terminating>0 is invalid for finished job');
  }
}

function validateIndexes(spec: JobSpec, status: JobStatus, changed: Changed, findings: Findings): void {
  const { completedIndexes = '', failedIndexes } = status;
  const { completions, backoffLimitPerIndex } = spec;
  if (changed('completedIndexes')) {
    const fault = completions === undefined ? undefined : faultOfIndexes(completedIndexes, completions);
    if (fault !== undefined) {
      findings.invalid('status.completedIndexes', completedIndexes, `error parsing completedIndexes: ${fault}`);
    }
    if (completedIndexes !== '' && spec.completionMode !== 'Indexed') {
      const detail = 'cannot set non-empty completedIndexes when non-indexed completion mode';
      findings.invalid('status.completedIndexes', completedIndexes, detail);
    }
  }
  if (failedIndexes === undefined) return;
  if (changed('failedIndexes')) {
    const isKept = completions !== undefined && backoffLimitPerIndex !== undefined;
    const fault = isKept ? faultOfIndexes(failedIndexes, completions) : undefined;
    if (fault !== undefined) {
      findings.invalid('status.failedIndexes', failedIndexes, `error parsing failedIndexes: ${fault}`);
    }
    if (backoffLimitPerIndex === undefined) {
      const detail = 'cannot set non-null failedIndexes when backoffLimitPerIndex is null';
      findings.invalid('status.failedIndexes', failedIndexes, detail);
    }
  }
  if (changed('failedIndexes', 'completedIndexes') && completions !== undefined) {
    const both = overlap(intervalsOf(completedIndexes), intervalsOf(failedIndexes));
    if (both !== undefined) {
      const detail = `failedIndexes and completedIndexes overlap at index: ${both}`;
      findings.invalid('status.failedIndexes', failedIndexes, detail);
    }
  }
}

/** `0,2-4`: rising, below `completions`. */
function faultOfIndexes(text: string, completions: number): string | undefined {
  if (text === '') return undefined;
  let last: number | undefined;
  for (const interval of text.split(',')) {
    const limits = interval.split('-');
    if (limits.length > 2) {
      return `the fragment ${JSON.stringify(interval)} violates the requirement that an index interval can have at most two parts separated by '-'`;
    }
    for (const limit of limits) {
      if (!/^[+-]?\d+$/.test(limit)) return `cannot convert string to integer for index: ${JSON.stringify(limit)}`;
      if (Number(limit) >= completions) return `too large index: ${JSON.stringify(limit)}`;
    }
    const [from, to] = [Number(limits[0]), Number(limits[1] ?? limits[0])];
    if (limits.length > 1 && from >= to) return `non-increasing order, previous: ${from}, current: ${to}`;
    if (last !== undefined && last >= from) return `non-increasing order, previous: ${last}, current: ${from}`;
    last = to;
  }
  return undefined;
}

const intervalsOf = (text: string): [number, number][] =>
  [...text.matchAll(/(\d+)(?:-(\d+))?/g)].map(([, from, to]) => [Number(from), Number(to ?? from)]);

function overlap(a: [number, number][], b: [number, number][]): number | undefined {
  for (const [from, to] of a) {
    for (const [otherFrom, otherTo] of b) if (from <= otherTo && otherFrom <= to) return Math.max(from, otherFrom);
  }
  return undefined;
}

function validateConditionPairs({ successPolicy }: JobSpec, status: JobStatus, findings: Findings): void {
  const refuse = (detail: string) => findings.invalidWithoutValue(CONDITIONS, detail);
  const isMet = isTrue(status, 'SuccessCriteriaMet');
  if (isMet && isTrue(status, 'Failed')) refuse('cannot set SuccessCriteriaMet=True and Failed=true conditions');
  if (isMet && isTrue(status, 'FailureTarget')) {
    refuse('cannot set SuccessCriteriaMet=True and FailureTarget=true conditions');
  }
  if (successPolicy && !isMet && isTrue(status, 'Complete')) {
    refuse('cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True');
  }
}

function validateTransitions(
  job: Job,
  status: JobStatus,
  before: JobStatus,
  changed: Changed,
  findings: Findings,
): void {
  const refuse = (detail: string) => findings.invalidWithoutValue(CONDITIONS, detail);
  for (const type of ['Failed', 'Complete', 'FailureTarget']) {
    if (isTrue(before, type) && !isTrue(status, type)) refuse(`cannot disable the terminal ${type}=True condition`);
  }
  const falls = (field: 'failed' | 'succeeded') => (status[field] ?? 0) < (before[field] ?? 0);
  if (falls('failed')) findings.invalid('status.failed', status.failed ?? 0, 'cannot decrease the failed counter');
  const { completionMode, completions, parallelism, suspend } = job.spec;
  const scales = completionMode === 'Indexed' && completions === parallelism;
  if (falls('succeeded') && !scales) {
    findings.invalid('status.succeeded', status.succeeded ?? 0, 'cannot decrease the succeeded counter');
  }
  if (status.completionTime && before.completionTime && changed('completionTime')) {
    findings.invalid('status.completionTime', status.completionTime, 'field is immutable');
  }
  const resumes =
    isTrue(before, 'Suspended') &&
    status.conditions?.some(({ type, status: value }) => type === 'Suspended' && value === 'False');
  if (before.startTime && changed('startTime') && !resumes && suspend !== true) {
    const detail = 'field is immutable for unsuspended job once set';
    findings.invalid('status.startTime', status.startTime ?? null, detail);
  }
  if (isTrue(before, 'SuccessCriteriaMet') && !isTrue(status, 'SuccessCriteriaMet')) {
    refuse('cannot disable the SuccessCriteriaMet=True condition');
  }
  const late = isTrue(before, 'Complete') && !isTrue(before, 'SuccessCriteriaMet');
  if (late && isTrue(status, 'SuccessCriteriaMet')) {
    refuse('cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions');
  }
}
