import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Twin } from '../differential/twin.ts';
import { filesOf, moduleDirectory } from './modules.ts';

const module = 'k8s.io/pod-security-admission@v0.36.0';

/**
 * The pods that Kubernetes itself tests the pod security levels with, each in a namespace that enforces the level and
 * version it is for.
 */
export async function comparePodSecurity(twin: Twin): Promise<void> {
  const directory = moduleDirectory(module);
  if (directory instanceof Error) return console.log(`NOT HAD ${module}: ${directory.message}`);
  const namespaces = new Set<string>();
  for (const path of filesOf(join(directory, 'test/testdata'))) {
    const [, level, version, file] = /\/(baseline|restricted)\/(v1\.\d+)\/((?:pass|fail)\/.*)$/.exec(path) ?? [];
    if (level === undefined || version === undefined) continue;
    const namespace = `${level}-${version.replace('.', '-')}`;
    if (!namespaces.has(namespace)) await makeNamespace(twin, namespace, level, version);
    namespaces.add(namespace);
    const body = parse(readFileSync(path, 'utf8'));
    const target = `/api/v1/namespaces/${namespace}/pods?dryRun=All&fieldManager=public`;
    await twin.ask(`${namespace} ${file}`, { method: 'POST', path: target, body });
  }
}

async function makeNamespace(twin: Twin, name: string, level: string, version: string): Promise<void> {
  const label = 'pod-security.kubernetes.io';
  const labels = { [`${label}/enforce`]: level, [`${label}/enforce-version`]: version };
  const path = '/api/v1/namespaces';
  await twin.prepare({ method: 'POST', path, body: { metadata: { name, labels } } });
  const accounts = `${path}/${name}/serviceaccounts`;
  await twin.prepare({ method: 'POST', path: accounts, body: { metadata: { name: 'default' } } });
}
