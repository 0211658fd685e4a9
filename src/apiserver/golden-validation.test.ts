import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { openMemoryStore } from '../store/memory/memory-store.ts';
import { askOf } from './testing/ask.ts';
import { ask, comparable, type GoldenCase, goldenBases, goldenDirectory } from './testing/golden.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

// What kube-apiserver v1.36.0 finds in unsound objects, and we must: test/validation/record.ts writes the cases down.
// differences.txt names those where we still say something else: it may only get shorter.
const differences = new URL('differences.txt', goldenDirectory);
const casesOf = (label: string): GoldenCase[] => {
  const file = new URL(`${label}.jsonl`, goldenDirectory);
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
};
const nameOf = (label: string, { on, set, to }: GoldenCase): string => `${label} ${on} ${set} = ${JSON.stringify(to)}`;

describe('validation, beside kube-apiserver’s', { timeout: 300_000 }, () => {
  let server: TestServer;
  let ours: ReturnType<typeof askOf>;
  const known = new Set(existsSync(differences) ? readFileSync(differences, 'utf8').split('\n').filter(Boolean) : []);
  before(async () => {
    server = await startTestServer(openMemoryStore(), { tenants: ['a'] });
    const { port } = await server.server.listen({ host: '127.0.0.1', port: 0 });
    const user = await server.authority.issueTenantUser('a', 'admin', ['system:masters']);
    ours = askOf({
      host: '127.0.0.1',
      port,
      caPem: server.authority.certificatePem,
      ...user,
      prefix: '/clusters/a',
    });
  });
  after(async () => {
    ours?.close();
    await server?.close();
  });

  for (const base of goldenBases()) {
    it(base.label, async () => {
      const cases = casesOf(base.label);
      const asked = cases.map((one) => ({ change: { set: one.set, to: one.to }, on: one.on }));
      const answers = await ask(base, asked, ours.ask);
      for (const [index, golden] of cases.entries()) {
        const name = nameOf(base.label, golden);
        const found = comparable(answers[index]!);
        const isSame = JSON.stringify(found) === JSON.stringify(golden.findings);
        if (known.has(name)) assert.ok(!isSame, `${name} is right now: take it out of differences.txt`);
        else assert.deepEqual(found, golden.findings, name);
      }
    });
  }
});
