import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readAllowList } from './differential/allow-list.ts';
import { HttpClient } from './differential/client.ts';
import { normaliser } from './differential/normalise.ts';
import { printReport } from './differential/report.ts';
import { startSkypodAlone, tenantPrefix } from './differential/skypod-server.ts';
import { suites, wideSuites } from './differential/suites/index.ts';
import { type Recorded, type Side, Twin } from './differential/twin.ts';
import type { Endpoint } from './http2-client.ts';
import { missingForKubernetes, removeDirectory, startKubernetesPeer } from './servers.ts';

/**
 * The same requests to Skypod and to kube-apiserver with etcd; every difference that a client could notice is printed,
 * and those that differential/allowed.txt does not explain fail the run.
 */
const { values: flags } = parseArgs({
  options: {
    /** Names of suites, by a regular expression; some are run only so. */
    only: { type: 'string' },
    /** Everything found, one JSON line a difference. */
    json: { type: 'string' },
    /** A file of a kube-apiserver that stays: made by the first run that names it, used by later ones. */
    peer: { type: 'string' },
    /** Prints allowed differences too. */
    all: { type: 'boolean', default: false },
  },
});

const directory = mkdtempSync(join(tmpdir(), `skypod-differential-${process.pid}-`));
const closing: (() => unknown)[] = [];

async function kubernetesEndpoint(): Promise<Endpoint> {
  if (flags.peer !== undefined && existsSync(flags.peer)) return JSON.parse(readFileSync(flags.peer, 'utf8'));
  const missing = missingForKubernetes();
  if (missing !== undefined) throw new Error(`kube-apiserver cannot be started here: ${missing}`);
  const peer = await startKubernetesPeer(directory);
  if (flags.peer === undefined) closing.push(() => peer.destroy());
  else writeFileSync(flags.peer, JSON.stringify({ ...peer.endpoint, pids: peer.pids, directory }));
  return peer.endpoint;
}

const recorded: Recorded[] = [];
/** The suite that is being run. */
let unfinished: Twin | undefined;

async function run(): Promise<boolean> {
  const skypod = await startSkypodAlone(join(directory, 'skypod'));
  closing.push(() => skypod.close());
  const kubernetes = await kubernetesEndpoint();
  // Names of the run: a peer that stays knows those of earlier ones.
  const id = Date.now().toString(36).slice(-6);
  const sideOf = (name: Side['name'], endpoint: Endpoint, prefix: string): Side => {
    const client = new HttpClient(endpoint, prefix);
    closing.push(() => client.close());
    const replacements: [RegExp | string, string][] = [[id, '<run>']];
    if (prefix !== '') replacements.push([prefix, '']);
    return { name, client, endpoint, prefix, normaliser: normaliser(replacements), notes: {} };
  };
  const kubernetesSide = sideOf('kubernetes', kubernetes, '');
  const skypodSide = sideOf('skypod', skypod.endpoint, tenantPrefix);
  const only = flags.only === undefined ? undefined : new RegExp(flags.only);
  for (const [name, suite] of Object.entries(only === undefined ? suites : { ...suites, ...wideSuites })) {
    if (only !== undefined && !only.test(name)) continue;
    const twin = new Twin(id, name, kubernetesSide, skypodSide);
    const begun = Date.now();
    unfinished = twin;
    try {
      await suite(twin);
    } catch (error) {
      const why = (error as Error).stack ?? String(error);
      twin.recorded.push({
        label: `${name}: the suite itself`,
        differences: [{ where: 'error', kubernetes: '', skypod: why }],
      });
    }
    recorded.push(...twin.recorded);
    unfinished = undefined;
    console.log(`${name}: ${twin.recorded.length} comparisons in ${((Date.now() - begun) / 1000).toFixed(1)} s`);
  }
  return report(only === undefined) === 0;
}

const allowed = (whole: boolean) =>
  whole
    ? readAllowList()
    : [...readAllowList(), ...readAllowList(new URL('differential/allowed-wide.txt', import.meta.url))];

const report = (whole: boolean): number =>
  printReport([...recorded, ...(unfinished?.recorded ?? [])], allowed(whole), {
    all: flags.all,
    whole,
    json: flags.json,
  });

const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => reject(new Error(`ended by ${signal}`)));
});
let passed = false;
try {
  passed = await Promise.race([run(), interrupted]);
} catch (error) {
  console.error(error);
  // What was found till then.
  report(false);
} finally {
  for (const close of closing.reverse()) await close();
  if (flags.peer === undefined) removeDirectory(directory);
}
process.exit(passed ? 0 : 1);
