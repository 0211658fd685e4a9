import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../../lib/cache.ts';

/** Clients are made of published packages once and kept outside the repository. */
const directory = join(cacheDirectory, 'clients');

/** Minors of kubectl that clusters are met with; the module of v1.34.0 is v0.34.0. */
export const kubectlMinors = [30, 34];

export const helmVersions = ['v3.22.0', 'v4.3.1'];

export class Unavailable extends Error {}

function run(file: string, args: string[], cwd: string, variables: Record<string, string> = {}): void {
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false', ...variables };
  const result = spawnSync('nice', ['-n', '19', file, ...args], { cwd, env, encoding: 'utf8', maxBuffer: 64 << 20 });
  if (result.status === 0) return;
  const said = result.error?.message ?? result.stderr.trim().split('\n').slice(-5).join('; ');
  throw new Unavailable(`${file} ${args.join(' ')} failed: ${said}`);
}

function findGo(): string {
  for (const candidate of ['go', '/usr/local/go/bin/go', '/usr/lib/go/bin/go']) {
    if (spawnSync(candidate, ['version']).status === 0) return candidate;
  }
  throw new Unavailable('there is no go on PATH');
}

/** The program that checks client-go, by the state of its sources. */
export function goClient(): string {
  const source = join(import.meta.dirname, 'go');
  const hash = createHash('sha256');
  for (const name of readdirSync(source).sort()) hash.update(name).update(readFileSync(join(source, name)));
  return built(`client-go-${hash.digest('hex').slice(0, 16)}`, (path) => {
    run(findGo(), ['build', '-p', '1', '-ldflags', '-s -w', '-o', path, '.'], source);
  });
}

/** kubectl of another minor. */
export function kubectlOf(minor: number): string {
  return built(`kubectl-1.${minor}`, (path) => {
    const go = findGo();
    const module = join(directory, `kubectl-1.${minor}.module`);
    mkdirSync(module, { recursive: true });
    copyFileSync(join(import.meta.dirname, 'kubectl', 'main.go'), join(module, 'main.go'));
    const required = ['kubectl', 'component-base', 'client-go'].map((name) => `\tk8s.io/${name} v0.${minor}.0\n`);
    writeFileSync(join(module, 'go.mod'), `module kubectl\n\ngo 1.24.0\n\nrequire (\n${required.join('')})\n`);
    run(go, ['mod', 'tidy'], module);
    const version = `-X k8s.io/component-base/version.gitVersion=v1.${minor}.0`;
    run(go, ['build', '-p', '1', '-ldflags', `-s -w ${version}`, '-o', path, '.'], module);
  });
}

/** Helm of a major, e.g. v3.22.0. */
export function helmOf(version: string): string {
  return built(`helm-${version}`, (path) => {
    const major = version.slice(0, version.indexOf('.'));
    const bin = join(directory, `helm-${version}.bin`);
    mkdirSync(bin, { recursive: true });
    run(findGo(), ['install', '-p', '1', `helm.sh/helm/${major}/cmd/helm@${version}`], directory, { GOBIN: bin });
    copyFileSync(join(bin, 'helm'), path);
  });
}

/** A Python interpreter that has the `kubernetes` client. */
export function pythonWithClient(version: string): string {
  const environment = join(directory, `python-${version}`);
  const python = join(environment, 'bin', 'python3');
  const done = join(environment, 'installed');
  if (!existsSync(done)) {
    console.log(`installing Python's kubernetes ${version} …`);
    mkdirSync(directory, { recursive: true });
    run('python3', ['-m', 'venv', '--clear', environment], directory);
    run(python, ['-m', 'pip', 'install', '--quiet', `kubernetes==${version}`], directory);
    writeFileSync(done, '');
  }
  return python;
}

function built(name: string, build: (path: string) => void): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, name);
  if (existsSync(path)) return path;
  console.log(`building ${name} …`);
  const partial = `${path}.partial-${process.pid}`;
  build(partial);
  renameSync(partial, path);
  return path;
}
