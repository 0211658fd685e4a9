import type { Steps } from '../../../base/steps.ts';
import { semanticEqual } from '../../equality.ts';
import type { CronJob, Job, JobSpec } from '../../generated/batch-v1.ts';
import { isDns1123Label, isDns1123Subdomain } from '../../names.ts';
import { selectorFromLabelSelector } from '../../selectors/label-selectors.ts';
import type { Findings } from '../findings.ts';
import { goSelector } from '../go-value.ts';
import { validateImmutable, validateLabelSelector } from '../metadata.ts';
import { validatePodTemplate } from '../pods/spec.ts';
import { cronScheduleFinding } from './cron-schedule.ts';
import { validateFailurePolicy, validateSuccessPolicy } from './job-policies.ts';

const MAX_INDEXED_PARALLELISM = 100_000;

/** What Job and CronJob's template share. Source: pkg/apis/batch/validation. */
function* validateJobSpec(spec: JobSpec, path: string, findings: Findings): Steps<void> {
  for (const field of [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
    'backoffLimitPerIndex',
    'maxFailedIndexes',
  ] as const) {
    findings.nonnegative(spec[field], `${path}.${field}`);
  }
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined) {
    findings.required(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified');
  }
  validateCompletionMode(spec, path, findings);
  validateFailurePolicy(spec, `${path}.podFailurePolicy`, findings);
  validateSuccessPolicy(spec, `${path}.successPolicy`, findings);
  if (spec.managedBy !== undefined) validateManagedBy(spec.managedBy, `${path}.managedBy`, findings);
  findings.optionalOneOf(
    spec.podReplacementPolicy,
    `${path}.podReplacementPolicy`,
    spec.podFailurePolicy === undefined ? ['Failed', 'TerminatingOrFailed'] : ['Failed'],
  );
  yield* validatePodTemplate(spec.template, `${path}.template`, findings);
  const at = `${path}.template.spec.restartPolicy`;
  const { restartPolicy } = spec.template.spec;
  if (restartPolicy === undefined || restartPolicy === 'Always') {
    findings.required(at, 'valid values: "OnFailure", "Never"');
  } else if (restartPolicy !== 'OnFailure' && restartPolicy !== 'Never') {
    findings.notSupported(at, restartPolicy, ['OnFailure', 'Never']);
  } else if (spec.podFailurePolicy !== undefined && restartPolicy !== 'Never') {
    findings.invalid(at, restartPolicy, 'only "Never" is supported when podFailurePolicy is specified');
  }
}

function validateManagedBy(managedBy: string, path: string, findings: Findings): void {
  if (managedBy === '') {
    findings.required(path);
    return;
  }
  if (managedBy.length > 63) findings.tooLong(path, 63);
  const slash = managedBy.indexOf('/');
  if (slash <= 0 || slash === managedBy.length - 1) {
    findings.invalid(path, managedBy, 'must be a domain-prefixed path (such as "acme.io/foo")');
    return;
  }
  findings.invalidEach(path, managedBy.slice(0, slash), isDns1123Subdomain(managedBy.slice(0, slash)));
  const name = managedBy.slice(slash + 1);
  if (!/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(name)) {
    findings.invalid(path, name, "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&\\'()*+,;=:]+')");
  }
}

function validateCompletionMode(spec: JobSpec, path: string, findings: Findings): void {
  findings.optionalOneOf(spec.completionMode, `${path}.completionMode`, ['NonIndexed', 'Indexed']);
  if ((spec.maxFailedIndexes ?? 0) > MAX_INDEXED_PARALLELISM) {
    findings.invalid(
      `${path}.maxFailedIndexes`,
      spec.maxFailedIndexes,
      `must be less than or equal to ${MAX_INDEXED_PARALLELISM}`,
    );
  }
  if ((spec.completionMode ?? 'NonIndexed') === 'NonIndexed') {
    for (const field of ['backoffLimitPerIndex', 'maxFailedIndexes'] as const) {
      if (spec[field] !== undefined)
        findings.invalid(`${path}.${field}`, spec[field], 'requires indexed completion mode');
    }
    return;
  }
  if (spec.completionMode !== 'Indexed') return;
  if (spec.completions === undefined) findings.required(`${path}.completions`, 'when completion mode is Indexed');
  if ((spec.parallelism ?? 0) > MAX_INDEXED_PARALLELISM) {
    findings.invalid(
      `${path}.parallelism`,
      spec.parallelism,
      `must be less than or equal to ${MAX_INDEXED_PARALLELISM} when completion mode is Indexed`,
    );
  }
  if (spec.completions !== undefined && (spec.maxFailedIndexes ?? 0) > spec.completions) {
    findings.invalid(`${path}.maxFailedIndexes`, spec.maxFailedIndexes, 'must be less than or equal to completions');
  }
}

