import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cpuSeconds, printMachine, residentMiB } from '../lib/measure.ts';
import { type Encoding, PROTOBUF_TYPE } from './bodies.ts';
import type { LoadCommand, LoadMessage } from './load.ts';
import { type Measured, printLine } from './report.ts';
import {
  makeNamespace,
  missingForKubernetes,
  once,
  type PeerServer,
  removeDirectory,
  startKubernetesPeer,
  startSkypodPeer,
} from './servers.ts';
import type { Outcome, Workload } from './workloads.ts';

/**
 * Skypod beside kube-apiserver and etcd: the same load from the same generator, in turn, several rounds, on this
 * machine. Prints one line a figure with both servers' medians and their ratio. `--scale 0.1` is for trying it out,
 * `--only REGEX` for some of the figures, `--skypod-only` measures without a peer.
 */
const { values: flags } = parseArgs({
  options: {
    /** Of pods, operations and watchers. */
    scale: { type: 'string', default: '1' },
    rounds: { type: 'string' },
    only: { type: 'string' },
    'skypod-only': { type: 'boolean', default: false },
    /** Where both servers' data is: `/dev/shm` tells what is not the disk's, when others keep that busy. */
    directory: { type: 'string', default: tmpdir() },
    /** Writes every single measurement there, as JSON. */
    json: { type: 'string' },
  },
});
const rounds = Number(flags.rounds ?? 3);
const scale = Number(flags.scale);
const pods = Math.round(10_000 * scale);
const only = flags.only === undefined ? undefined : new RegExp(flags.only);

interface Case {
  name: string;
  /** Others stand on its pods. */
  makesPods?: boolean;
  unit: string;
  /** Wanted ratio of operations a second, by the issue. */
  budget?: number;
  workload: Workload;
}

/** Everything of one round, in the order it is done. */
function casesOf(round: number): Case[] {
  const namespace = `round-${round}`;
  const other = `round-${round}-protobuf`;
  const few = Math.max(3, Math.round(5 * scale));
  const json = { encoding: 'json', namespace, pods } as const;
  const protobuf = { encoding: 'protobuf', namespace, pods } as const;
  const parallel = 32;
  const watch = (to: string, encoding: Encoding, watchers: number, writers: number): Case => ({
    name: `watch, ${watchers} watchers, ${writers} writers, ${encoding === 'json' ? 'JSON' : encoding}`,
    unit: 'events/s',
    budget: 2,
    workload: {
      type: 'watch',
      encoding,
      namespace: to,
      watchers,
      parallel: writers,
      events: Math.ceil((watchers < 1000 ? 1000 : 200) * scale),
      prefix: `${encoding}-${watchers}-${writers}`,
    },
  });
  const patch = { type: 'patch', namespace, pods, count: Math.round(3000 * scale), parallel, value: round } as const;
  return [
    {
      name: 'create pods, JSON',
      makesPods: true,
      unit: '/s',
      budget: 1.5,
      workload: { ...json, type: 'create', count: pods, parallel },
    },
    {
      name: 'create pods, protobuf',
      unit: '/s',
      budget: 1.5,
      workload: { type: 'create', encoding: 'protobuf', namespace: other, count: Math.round(pods / 2), parallel },
    },
    { name: 'get a pod, JSON', unit: '/s', budget: 1, workload: { ...json, type: 'get', count: 2 * pods, parallel } },
    {
      name: 'get a pod, protobuf',
      unit: '/s',
      budget: 1,
      workload: { ...protobuf, type: 'get', count: 2 * pods, parallel },
    },
    {
      name: 'get a pod, JSON, one at a time',
      unit: '/s',
      workload: { ...json, type: 'get', count: Math.round(pods / 5), parallel: 1 },
    },
    { name: `LIST of ${pods} pods, JSON`, unit: '/s', budget: 1, workload: { ...json, type: 'list', count: few } },
    {
      name: `LIST of ${pods} pods, JSON, resourceVersion=0`,
      unit: '/s',
      budget: 1,
      workload: { ...json, type: 'list', count: few, query: '&resourceVersion=0' },
    },
    {
      name: `LIST of ${pods} pods, JSON, gzip`,
      unit: '/s',
      workload: { ...json, type: 'list', count: few, gzip: true },
    },
    {
      name: `LIST of ${pods} pods, protobuf`,
      unit: '/s',
      budget: 1,
      workload: { ...protobuf, type: 'list', count: few },
    },
    {
      name: `LIST of ${pods} pods in pages of 500, JSON`,
      unit: '/s',
      budget: 1,
      workload: { ...json, type: 'pages', limit: 500, count: few },
    },
    { name: 'merge patch', unit: '/s', workload: { ...patch, patch: 'merge' } },
    { name: 'strategic merge patch', unit: '/s', workload: { ...patch, patch: 'strategic' } },
    { name: 'server-side apply', unit: '/s', workload: { ...patch, patch: 'apply' } },
    // Few writers: the time of a write counts as much as the fan-out. Many: the fan-out alone, and as many as
    // kube-apiserver takes without ending watches that fall behind.
    watch(namespace, 'json', 100, 4),
    watch(namespace, 'json', 100, 32),
    watch(other, 'json', 1000, 8),
    watch(`${namespace}-watch`, 'protobuf', 100, 32),
    watch(`${namespace}-watch`, 'protobuf', 1000, 8),
    {
      name: 'mixed: 13 get, 4 patch, 2 create, 1 list of 20',
      unit: '/s',
      workload: { type: 'mixed', namespace, pods, count: pods, parallel, value: round },
    },
  ];
}

