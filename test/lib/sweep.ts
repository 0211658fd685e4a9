import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockHolder } from '../../src/compose/process-lock.ts';
import { eventually } from './eventually.ts';
import { runCommand } from './run-command.ts';
import { launcher } from './skypod.ts';

/** Clears what test processes that were killed have left: their Skypods, with containers, namespaces and data. */
for (const name of readdirSync(tmpdir())) {
  // Processes of these have ended with their test.
  const data = /^skypod-(?:ha|etcd)-(\d+)-/.exec(name)?.[1];
  if (data !== undefined && !isTestProcess(data)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  const owner = /^skypod-test-(\d+)-/.exec(name)?.[1];
  if (owner === undefined || isTestProcess(owner)) continue;
  const dataDir = join(tmpdir(), name);
  console.log(`clearing ${dataDir}, left by a test run that was killed`);
  const locks = ['up', 'control-plane', 'host'].map((process) => join(dataDir, 'run', `${process}.pid`));
  const supervisor = lockHolder(locks[0]);
  if (supervisor !== undefined) process.kill(supervisor, 'SIGTERM');
  await eventually('its processes have ended', () => locks.every((lock) => lockHolder(lock) === undefined));
  const down = await runCommand(launcher, ['down', '--data-dir', dataDir]);
  if (down.code !== 0) throw new Error(`could not clear ${dataDir}: ${down.stderr}`);
  rmSync(dataDir, { recursive: true, force: true });
}

function isTestProcess(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('.test.ts');
  } catch {
    return false;
  }
}