export function* validateJob(job: Job, findings: Findings): Steps<void> {
  const { spec, metadata } = job;
  validateGeneratedSelector(job, findings);
  yield* validateSelectingSpec(spec, findings);
  if (spec.completionMode === 'Indexed' && (spec.completions ?? 0) > 0) {
    const { name = '' } = metadata;
    const longest = `${name}-${spec.completions! - 1}`;
    if (isDns1123Label(longest).length > 0) {
      findings.invalid('metadata.name', name, `will not able to create pod with invalid DNS label: ${longest}`);
    }
  }
}

function requireGeneratedLabels(
  labels: Record<string, string> | undefined,
  { name = '', uid }: Job['metadata'],
  findings: Findings,
): void {
  const generated = {
    'controller-uid': uid,
    'job-name': name,
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
  };
  for (const [key, wanted] of Object.entries(generated)) {
    const path = `spec.template.metadata.labels[${key}]`;
    const value = labels?.[key];
    if (value === undefined) findings.required(path, `must be '${wanted}'`);
    else if (value !== wanted) findings.invalid(path, labels, `must be '${wanted}'`);
  }
}

function* validateSelectingSpec(spec: JobSpec, findings: Findings): Steps<void> {
  yield* validateJobSpec(spec, 'spec', findings);
  // One that is not there matches nothing.
  const isThere = spec.selector !== undefined && spec.selector !== null;
  if (isThere) validateLabelSelector(spec.selector, 'spec.selector', findings);
  else findings.required('spec.selector');
  const labels = spec.template.metadata?.labels;
  if (!isThere || selectorOf(spec)?.matches(labels) === false) {
    findings.invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`');
  }
}

/** undefined where it is none. */
function selectorOf(spec: JobSpec): ReturnType<typeof selectorFromLabelSelector> | undefined {
  try {
    return selectorFromLabelSelector(spec.selector);
  } catch {
    return undefined;
  }
}

function validateGeneratedSelector({ spec, metadata }: Job, findings: Findings): void {
  if (spec.manualSelector === true || spec.selector === undefined || spec.selector === null) return;
  requireGeneratedLabels(spec.template.metadata?.labels, metadata, findings);
  const generated = {
    'batch.kubernetes.io/controller-uid': metadata.uid,
    'batch.kubernetes.io/job-name': metadata.name ?? '',
    'controller-uid': metadata.uid,
    'job-name': metadata.name ?? '',
  };
  if (selectorOf(spec)?.matches(generated) === false)
    findings.invalid('spec.selector', goSelector(spec.selector!), '`selector` not auto-generated');
}

export function* validateJobUpdate(job: Job, old: Job, findings: Findings): Steps<void> {
  yield* validateJob(job, findings);
  yield;
  const { spec } = job;
  // Told twice upstream.
  yield* validateSelectingSpec(spec, findings);
  yield;
  validateCompletionsUpdate(job, old, findings);
  validateImmutable(spec.selector, old.spec.selector, 'spec.selector', findings);
  validateTemplateUpdate(job, old, findings);
  for (const field of [
    'completionMode',
    'podFailurePolicy',
    'backoffLimitPerIndex',
    'managedBy',
    'successPolicy',
  ] as const) {
    validateImmutable(spec[field], old.spec[field], `spec.${field}`, findings);
  }
}

/** An indexed job may grow and shrink when as many run at once as there are. */
function validateCompletionsUpdate({ spec }: Job, { spec: old }: Job, findings: Findings): void {
  if (semanticEqual(spec.completions, old.completions)) return;
  if (spec.completionMode !== 'Indexed') {
    validateImmutable(spec.completions, old.completions, 'spec.completions', findings);
  } else if (spec.completions === undefined || spec.completions !== spec.parallelism) {
    findings.invalid('spec.completions', spec.completions, 'can only be modified in tandem with spec.parallelism');
  }
}

/**
 * While a job is suspended and none of its pods run, it may be told where, and with what, its pods run.
 * Source: MutablePodResourcesForSuspendedJobs, MutableSchedulingDirectivesForSuspendedJobs.
 */
function validateTemplateUpdate({ spec: { template } }: Job, { spec, status }: Job, findings: Findings): void {
  const rests =
    spec.suspend === true &&
    (status?.active ?? 0) === 0 &&
    status?.conditions?.some(({ type, status: state }) => type === 'Suspended' && state === 'True') === true;
  if (!rests) {
    validateImmutable(template, spec.template, 'spec.template', findings);
    return;
  }
  const { nodeSelector, tolerations, schedulingGates, affinity } = template.spec;
  const resources = (list: 'containers' | 'initContainers') => {
    const before = spec.template.spec[list];
    const now = template.spec[list];
    if (before === undefined || before.length !== now?.length) return before;
    return before.map((container, index) =>
      container.name === now[index]!.name ? { ...container, resources: now[index]!.resources } : container,
    );
  };
  const { nodeAffinity: _, ...others } = spec.template.spec.affinity ?? {};
  const asFarAsFixed = {
    ...spec.template.spec,
    containers: resources('containers')!,
    initContainers: resources('initContainers'),
    nodeSelector,
    tolerations,
    schedulingGates,
    affinity: affinity?.nodeAffinity === undefined ? others : { ...others, nodeAffinity: affinity.nodeAffinity },
  };
  if (!semanticEqual(template.spec, asFarAsFixed)) {
    validateImmutable(template.spec, spec.template.spec, 'spec.template.spec', findings);
  }
}

export function* validateCronJob({ spec, metadata }: CronJob, findings: Findings, old?: CronJob): Steps<void> {
  if ((metadata.name ?? '').length > 52)
    findings.invalid('metadata.name', metadata.name, 'must be no more than 52 characters');
  if (!spec.schedule) findings.required('spec.schedule');
  else {
    const finding = cronScheduleFinding(spec.schedule);
    if (finding !== undefined) findings.invalid('spec.schedule', spec.schedule, finding);
    if (spec.schedule.includes('TZ') && old?.spec.schedule.includes('TZ') !== true) {
      findings.invalid(
        'spec.schedule',
        spec.schedule,
        'cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
      );
    }
  }
  findings.nonnegative(spec.startingDeadlineSeconds, 'spec.startingDeadlineSeconds');
  validateTimeZone(spec.timeZone, findings);
  findings.oneOf(spec.concurrencyPolicy, 'spec.concurrencyPolicy', ['Allow', 'Forbid', 'Replace']);
  yield* validateJobSpec(spec.jobTemplate.spec, 'spec.jobTemplate.spec', findings);
  const { selector, manualSelector } = spec.jobTemplate.spec;
  if (selector !== undefined && selector !== null) {
    findings.invalid('spec.jobTemplate.spec.selector', goSelector(selector), '`selector` will be auto-generated');
  }
  if (manualSelector === true) {
    findings.notSupported('spec.jobTemplate.spec.manualSelector', manualSelector, ['nil', 'false']);
  }
  findings.nonnegative(spec.successfulJobsHistoryLimit, 'spec.successfulJobsHistoryLimit');
  findings.nonnegative(spec.failedJobsHistoryLimit, 'spec.failedJobsHistoryLimit');
}

function validateTimeZone(timeZone: string | undefined, findings: Findings): void {
  if (timeZone === undefined) return;
  const path = 'spec.timeZone';
  if (timeZone === '') {
    findings.invalid(path, timeZone, 'timeZone must be nil or non-empty string');
    return;
  }
  const isOdd = (part: string) =>
    part === '.' || part === '..' || part.startsWith('-') || !/^[A-Za-z.\-_0-9+]{1,14}$/.test(part);
  if (timeZone.split('/').some(isOdd)) {
    findings.invalid(path, timeZone, `unknown time zone ${timeZone}`);
    return;
  }
  if (timeZone.toLowerCase() === 'local') {
    findings.invalid(
      path,
      timeZone,
      'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones',
    );
    return;
  }
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch {
    findings.invalid(path, timeZone, `unknown time zone ${timeZone}`);
  }
}
