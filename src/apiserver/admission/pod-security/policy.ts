import type { FieldError } from '../../../api/status.ts';

/** How strict, and by the rules of which minor version; undefined: the newest. */
export interface LevelVersion {
  level: 'privileged' | 'baseline' | 'restricted';
  minor: number | undefined;
}

export interface Policy {
  enforce: LevelVersion;
  audit: LevelVersion;
  warn: LevelVersion;
}

const prefix = 'pod-security.kubernetes.io/';
const levels = ['privileged', 'baseline', 'restricted'] as const;

export const privileged: LevelVersion = { level: 'privileged', minor: undefined };

export const strictness = ({ level }: LevelVersion): number => levels.indexOf(level);
export const printLevel = ({ level, minor }: LevelVersion): string =>
  `${level}:${minor === undefined ? 'latest' : `v1.${minor}`}`;

/** What a namespace's labels ask for, and what is wrong with them. Source: pod-security-admission's api/helpers.go. */
export function policyOf(labels: Record<string, string> | undefined): { policy: Policy; errors: FieldError[] } {
  const errors: FieldError[] = [];
  const policy: Policy = { enforce: { ...privileged }, audit: { ...privileged }, warn: { ...privileged } };
  if (labels === undefined) return { policy, errors };

  const level = (mode: keyof Policy, whenWrong: LevelVersion['level']): boolean => {
    const value = labels[prefix + mode];
    if (value === undefined) return false;
    const known = levels.find((one) => one === value);
    policy[mode].level = known ?? whenWrong;
    if (known === undefined) errors.push(wrong(mode, value, `must be one of ${levels.join(', ')}`));
    return known !== undefined;
  };
  const version = (mode: keyof Policy): void => {
    const value = labels[`${prefix}${mode}-version`];
    if (value === undefined || value === 'latest') return;
    const match = /^v1\.([0-9]|[1-9][0-9]*)$/.exec(value);
    if (match === null) errors.push(wrong(`${mode}-version`, value, 'must be "latest" or "v1.x"'));
    else policy[mode].minor = Number(match[1]);
  };

  // A level nobody knows keeps pods out, and says nothing else.
  const enforces = level('enforce', 'restricted');
  version('enforce');
  level('audit', 'privileged');
  version('audit');
  level('warn', 'privileged');
  version('warn');
  if (labels[`${prefix}warn`] === undefined && enforces && strictness(policy.enforce) > strictness(policy.warn)) {
    policy.warn.level = policy.enforce.level;
    if (labels[`${prefix}warn-version`] === undefined) policy.warn.minor = policy.enforce.minor;
  }
  return { policy, errors };
}

function wrong(label: string, value: string, why: string): FieldError {
  return {
    reason: 'FieldValueInvalid',
    field: `metadata.labels[${prefix}${label}]`,
    message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
  };
}
