import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readReport, type Spec, type SpecReport, textOf } from './build.ts';
import type { Outcome } from './results.ts';

export interface BatchOptions {
  suitePath: string;
  /** Flags that are the same for all batches. */
  flags: string[];
  environment: NodeJS.ProcessEnv;
  /** Where logs and reports go; each batch takes files of its own. */
  directory: string;
  name: string;
  /** A test that takes longer is interrupted, and has failed. */
  specTimeoutMs: number;
  /** Ends the batch early; the test that runs then has no outcome. */
  signal: AbortSignal;
}

export interface SpecOutcome {
  text: string;
  outcome: Outcome;
  reason: string;
  seconds: number;
}

const GRACE_MS = 90_000;

/**
 * Runs tests one after another in one process of the suite. A test that hangs is interrupted, which ends the batch.
 * @returns outcomes of the tests that came to an end; the caller tries the others again.
 */
export async function runBatch(specs: Spec[], options: BatchOptions): Promise<SpecOutcome[]> {
  const reportPath = join(options.directory, `${options.name}.json`);
  const logPath = join(options.directory, `${options.name}.log`);
  const child = spawn(
    options.suitePath,
    [
      '--ginkgo.v',
      '--ginkgo.no-color',
      '--ginkgo.flake-attempts=0',
      '--ginkgo.timeout=24h',
      '--test.timeout=0',
      '--ginkgo.grace-period=60s',
      `--ginkgo.json-report=${reportPath}`,
      ...specs.map((spec) => `--ginkgo.focus=${escaped(spec.text)}$`),
      ...options.flags,
    ],
    { env: options.environment, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const log = createWriteStream(logPath);
  let current = '';
  let startedAt = Date.now();
  let interruptedAt: number | undefined;
  let rest = '';
  const watch = (chunk: Buffer) => {
    log.write(chunk);
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      // Ginkgo announces a test by a rule and then its words.
      const spec = line.startsWith('[sig-') ? specs.find((candidate) => line.startsWith(candidate.text)) : undefined;
      if (spec === undefined || spec.text === current || interruptedAt !== undefined) continue;
      current = spec.text;
      startedAt = Date.now();
    }
  };
  child.stdout.on('data', watch);
  child.stderr.on('data', watch);
  const abort = () => child.kill('SIGINT');
  options.signal.addEventListener('abort', abort);
  const timer = setInterval(() => {
    const now = Date.now();
    if (interruptedAt === undefined && now - startedAt > options.specTimeoutMs) {
      interruptedAt = now;
      child.kill('SIGINT');
    } else if (interruptedAt !== undefined && now - interruptedAt > GRACE_MS) child.kill('SIGKILL');
  }, 1000);
  const ended = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ?? `code ${code}`));
  });
  clearInterval(timer);
  options.signal.removeEventListener('abort', abort);
  await new Promise((resolve) => log.end(resolve));

  const tooLong = `took longer than ${options.specTimeoutMs / 1000} s`;
  if (!existsSync(reportPath)) {
    if (options.signal.aborted) return [];
    if (current === '') throw new Error(`the suite did not start (${ended}): ${lastLines(logPath)}`);
    const seconds = Math.round((Date.now() - startedAt) / 1000);
    const reason = interruptedAt === undefined ? `the suite ended with ${ended}` : tooLong;
    return [{ text: current, outcome: 'failed', reason, seconds }];
  }
  const { specs: reports } = readReport(reportPath);
  const broken = reports.find((report) => report.LeafNodeType !== 'It' && isFailure(report) && report.RunTime > 0);
  const outcomes = specs.flatMap((spec) => {
    const report = reports.find((candidate) => candidate.LeafNodeType === 'It' && textOf(candidate) === spec.text);
    return report === undefined ? [] : outcomeOf(report, tooLong, interruptedAt !== undefined);
  });
  if (outcomes.length === 0 && !options.signal.aborted && broken !== undefined) {
    throw new Error(`the suite failed before its first test: ${reasonOf(broken)}`);
  }
  return outcomes;
}

function outcomeOf(report: SpecReport, tooLong: string, timedOut: boolean): SpecOutcome[] {
  const base = { text: textOf(report), seconds: Math.round(report.RunTime / 1e9) };
  if (report.State === 'passed') return [{ ...base, outcome: 'passed', reason: '' }];
  if (report.State === 'interrupted' && report.RunTime > 0) {
    if (!timedOut) return [];
    return [{ ...base, outcome: 'failed', reason: `${tooLong} ${whereOf(report)}`.trim() }];
  }
  if (isFailure(report)) return [{ ...base, outcome: 'failed', reason: reasonOf(report) }];
  if (report.State === 'skipped' && report.RunTime > 0 && report.Failure !== undefined) {
    return [{ ...base, outcome: 'not run', reason: `the test skips itself: ${reasonOf(report)}` }];
  }
  return [];
}

function isFailure(report: SpecReport): boolean {
  return ['failed', 'panicked', 'timedout', 'aborted'].includes(report.State);
}

/** The failure in one line: the message's words without what Gomega prints around them, and the line it came from. */
function reasonOf(report: SpecReport): string {
  const message = (report.Failure?.Message ?? report.State)
    .replace(/\{[^{}]*(Status|TypeMeta)[\s\S]*/, '')
    // Answers in protobuf are quoted as they came.
    .replace(/[^\x20-\x7e]+/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  const cut = message.length > 260 ? `${message.slice(0, 260)} …` : message;
  return `${cut} ${whereOf(report)}`.trim();
}

function whereOf(report: SpecReport): string {
  const location = report.Failure?.Location;
  if (location?.FileName === undefined || location.FileName === '') return '';
  return `(${location.FileName.replace(/^.*\/test\/e2e\//, '')}:${location.LineNumber})`;
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

function lastLines(path: string): string {
  return readFileSync(path, 'utf8').trim().split('\n').slice(-5).join('\n');
}
