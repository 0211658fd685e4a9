import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BeyondTests, knownCause } from './beyond.ts';
import { absentImages } from './images.ts';

const directory = import.meta.dirname;
/** The published list: name, file and the release since which it is part of conformance. */
const testsPath = join(directory, 'tests.tsv');

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

function conformanceTests(): ConformanceTest[] {
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

/** A list of tests, where its accumulated outcomes are kept, and the page made of them. */
export interface TestList {
  tests: ConformanceTest[];
  resultsPath: string;
  documentPath: string;
  page(results: Map<string, Result>): string;
}

export function conformanceList(): TestList {
  const tests = conformanceTests();
  return {
    tests,
    resultsPath: join(directory, 'results.tsv'),
    documentPath: join(directory, '../../docs/conformance.md'),
    page: (results) => conformancePage(tests, results),
  };
}

/** `make conformance BEYOND=1`: tests are known by the suite's own words. */
export function beyondList({ chosen, left }: BeyondTests): TestList {
  const tests = chosen.map((spec) => ({ name: spec.text, file: spec.file }));
  tests.sort((one, other) => (one.name < other.name ? -1 : 1));
  return {
    tests,
    resultsPath: join(directory, 'beyond.tsv'),
    documentPath: join(directory, '../../docs/conformance-beyond.md'),
    page: (results) => beyondPage(tests, left, results),
  };
}

export function readResults({ resultsPath }: TestList): Map<string, Result> {
  const results = new Map<string, Result>();
  if (!existsSync(resultsPath)) return results;
  for (const line of readFileSync(resultsPath, 'utf8').split('\n').slice(1)) {
    const [name, outcome, seconds, when, commit, reason] = line.split('\t');
    if (name !== '') results.set(name, { name, outcome: outcome as Outcome, seconds: +seconds, when, commit, reason });
  }
  return results;
}

/** Adds to the accumulated results (of several runs at once, perhaps), and writes the page that is made of nothing else. */
export function recordResults(list: TestList, fresh: Result[]): void {
  const results = readResults(list);
  for (const result of fresh) results.set(result.name, result);
  const names = new Set(list.tests.map((test) => test.name));
  const rows = [...results.values()]
    .filter((row) => names.has(row.name))
    .sort((left, right) => (left.name < right.name ? -1 : 1));
  const line = (row: Result) => [row.name, row.outcome, row.seconds, row.when, row.commit, row.reason].join('\t');
  writeFileSync(
    list.resultsPath,
    `${['name\toutcome\tseconds\twhen\tcommit\treason', ...rows.map(line)].join('\n')}\n`,
  );
  writeFileSync(list.documentPath, list.page(results));
}

const conditions = [
  '',
  'The tenant is one that the operator trusts with the machine (`--privileged-tenants`: some tests run privileged containers), and',
  'its nodes show the size of the pool (`--node-capacity`: some tests fill them).',
];

/** `docs/conformance.md`: the totals by sig, then every test. */
function conformancePage(tests: ConformanceTest[], results: Map<string, Result>): string {
  const page = [
    '# Conformance',
    '',
    'Every conformance test of the Kubernetes v1.36 end-to-end suite, run unchanged against `skypod up` with real containers by',
    '`make conformance` (`FOCUS=regex` and `SKIP=regex` choose tests; only the rows of tests that ran change). Made from',
    '`test/conformance/results.tsv`; neither is edited by hand. A commit with `+` had further changes in the checkout.',
    ...conditions,
    '',
    ...totals(tests, results),
    'Images of the suite that are not packed:',
    '',
    ...Object.entries(absentImages).map(([image, why]) => `- ${image}: ${why}`),
    '',
    ...testsBySig(tests, results),
  ];
  return page.join('\n');
}

/** `docs/conformance-beyond.md`: the totals by sig, what was left out, then every test that has not passed. */
function beyondPage(tests: ConformanceTest[], left: Map<string, number>, results: Map<string, Result>): string {
  const page = [
    '# Beyond conformance',
    '',
    'The tests of the Kubernetes v1.36 end-to-end suite that are not conformance tests and make sense on any cluster, run unchanged',
    'against `skypod up` with real containers by `make conformance BEYOND=1` (`FOCUS` and `SKIP` as there). Made from',
    '`test/conformance/beyond.tsv`, which also names those that passed; neither is edited by hand. A commit with `+` had further',
    'changes in the checkout.',
    ...conditions,
    '',
    ...totals(tests, results),
    'Left out by name (`test/conformance/beyond.ts`):',
    '',
    '| why | tests |',
    '| --- | ---: |',
    ...[...left].map(([why, count]) => `| ${inTable(why)} | ${count} |`),
    '',
    ...testsBySig(
      tests.filter((test) => results.get(test.name)?.outcome !== 'passed'),
      results,
    ),
  ];
  return page.join('\n');
}

function totals(tests: ConformanceTest[], results: Map<string, Result>): string[] {
  const outcomeOf = (name: string): Outcome => results.get(name)?.outcome ?? 'not run';
  const count = (list: ConformanceTest[], outcome: Outcome) =>
    list.filter((test) => outcomeOf(test.name) === outcome).length;
  const row = (label: string, list: ConformanceTest[]) =>
    `| ${label} | ${list.length} | ${count(list, 'passed')} | ${count(list, 'failed')} | ${count(list, 'not run')} |`;
  return [
    '| sig | tests | passed | failed | not run |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...[...bySig(tests)].map(([sig, list]) => row(sig, list)),
    row('**all**', tests),
    '',
  ];
}

function testsBySig(tests: ConformanceTest[], results: Map<string, Result>): string[] {
  return [...bySig(tests)].flatMap(([sig, list]) => [
    `## ${sig}`,
    '',
    '| test | outcome | tested | why |',
    '| --- | --- | --- | --- |',
    ...list.map((test) => {
      const result = results.get(test.name);
      const name = test.name.replace(/^\[[^\]]*\] /, '').replaceAll(' [Conformance]', '');
      const tested = result === undefined ? '' : `${result.when} ${result.commit}`;
      const cause = result?.outcome === 'passed' ? undefined : knownCause(test.name);
      const said = result?.reason ?? 'not tried yet';
      const why = cause === undefined ? said : `**${cause}**; ${said}`;
      const cells = [name, result?.outcome ?? 'not run', tested, why];
      return `| ${cells.map(inTable).join(' | ')} |`;
    }),
    '',
  ]);
}

function bySig(tests: ConformanceTest[]): Map<string, ConformanceTest[]> {
  const sigs = [...new Set(tests.map((test) => sigOf(test.name)))].sort();
  return new Map(sigs.map((sig) => [sig, tests.filter((test) => sigOf(test.name) === sig)]));
}

function sigOf(name: string): string {
  return /^\[(.*?)\]/.exec(name)?.[1] ?? 'none';
}

function inTable(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}
