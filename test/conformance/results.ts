import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { absentImages } from './images.ts';

/** The published list: name, file and the release since which it is part of conformance. */
const testsPath = join(import.meta.dirname, 'tests.tsv');
const resultsPath = join(import.meta.dirname, 'results.tsv');
const documentPath = join(import.meta.dirname, '../../docs/conformance.md');

export interface ConformanceTest {
  name: string;
  file: string;
}

export type Outcome = 'passed' | 'failed' | 'not run';

export interface Result {
  name: string;
  outcome: Outcome;
  /** One line; empty when it passed. */
  reason: string;
  seconds: number;
  /** UTC, to the minute. */
  when: string;
  /** What was tested; a `+` behind it says that the checkout had changes. */
  commit: string;
}

export function conformanceTests(): ConformanceTest[] {
  return readFileSync(testsPath, 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [name, file] = line.split('\t');
      return { name, file };
    });
}

/** Tags stand elsewhere in the published names than in those of the suite: a name without regard to their order. */
export function normalizedName(name: string): string {
  const tag = /\[[A-Z][^\]\s]*\]/g;
  const words = name.replaceAll(tag, ' ').replace(/\s+/g, ' ').trim();
  return [words, ...new Set((name.match(tag) ?? []).sort())].join(' ');
}

export function readResults(): Map<string, Result> {
  const results = new Map<string, Result>();
  if (!existsSync(resultsPath)) return results;
  for (const line of readFileSync(resultsPath, 'utf8').split('\n').slice(1)) {
    const [name, outcome, seconds, when, commit, reason] = line.split('\t');
    if (name !== '') results.set(name, { name, outcome: outcome as Outcome, seconds: +seconds, when, commit, reason });
  }
  return results;
}

/** Adds to the accumulated results (of several runs at once, perhaps), and writes the page that is made of nothing else. */
export function recordResults(fresh: Result[]): void {
  const results = readResults();
  for (const result of fresh) results.set(result.name, result);
  const rows = [...results.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  const line = (row: Result) => [row.name, row.outcome, row.seconds, row.when, row.commit, row.reason].join('\t');
  writeFileSync(resultsPath, `${['name\toutcome\tseconds\twhen\tcommit\treason', ...rows.map(line)].join('\n')}\n`);
  writeFileSync(documentPath, conformancePage(conformanceTests(), results));
}

/** `docs/conformance.md`: the totals by sig, then every test. */
export function conformancePage(tests: ConformanceTest[], results: Map<string, Result>): string {
  const outcomeOf = (name: string): Outcome => results.get(name)?.outcome ?? 'not run';
  const count = (list: ConformanceTest[], outcome: Outcome) =>
    list.filter((test) => outcomeOf(test.name) === outcome).length;
  const sigs = [...new Set(tests.map((test) => sigOf(test.name)))].sort();
  const row = (label: string, list: ConformanceTest[]) =>
    `| ${label} | ${list.length} | ${count(list, 'passed')} | ${count(list, 'failed')} | ${count(list, 'not run')} |`;
  const page = [
    '# Conformance',
    '',
    'Every conformance test of the Kubernetes v1.36 end-to-end suite, run unchanged against `skypod up` with real containers by',
    '`make conformance` (`FOCUS=regex` and `SKIP=regex` choose tests; only the rows of tests that ran change). Made from',
    '`test/conformance/results.tsv`; neither is edited by hand. A commit with `+` had further changes in the checkout.',
    '',
    '| sig | tests | passed | failed | not run |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...sigs.map((sig) =>
      row(
        sig,
        tests.filter((test) => sigOf(test.name) === sig),
      ),
    ),
    row('**all**', tests),
    '',
  ];
  page.push('Images of the suite that are not packed:', '');
  for (const [image, why] of Object.entries(absentImages)) page.push(`- ${image}: ${why}`);
  page.push('');
  for (const sig of sigs) {
    page.push(`## ${sig}`, '', '| test | outcome | tested | why |', '| --- | --- | --- | --- |');
    for (const test of tests.filter((candidate) => sigOf(candidate.name) === sig)) {
      const result = results.get(test.name);
      const name = test.name.replace(/^\[[^\]]*\] /, '').replaceAll(' [Conformance]', '');
      const tested = result === undefined ? '' : `${result.when} ${result.commit}`;
      const cells = [name, result?.outcome ?? 'not run', tested, result?.reason ?? 'not tried yet'];
      page.push(`| ${cells.map(inTable).join(' | ')} |`);
    }
    page.push('');
  }
  return page.join('\n');
}

function sigOf(name: string): string {
  return /^\[(.*?)\]/.exec(name)?.[1] ?? 'none';
}

function inTable(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}
