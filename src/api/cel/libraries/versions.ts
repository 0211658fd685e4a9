import type { Functions } from '../declarations.ts';
import { structOf } from '../types.ts';
import { EvaluationFailure, noSuchOverload, type Opaque } from '../values.ts';

/** A semantic version; what is built is no part of its order. Source: Kubernetes' semver library, blang/semver. */
class CelVersion implements Opaque {
  readonly celType = structOf('kubernetes.Semver');
  readonly numbers: bigint[];
  readonly prerelease: string[];
  readonly text: string;

  constructor(numbers: bigint[], prerelease: string[], text: string) {
    this.numbers = numbers;
    this.prerelease = prerelease;
    this.text = text;
  }
  equals(other: unknown): boolean {
    if (!(other instanceof CelVersion)) throw noSuchOverload();
    return compareVersions(this, other) === 0;
  }
  toString(): string {
    return this.text;
  }
}

const failure = (message: string) => new EvaluationFailure(message);

function parse(text: string): CelVersion {
  if (text === '') throw failure('Version string empty');
  const parts = text.split('.');
  if (parts.length < 3) throw failure('No Major.Minor.Patch elements found');
  const last = parts.slice(2).join('.');
  const [, patch, prerelease, build] = /^([^-+]*)(?:-([^+]*))?(?:\+(.*))?$/s.exec(last)!;
  const numbers = [
    ['major', parts[0]!],
    ['minor', parts[1]!],
    ['patch', patch!],
  ].map(([name, part]) => {
    const label = name![0]!.toUpperCase() + name!.slice(1);
    if (!/^\d+$/.test(part!)) throw failure(`Invalid character(s) found in ${name} number ${JSON.stringify(part)}`);
    if (part!.length > 1 && part!.startsWith('0')) {
      throw failure(`${label} number must not contain leading zeroes ${JSON.stringify(part)}`);
    }
    return BigInt(part!);
  });
  const identifiers = prerelease === undefined ? [] : prerelease.split('.');
  for (const one of [...identifiers, ...(build === undefined ? [] : build.split('.'))]) {
    if (one === '') throw failure('Prerelease is empty');
    if (!/^[0-9A-Za-z-]+$/.test(one)) throw failure(`Invalid character(s) found in prerelease ${JSON.stringify(one)}`);
  }
  const zeroed = identifiers.find((one) => /^0\d+$/.test(one));
  if (zeroed !== undefined) {
    throw failure(`Numeric PreRelease version must not contain leading zeroes ${JSON.stringify(zeroed)}`);
  }
  return new CelVersion(numbers, identifiers, text);
}

/** `v1.01` -> `1.1.0` */
function normalized(text: string): string {
  const [first = '', second, ...rest] = text.replace(/^v/, '').split('.');
  const parts = [first, second, rest.length === 0 ? undefined : rest.join('.')]
    .filter((part) => part !== undefined)
    .map((part) => (part.length > 1 ? part.replace(/^0+(?=\d)/, '').replace(/^0+(?=\D|$)/, '0') : part));
  if (parts.length < 3 && /[+-]/.test(parts.at(-1)!)) {
    throw failure('short version cannot contain PreRelease/Build meta data');
  }
  while (parts.length < 3) parts.push('0');
  return parts.join('.');
}

function compareVersions(a: CelVersion, b: CelVersion): number {
  for (let at = 0; at < 3; at++) {
    if (a.numbers[at] !== b.numbers[at]) return a.numbers[at]! < b.numbers[at]! ? -1 : 1;
  }
  if (a.prerelease.length === 0 || b.prerelease.length === 0) {
    return Math.sign(b.prerelease.length) - Math.sign(a.prerelease.length);
  }
  for (let at = 0; at < Math.min(a.prerelease.length, b.prerelease.length); at++) {
    const order = comparePrereleases(a.prerelease[at]!, b.prerelease[at]!);
    if (order !== 0) return order;
  }
  return Math.sign(a.prerelease.length - b.prerelease.length);
}

function comparePrereleases(a: string, b: string): number {
  if (a === b) return 0;
  const [aIsNumber, bIsNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (aIsNumber !== bIsNumber) return aIsNumber ? -1 : 1;
  return (aIsNumber ? BigInt(a) < BigInt(b) : a < b) ? -1 : 1;
}

const read = (text: string, normalize = false) => parse(normalize ? normalized(text) : text);
const isVersion = (text: string, normalize = false): boolean => {
  try {
    read(text, normalize);
    return true;
  } catch {
    return false;
  }
};

export function addVersions(functions: Functions): void {
  const type = 'kubernetes.Semver';
  functions
    .add('semver', 'string_to_semver', `(string) ${type}`, (text: string) => read(text))
    .add('semver', 'string_bool_to_semver', `(string, bool) ${type}`, read)
    .add('isSemver', 'is_semver_string', '(string) bool', (text: string) => isVersion(text))
    .add('isSemver', 'is_semver_string_bool', '(string, bool) bool', isVersion)
    .member('major', 'semver_major', `(${type}) int`, ({ numbers }: CelVersion) => numbers[0])
    .member('minor', 'semver_minor', `(${type}) int`, ({ numbers }: CelVersion) => numbers[1])
    .member('patch', 'semver_patch', `(${type}) int`, ({ numbers }: CelVersion) => numbers[2]);
  const pair = (name: string, id: string, result: string, run: (order: number) => unknown) =>
    functions.member(name, id, `(${type}, ${type}) ${result}`, (a: CelVersion, b: CelVersion) =>
      run(compareVersions(a, b)),
    );
  pair('isGreaterThan', 'semver_is_greater_than', 'bool', (order) => order > 0);
  pair('isLessThan', 'semver_is_less_than', 'bool', (order) => order < 0);
  pair('compareTo', 'semver_compare_to', 'int', (order) => BigInt(order));
}
