import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { exchange, exchangeDirectory, exchangeLists, nameOfExchange } from './testing/exchanges.ts';
import { ask, comparable, type GoldenCase, goldenBases, goldenDirectory, knownDifferences } from './testing/golden.ts';
import { startOurs } from './testing/golden-server.ts';

// What kube-apiserver v1.36.0 finds in unsound objects and answers to requests, and we must:
// test/validation/record.ts writes it down. differences.txt names the cases in which we say something else.
const linesOf = <T>(file: URL): T[] => {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
};
const nameOf = (label: string, { on, set, to }: GoldenCase): string => `${label} ${on} ${set} = ${JSON.stringify(to)}`;

describe('validation, beside kube-apiserver’s', { timeout: 300_000 }, () => {
  let server: Awaited<ReturnType<typeof startOurs>>;
  const known = knownDifferences();
  const compare = (name: string, ours: unknown, theirs: unknown) => {
    const isSame = JSON.stringify(sorted(ours)) === JSON.stringify(sorted(theirs));
    if (known.has(name)) assert.ok(!isSame, `${name} is right now: take it out of differences.txt`);
    else assert.deepEqual(sorted(ours), sorted(theirs), name);
  };
  before(async () => {
    server = await startOurs();
  });
  after(() => server?.close());

  for (const base of goldenBases()) {
    it(base.label, async () => {
      const cases = linesOf<GoldenCase>(new URL(`${base.label}.jsonl`, goldenDirectory));
      const asked = cases.map((one) => ({ change: { set: one.set, to: one.to }, on: one.on }));
      const answers = await ask(base, asked, server.ask);
      for (const [index, golden] of cases.entries()) {
        compare(nameOf(base.label, golden), comparable(answers[index]!), golden.findings);
      }
    });
  }

  for (const { label, exchanges } of exchangeLists()) {
    it(`answers: ${label}`, async () => {
      const answers = await exchange(exchanges, server.ask);
      const recorded = linesOf(new URL(`${label}.jsonl`, exchangeDirectory));
      assert.equal(recorded.length, exchanges.length, `${label} has changed: record it again`);
      for (const [index, one] of exchanges.entries()) {
        compare(nameOfExchange(label, index, one), answers[index], recorded[index]);
      }
    });
  }
});

/** With the keys of every object in one order. */
function sorted(value: any): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, sorted(item)]));
}