/** Those asked for, and what they stand on. */
function selectedCases(round: number): Case[] {
  const all = casesOf(round);
  if (only === undefined) return all;
  const selected = all.filter(({ name }) => only.test(name));
  const needsPods = selected.some(({ workload }) => 'pods' in workload);
  return all.filter((each) => selected.includes(each) || (needsPods && each.makesPods === true));
}

/** The generator: a process of its own, the same for every server. */
class Generator {
  readonly #child: ChildProcess = fork(join(import.meta.dirname, 'load.ts'), [], {
    execArgv: ['--max-semi-space-size=64'],
  });

  async run(server: PeerServer, workload: Workload): Promise<Outcome & { cpuSeconds: number; generatorCpu: number }> {
    const cpu = () => server.pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
    const own = () => cpuSeconds(this.#child.pid!);
    let before = { server: 0, generator: 0 };
    let after = { server: 0, generator: 0 };
    return await new Promise((resolve, reject) => {
      const onMessage = (message: LoadMessage) => {
        switch (message.type) {
          case 'start':
            before = { server: cpu(), generator: own() };
            return;
          case 'stop':
            after = { server: cpu(), generator: own() };
            return;
          case 'done':
            this.#child.off('message', onMessage);
            return resolve({
              ...message.outcome,
              cpuSeconds: after.server - before.server,
              generatorCpu: after.generator - before.generator,
            });
          case 'failed':
            this.#child.off('message', onMessage);
            return reject(new Error(`${server.name}: ${message.error}`));
        }
      };
      this.#child.on('message', onMessage);
      const command: LoadCommand = { endpoint: server.endpoint, workload };
      this.#child.send(command);
    });
  }

  close(): void {
    this.#child.disconnect();
  }
}

const directory = mkdtempSync(join(flags.directory, `skypod-peers-${process.pid}-`));
const generator = new Generator();
const servers: PeerServer[] = [];
const measured: Measured[] = [];
let failed = false;

function residentOf(server: PeerServer): number {
  return server.pids.reduce((sum, pid) => sum + residentMiB(pid), 0);
}

async function answersProtobuf(server: PeerServer): Promise<boolean> {
  const path = '/api/v1/namespaces/default';
  return (await once(server.endpoint, { method: 'GET', path, accept: PROTOBUF_TYPE })).status === 200;
}

async function run(): Promise<void> {
  servers.push(await startSkypodPeer(directory));
  const missing = flags['skypod-only'] ? 'not asked for' : missingForKubernetes();
  if (missing === undefined) servers.push(await startKubernetesPeer(directory));
  else console.log(`NOT RUN: kube-apiserver + etcd: ${missing}. Only Skypod's own figures follow.`);
  printMachine();
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const idle = servers.map(residentOf);
  const withoutProtobuf = new Set<PeerServer>();
  for (const server of servers) {
    if (await answersProtobuf(server)) continue;
    withoutProtobuf.add(server);
    console.log(`NOT RUN: protobuf with ${server.name}: it does not answer in protobuf`);
  }
  const results = new Map<string, Map<string, Measured[]>>();
  // Round 0 warms both up: compilers, caches, the file systems' and the generator's own.
  for (let round = 0; round <= rounds; round++) {
    const order = round % 2 === 0 ? servers : [...servers].reverse();
    for (const server of servers) {
      for (const suffix of ['', '-protobuf', '-watch']) await makeNamespace(server.endpoint, `round-${round}${suffix}`);
    }
    for (const each of selectedCases(round)) {
      for (const server of order) {
        if (each.name.includes('protobuf') && withoutProtobuf.has(server)) continue;
        const outcome = await generator.run(server, each.workload).catch((error: Error) => {
          // kube-apiserver ends watches that fall behind, on a busy machine even these. What others stand on must be.
          if (each.makesPods === true) throw error;
          console.log(`NOT MEASURED, round ${round}: ${each.name}: ${error.message.split('\n', 1)[0]}`);
          failed ||= server.name === 'Skypod';
          return undefined;
        });
        if (outcome === undefined || round === 0) continue;
        const one: Measured = {
          server: server.name,
          name: each.name,
          rate: outcome.operations / outcome.seconds,
          cpuMs: (outcome.cpuSeconds / outcome.operations) * 1000,
          generatorCpuMs: (outcome.generatorCpu / outcome.operations) * 1000,
          bytes: outcome.bytes / outcome.operations,
        };
        measured.push(one);
        const byServer = results.get(each.name) ?? new Map<string, Measured[]>();
        results.set(each.name, byServer);
        byServer.set(server.name, [...(byServer.get(server.name) ?? []), one]);
      }
    }
    if (round === rounds) break;
    for (const server of servers) {
      for (const suffix of ['', '-protobuf', '-watch']) {
        await generator.run(server, { type: 'clear', namespace: `round-${round}${suffix}` });
      }
    }
  }
  const names = servers.map((server) => server.name);
  for (const each of casesOf(rounds)) {
    const byServer = results.get(each.name);
    if (byServer !== undefined) printLine(each, names, byServer);
  }
  for (const [index, server] of servers.entries()) {
    const words = `${idle[index]!.toFixed(0)} MiB idle, ${residentOf(server).toFixed(0)} MiB with ${1.5 * pods} pods`;
    console.log(`resident memory: ${server.name.padEnd(24)} ${words}`);
  }
  if (flags.json !== undefined) writeFileSync(flags.json, JSON.stringify(measured, undefined, 1));
}

/** Whatever ends the run ends what it started. */
const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => reject(new Error(`ended by ${signal}`)));
});
try {
  await Promise.race([run(), interrupted]);
} catch (error) {
  console.error(error);
  failed = true;
} finally {
  generator.close();
  for (const server of servers) await server.destroy();
  if (failed) console.error(`what the servers said is in ${directory}`);
  else removeDirectory(directory);
}
process.exit(failed ? 1 : 0);
