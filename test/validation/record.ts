import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { schemaOfKind } from '../../src/api/generated-schema.ts';
import { parseApiVersion } from '../../src/api/object.ts';
import { askOf } from '../../src/apiserver/testing/ask.ts';
import { exchange, exchangeDirectory, exchangeLists } from '../../src/apiserver/testing/exchanges.ts';
import {
  ask,
  comparable,
  type GoldenBase,
  type GoldenCase,
  goldenBases,
  goldenDirectory,
} from '../../src/apiserver/testing/golden.ts';
import { type Spoiled, spoil, spoilMissing } from '../../src/apiserver/testing/spoil.ts';
import { ensure, startKubernetesPeer } from '../peers/servers.ts';

// Asks a kube-apiserver what it finds in every spoilt form of the objects in bases.yaml, and what it answers to the
// lists of exchanges/, and writes that down:
// scripts/run test/validation/record.ts

/** Where kube-apiserver's answer is no rule but a circumstance of this machine, or a fault of its own. */
const unasked = (label: string, { set, to }: { set: string; to: unknown }): boolean =>
  // It dereferences a null pointer.
  (label === 'Job-a' && (set === 'spec.completions' || set === 'spec')) ||
  // Privileged containers are off by its command line.
  set.endsWith('.privileged') ||
  // Dry runs keep the health check port they try.
  (label === 'Service-a' && set === 'metadata.name') ||
  (set === 'metadata' && to === undefined);

/** Pods in all detail; templates of them once, and the kinds of a volume once. */
const seen = new Set<string>();
const templates = new Set(['spec.template.spec', 'spec.jobTemplate.spec.template.spec', 'template.spec']);

function missingOf({ object }: GoldenBase): Iterable<Spoiled> {
  const { group, version } = parseApiVersion(object.apiVersion);
  const isFirst = !seen.has(object.kind);
  seen.add(object.kind);
  if (!isFirst && object.kind !== 'Service') return [];
  const skip = object.kind === 'Deployment' || object.kind === 'Job' ? new Set<string>() : templates;
  return spoilMissing(object, schemaOfKind(group, version, object.kind)!, skip);
}

const hungUp = '500  hung up';
/** One of its own controllers wrote in between. */
const raced = /^409 Conflict .*the object has been modified/;

const directory = mkdtempSync(join(tmpdir(), 'skypod-record-'));
const peer = await startKubernetesPeer(directory);
try {
  await ensure(peer.endpoint, '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
  const server = askOf(peer.endpoint);
  for (const file of readdirSync(goldenDirectory)) {
    if (file.endsWith('.jsonl')) rmSync(new URL(file, goldenDirectory));
  }
  // It falls over some of them (a schema without a type in a list); a fault of its own is no rule.
  const patient: typeof server.ask = (...request) =>
    server.ask(...request).catch(() => ({ code: 500, body: 'hung up', warnings: [] }));
  let total = 0;
  for (const base of goldenBases()) {
    const changes = [...spoil(base.object), ...missingOf(base)].filter((change) => !unasked(base.label, change));
    const cases = (['create', 'update'] as const).flatMap((on) =>
      changes.filter(({ set }) => on === 'create' || !set.startsWith('metadata')).map((change) => ({ change, on })),
    );
    const answers = await ask(base, cases, patient);
    const lines: string[] = [];
    const known = new Set<string>();
    for (const [index, { change, on }] of cases.entries()) {
      const findings = comparable(answers[index]!);
      if (findings.length === 0 || findings[0] === hungUp || raced.test(findings[0]!)) continue;
      // Updates that find what a fresh object would show nothing new, nor does the same wrong under other numbers.
      const place = change.set.replace(/\d+/g, '#');
      const keys = findings
        .map((finding) => finding.replaceAll(JSON.stringify(change.to), '…').replace(/value: -?\d+/g, 'value: N'))
        .map((finding) => (finding.includes('may not change fields other than') ? finding : `${place} ${finding}`));
      if (keys.every((key) => known.has(key))) continue;
      for (const key of keys) known.add(key);
      const golden: GoldenCase = { on, set: change.set, to: change.to, findings };
      lines.push(JSON.stringify(golden));
    }
    total += lines.length;
    writeFileSync(new URL(`${base.label}.jsonl`, goldenDirectory), `${lines.join('\n')}\n`);
    console.log(`${base.label}: ${lines.length} of ${cases.length}`);
  }
  console.log(`${total} cases`);
  for (const { label, exchanges } of exchangeLists()) {
    const answers = await exchange(exchanges, server.ask);
    const lines = answers.map((answer) => JSON.stringify(answer));
    writeFileSync(new URL(`${label}.jsonl`, exchangeDirectory), `${lines.join('\n')}\n`);
    console.log(`${label}: ${lines.length} answers`);
  }
  server.close();
} finally {
  await peer.destroy();
  rmSync(directory, { recursive: true, force: true });
}
