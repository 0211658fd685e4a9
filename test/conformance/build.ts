import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../lib/cache.ts';

const suiteDirectory = join(import.meta.dirname, 'suite');
const KUBERNETES_VERSION = 'v1.36.0';

/** Programs made of published Go modules only; each is cached outside the repository. */
export const programs = {
  'e2e.test': { package: '.', cgo: true, test: true },
  kubectl: { package: 'k8s.io/kubernetes/cmd/kubectl', cgo: false, test: false },
  agnhost: { package: 'k8s.io/kubernetes/test/images/agnhost', cgo: false, test: false },
  nnp: { package: 'k8s.io/kubernetes/test/images/nonewprivs', cgo: false, test: false },
  'sample-apiserver': { package: 'k8s.io/sample-apiserver', cgo: false, test: false },
  // Not for the suite: test/peers/ measures it.
  'kube-apiserver': { package: 'k8s.io/kubernetes/cmd/kube-apiserver', cgo: false, test: false },
} as const;
export type ProgramName = keyof typeof programs;
const suitePrograms = (Object.keys(programs) as ProgramName[]).filter((name) => name !== 'kube-apiserver');

/** Where the programs of this state of the module are: `${XDG_CACHE_HOME:-~/.cache}/skypod/conformance/HASH`. */
function programsDirectory(): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(suiteDirectory).sort()) {
    if (/\.go$|^go\.(mod|sum)$/.test(name)) hash.update(name).update(readFileSync(join(suiteDirectory, name)));
  }
  return join(cacheDirectory, 'conformance', hash.digest('hex').slice(0, 16));
}

/**
 * Builds what is missing, one package at a time and at the lowest priority: the first build takes a quarter of an hour
 * of two cores and 5 GB of module and build cache, later ones nothing.
 * @returns the path of each program.
 * @throws when Go is not there or a build fails, with what Go said.
 */
export function buildPrograms(names: ProgramName[] = suitePrograms): Record<ProgramName, string> {
  const directory = programsDirectory();
  mkdirSync(directory, { recursive: true });
  const paths = {} as Record<ProgramName, string>;
  for (const name of names) {
    paths[name] = join(directory, name);
    if (!existsSync(paths[name])) build(name, paths[name]);
  }
  return paths;
}

function build(name: ProgramName, path: string): void {
  const go = findGo();
  const { package: packagePath, cgo, test } = programs[name];
  const version = 'k8s.io/component-base/version';
  const [major, minor] = KUBERNETES_VERSION.slice(1).split('.');
  const values = {
    gitVersion: KUBERNETES_VERSION,
    gitMajor: major,
    gitMinor: minor,
    gitCommit: '0'.repeat(40),
    gitTreeState: 'clean',
    buildDate: '2026-01-01T00:00:00Z',
  };
  const linkerFlags = ['-s', '-w', ...Object.entries(values).map(([key, value]) => `-X ${version}.${key}=${value}`)];
  const partial = `${path}.partial-${process.pid}`;
  const words = [...(test ? ['test', '-c'] : ['build']), '-p', '1', '-ldflags', linkerFlags.join(' '), '-o', partial];
  console.log(`building ${name} (${packagePath} of Kubernetes ${KUBERNETES_VERSION}) …`);
  const result = spawnSync('nice', ['-n', '19', go, ...words, packagePath], {
    cwd: suiteDirectory,
    env: { ...process.env, CGO_ENABLED: cgo ? '1' : '0', GOFLAGS: '-buildvcs=false' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (result.status !== 0) throw new Error(`building ${name} failed (go ended with ${result.status ?? result.signal})`);
  renameSync(partial, path);
}

function findGo(): string {
  for (const candidate of ['go', '/usr/local/go/bin/go', '/usr/lib/go/bin/go']) {
    const result = spawnSync(candidate, ['version'], { encoding: 'utf8' });
    if (result.status === 0) return candidate;
  }
  const wanted = /^go (\S+)/m.exec(readFileSync(join(suiteDirectory, 'go.mod'), 'utf8'))![1];
  throw new Error(`The conformance suite is built with Go ${wanted} or newer, and there is no go on PATH.`);
}

/** The directory of a Go module in the module cache, for the files that images take from it. */
export function moduleDirectory(modulePath: string): string {
  const result = spawnSync(findGo(), ['list', '-m', '-f', '{{.Dir}}', modulePath], {
    cwd: suiteDirectory,
    encoding: 'utf8',
  });
  if (result.status !== 0) throw new Error(`go list -m ${modulePath}: ${result.stderr}`);
  return result.stdout.trim();
}

export interface Spec {
  /** The full text by which Ginkgo selects it. */
  text: string;
  /** `test/e2e/….go` */
  file: string;
}

/** Every test compiled into the suite, in its own words. */
export function listSpecs(suitePath: string): Spec[] {
  const cached = `${suitePath}.all-specs.json`;
  if (!existsSync(cached)) {
    const report = `${suitePath}.dry-run-${process.pid}.json`;
    // Without a focus the suite leaves out what is marked as a feature.
    const words = ['--ginkgo.dry-run', '--ginkgo.no-color', '--ginkgo.focus=.', `--ginkgo.json-report=${report}`];
    const result = spawnSync(suitePath, [...words, '--kubeconfig=/nonexistent'], {
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    });
    if (result.status !== 0) throw new Error(`the suite cannot list its tests: ${result.stderr.slice(-2000)}`);
    const specs: Spec[] = readReport(report)
      .specs.filter((spec) => spec.LeafNodeType === 'It' && spec.State === 'passed')
      .map((spec) => ({ text: textOf(spec), file: spec.LeafNodeLocation.FileName.replace(/^.*(test\/e2e\/)/, '$1') }));
    rmSync(report);
    writeFileSync(cached, JSON.stringify(specs));
  }
  return JSON.parse(readFileSync(cached, 'utf8'));
}

/** The parts of Ginkgo's JSON report that are read here. */
export interface SpecReport {
  ContainerHierarchyTexts: string[] | null;
  LeafNodeText: string;
  LeafNodeType: string;
  LeafNodeLocation: { FileName: string; LineNumber: number };
  State: string;
  /** Nanoseconds. */
  RunTime: number;
  Failure?: { Message: string; Location: { FileName: string; LineNumber: number }; ProgressReport?: unknown };
  CapturedGinkgoWriterOutput?: string;
}

export function readReport(path: string): { specs: SpecReport[]; special: string[] } {
  const suites = JSON.parse(readFileSync(path, 'utf8')) as {
    SpecReports: SpecReport[] | null;
    SpecialSuiteFailureReasons: string[] | null;
  }[];
  return {
    specs: suites.flatMap((suite) => suite.SpecReports ?? []),
    special: suites.flatMap((suite) => suite.SpecialSuiteFailureReasons ?? []),
  };
}

export function textOf(spec: SpecReport): string {
  return [...(spec.ContainerHierarchyTexts ?? []), spec.LeafNodeText].join(' ');
}

if (import.meta.main) {
  try {
    const names = process.argv.slice(2) as ProgramName[];
    for (const path of Object.values(buildPrograms(names.length > 0 ? names : undefined))) console.log(path);
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
