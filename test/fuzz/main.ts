import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describeFinding, type Finding, fuzz } from './fuzz.ts';

/**
 * scripts/run test/fuzz/main.ts [--inputs N] [--seed N] [--from N]: sends what no one should send to an API server in
 * this process, and tells what it should not have done. The same seed sends the same inputs.
 */
const { values: flags } = parseArgs({
  options: {
    inputs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    slow: { type: 'string', default: '500' },
    /** Findings of one kind shown in full. */
    show: { type: 'string', default: '2' },
  },
});

setFlagsFromString('--expose-gc');
globalThis.gc = runInNewContext('gc') as typeof globalThis.gc;

const kinds = new Map<string, number>();
/** Without what differs from input to input. */
const kindOf = ({ what }: Finding) =>
  what
    .split('\n')
    .slice(0, 3)
    .join('\n')
    .replace(/"[^"]*"/g, '""')
    .replace(/\d+/g, '#')
    .slice(0, 300);

const startMs = performance.now();
const report = await fuzz({
  seed: Number(flags.seed),
  from: Number(flags.from),
  inputs: Number(flags.inputs),
  slowMs: Number(flags.slow),
  onFinding(finding) {
    const kind = kindOf(finding);
    const seen = (kinds.get(kind) ?? 0) + 1;
    kinds.set(kind, seen);
    if (seen <= Number(flags.show)) console.log(describeFinding(finding));
  },
  onProgress(done) {
    if (done % 10_000 === 0) console.log(`${done} inputs, ${kinds.size} kinds of findings`);
  },
});
const seconds = (performance.now() - startMs) / 1000;
console.log(
  `${report.inputs} inputs of seed ${flags.seed} in ${Math.round(seconds)} s; answers: ${JSON.stringify(report.byCode)}; ` +
    `slowest ${Math.round(report.slowestMs)} ms; heap growth ${Math.round(report.heapGrowthBytes / 2 ** 20)} MiB`,
);
for (const [kind, count] of kinds) console.log(`${count} x ${kind}`);
process.exitCode = kinds.size === 0 ? 0 : 1;
