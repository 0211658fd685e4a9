import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkout, startSkypod } from '../lib/skypod.ts';
import { beyondTests } from './beyond.ts';
import { buildPrograms, listSpecs, type Spec } from './build.ts';
import { serveSuiteImages } from './images.ts';
import { beyondList, conformanceList, normalizedName, type Result, readResults, recordResults } from './results.ts';
import { runBatch } from './run-batch.ts';

/**
 * `make conformance`: the suite against a fresh `skypod up`. Every finished batch updates the results at once, so a run
 * may be ended at any time.
 */
const { values } = parseArgs({
  options: {
    focus: { type: 'string', default: process.env.FOCUS ?? '' },
    skip: { type: 'string', default: process.env.SKIP ?? '' },
    /** Only tests whose last outcome is not `passed`. */
    'not-passed': { type: 'boolean', default: process.env.NOT_PASSED === '1' },
    jobs: { type: 'string', default: process.env.JOBS ?? '2' },
    'batch-size': { type: 'string', default: '6' },
    /** Of one test, in seconds; those that are slow by design get three times as much. */
    'spec-timeout': { type: 'string', default: process.env.SPEC_TIMEOUT ?? '300' },
    /** Logs and reports; kept when named. */
    output: { type: 'string', default: process.env.OUTPUT ?? '' },
    /** Some tests beyond conformance want three of them. */
    zones: { type: 'string', default: process.env.ZONES ?? '2' },
    /** The tests that are not conformance tests instead of those that are. */
    beyond: { type: 'boolean', default: process.env.BEYOND === '1' },
    list: { type: 'boolean', default: false },
  },
});

const programs = buildPrograms();
const specs = listSpecs(programs['e2e.test']);
const testList = values.beyond ? beyondList(beyondTests(specs)) : conformanceList();
// Two tests that differ in tags alone are two; only the published list has tags in another order.
const keyOf = values.beyond ? (text: string) => text : normalizedName;
const nameOf = new Map(testList.tests.map((test) => [keyOf(test.name), test.name]));
const results = readResults(testList);
const chosen = specs.filter((spec) => {
  const name = nameOf.get(keyOf(spec.text));
  if (name === undefined) return false;
  if (!new RegExp(values.focus).test(name) && !new RegExp(values.focus).test(spec.text)) return false;
  if (values.skip !== '' && new RegExp(values.skip).test(name)) return false;
  return !values['not-passed'] || results.get(name)?.outcome !== 'passed';
});
console.log(`${chosen.length} of ${nameOf.size} tests${values.beyond ? ' beyond conformance' : ' of conformance'}`);
if (values.list) for (const spec of chosen) console.log(spec.text);
else if (chosen.length > 0) await run();

