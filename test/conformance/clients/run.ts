import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runCommand } from '../../lib/run-command.ts';
import { type Skypod, startSkypod } from '../../lib/skypod.ts';
import { buildPrograms } from '../build.ts';
import { helmScenario } from './helm-scenario.ts';
import { kubectlScenario } from './kubectl-scenario.ts';
import { goClient, helmOf, helmVersions, kubectlMinors, kubectlOf, pythonWithClient } from './programs.ts';
import type { CheckResult } from './steps.ts';

/**
 * Real clients against a Skypod with the simulated runtime: one line a client and check, and plainly what was not run.
 * `--only REGEX` for some of the clients.
 */
const { values: flags } = parseArgs({ options: { only: { type: 'string' } } });
const only = flags.only === undefined ? undefined : new RegExp(flags.only);
const pythonClientVersion = '34.1.0';

type Client = (skypod: Skypod, kubeconfig: string) => Promise<CheckResult[]>;

/** A program that prints `ok NAME` or `FAIL NAME WHY`, parted by tabs. */
async function program(file: string, args: string[]): Promise<CheckResult[]> {
  const { code, stdout, stderr } = await runCommand(file, args);
  const results = stdout
    .split('\n')
    .filter((line) => /^(ok|FAIL)\t/.test(line))
    .map((line): CheckResult => {
      const [outcome, name, problem] = line.split('\t');
      return outcome === 'ok' ? { name: name! } : { name: name!, problem: problem ?? 'failed' };
    });
  const reported = results.some(({ problem }) => problem !== undefined);
  if (code !== 0 && !reported) results.push({ name: 'the program itself', problem: stderr.slice(-1000) });
  return results;
}

const clients: Record<string, () => Client> = {
  'client-go v0.36.0': () => {
    const path = goClient();
    return (_skypod, kubeconfig) => program(path, [kubeconfig]);
  },
  [`Python kubernetes ${pythonClientVersion}`]: () => {
    const python = pythonWithClient(pythonClientVersion);
    return (_skypod, kubeconfig) => program(python, [join(import.meta.dirname, 'python', 'check.py'), kubeconfig]);
  },
  '@kubernetes/client-node': () => (_skypod, kubeconfig) =>
    program(process.execPath, [join(import.meta.dirname, 'javascript.ts'), kubeconfig]),
  'kubectl v1.36.0': () => {
    const { kubectl } = buildPrograms(['kubectl']);
    return (_skypod, kubeconfig) => kubectlScenario(kubectl, kubeconfig, 'kubectl-36');
  },
  ...Object.fromEntries(
    kubectlMinors.map((minor) => [
      `kubectl v1.${minor}.0`,
      () => {
        const path = kubectlOf(minor);
        return (_skypod: Skypod, kubeconfig: string) => kubectlScenario(path, kubeconfig, `kubectl-${minor}`);
      },
    ]),
  ),
  ...Object.fromEntries(
    helmVersions.map((version) => [
      `Helm ${version}`,
      () => {
        const path = helmOf(version);
        const { kubectl } = buildPrograms(['kubectl']);
        return (_skypod: Skypod, kubeconfig: string) => helmScenario(path, kubectl, kubeconfig, `helm-${version[1]}`);
      },
    ]),
  ),
};

const skypod = await startSkypod({ runtime: 'simulated' });
const counts = { ok: 0, failed: 0, notRun: 0 };
try {
  for (const [name, prepare] of Object.entries(clients)) {
    if (only !== undefined && !only.test(name)) continue;
    let client: Client;
    try {
      client = prepare();
    } catch (error) {
      counts.notRun++;
      console.log(`NOT RUN ${name}: ${(error as Error).message}`);
      continue;
    }
    for (const result of await client(skypod, join(skypod.dataDir, 'kubeconfig'))) {
      if (result.problem === undefined) counts.ok++;
      else counts.failed++;
      const outcome = result.problem === undefined ? 'ok     ' : 'FAIL   ';
      console.log(`${outcome} ${name}: ${result.name}${result.problem === undefined ? '' : `: ${result.problem}`}`);
    }
  }
} finally {
  await skypod.destroy();
}
console.log(`${counts.ok} checks ok, ${counts.failed} failed, ${counts.notRun} clients not run`);
process.exitCode = counts.failed === 0 ? 0 : 1;