async function run(): Promise<void> {
  const directory = values.output === '' ? mkdtempSync(join(tmpdir(), 'skypod-conformance-')) : values.output;
  mkdirSync(directory, { recursive: true });
  const commit = currentCommit();
  const images = await serveSuiteImages(programs);
  const repositoryList = join(directory, 'repositories.yaml');
  writeFileSync(repositoryList, images.repositoryList);
  const dataDir = mkdtempSync(join(tmpdir(), 'skypod-suite-'));
  const zones = Array.from({ length: Number(values.zones) }, (_, index) => `zone-${'abcdefgh'[index]}`);
  // Several tests run privileged containers, which only a tenant gets that is trusted with the machine.
  const args = ['--node-capacity', nodeCapacity(zones.length), '--privileged-tenants', 'default'];
  const skypod = await startSkypod({ runtime: 'containerd', zones, dataDir, args });
  const kubeconfig = join(skypod.dataDir, 'kubeconfig');
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort());
  const suiteFlags = [
    '--provider=skeleton',
    `--kubeconfig=${kubeconfig}`,
    `--kubectl-path=${programs.kubectl}`,
    `--kube-test-repo-list=${repositoryList}`,
    `--e2e-output-dir=${directory}`,
    '--dump-logs-on-failure=false',
    '--disable-log-dump',
  ];
  const seen = new Map<string, Result>();
  let number = 0;
  const worker = async (queue: Spec[], size: number): Promise<void> => {
    while (queue.length > 0 && !ending.signal.aborted) {
      const slow = isSlow(queue[0]);
      const nextSlow = queue.findIndex(isSlow);
      const batch = queue.splice(0, slow ? 1 : Math.min(size, nextSlow < 0 ? size : nextSlow));
      const outcomes = await runBatch(batch, {
        suitePath: programs['e2e.test'],
        flags: suiteFlags,
        // Some tests name their images before the flags are read, so the list is also in the environment.
        environment: {
          ...process.env,
          KUBE_TEST_REPO_LIST: repositoryList,
          KUBECACHEDIR: join(directory, 'kube-cache'),
        },
        directory,
        name: `batch-${String(++number).padStart(3, '0')}`,
        specTimeoutMs: Number(values['spec-timeout']) * (slow ? 3000 : 1000),
        signal: ending.signal,
      });
      // What fails because Skypod is no longer there says nothing of the tests.
      if (skypod.process.exitCode !== null || !existsSync(kubeconfig)) throw new Error('skypod up has gone');
      const when = new Date().toISOString().slice(0, 16).replace('T', ' ');
      const finished = new Set<string>();
      const fresh: Result[] = [];
      for (const { text, ...outcome } of outcomes) {
        const name = nameOf.get(keyOf(text))!;
        finished.add(text);
        fresh.push({ name, ...outcome, when, commit });
        console.log(`${outcome.outcome.padEnd(7)} ${String(outcome.seconds).padStart(4)} s  ${text}`);
        if (outcome.reason !== '') console.log(`        ${outcome.reason}`);
      }
      // What an interruption kept from running comes again; a batch without any result must not come for ever.
      const again = batch.filter((spec) => !finished.has(spec.text));
      if (outcomes.length > 0) queue.unshift(...again);
      else if (!ending.signal.aborted) for (const spec of again) fresh.push(notRun(spec, when));
      for (const result of fresh) seen.set(result.name, result);
      recordResults(testList, fresh);
    }
  };
  const notRun = (spec: Spec, when: string): Result => {
    const name = nameOf.get(keyOf(spec.text))!;
    return { name, outcome: 'not run', reason: 'the suite gave no result', seconds: 0, when, commit };
  };
  try {
    const parallel = chosen.filter((spec) => !spec.text.includes('[Serial]'));
    const serial = chosen.filter((spec) => spec.text.includes('[Serial]'));
    const size = Number(values['batch-size']);
    await Promise.all(Array.from({ length: Number(values.jobs) }, () => worker(parallel, size)));
    await worker(serial, 1);
  } finally {
    writeFileSync(join(directory, 'skypod.log'), skypod.output());
    await skypod.destroy();
    await images.release();
    if (values.output === '') rmSync(directory, { recursive: true, force: true });
  }
  const count = (outcome: string) => [...seen.values()].filter((result) => result.outcome === outcome).length;
  console.log(
    `${count('passed')} passed, ${count('failed')} failed, ${chosen.length - count('passed') - count('failed')} not run`,
  );
  if (count('failed') > 0) process.exitCode = 1;
}

/**
 * Some tests fill whole nodes: this pool is one machine, whose CPU is promised four times over (decision 5), in equal
 * shares. Its memory no test fills, and some compare what hosts make of it: that is the machine's.
 */
function nodeCapacity(zones: number): string {
  const cpus = Math.floor((availableParallelism() * 4) / zones);
  return `cpu=${cpus},memory=${totalmem()}`;
}

function isSlow(spec: Spec): boolean {
  return /\[(Slow|Serial|Disruptive)\]|issue 500 podspec updates|should \*not\* be restarted/.test(spec.text);
}

function currentCommit(): string {
  const git = (...words: string[]) => execFileSync('git', ['-C', checkout, ...words], { encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', '--untracked-files=no', '--', 'src', 'skypod') !== '';
  return git('rev-parse', '--short', 'HEAD') + (changed ? '+' : '');
}
