import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImages } from '../../../../images/build-images.ts';
import { type Registry, startRegistry, stopRegistry } from '../../../../images/registry.ts';
import { freePort, listenLocally } from '../../../base/testing/local-server.ts';
import type { RuntimeHarness } from '../../contract/harness.ts';
import type { ContainerdOptions } from '../containerd.ts';
import { Containerd } from '../containerd.ts';
import { type CriRuntime, createCriRuntime } from '../cri-runtime.ts';
import { findProgram } from '../find-program.ts';

/** Why this machine cannot run tests with real containers; undefined when it can. */
export function cannotRunContainers(): string | undefined {
  const missing = Containerd.missing();
  if (missing !== undefined) return missing;
  for (const program of ['docker-registry', 'skopeo', 'umoci', 'ip']) {
    if (findProgram(program) === undefined) return `${program} is not installed`;
  }
  return undefined;
}

const cacheDirectory = join(import.meta.dirname, '../../../../.cache/images');

export interface CriTestBench extends RuntimeHarness {
  open(): Promise<CriRuntime>;
  dataDirectory: string;
  registryAddress: string;
  networkPath(uid: string): string;
  networkInode(uid: string): number;
}

/** A containerd of the test's own, a registry on a free port, and network namespaces by `ip netns`. */
export async function makeCriTestBench(
  options: Partial<ContainerdOptions> = {},
  images = ['busybox'],
): Promise<CriTestBench> {
  const directory = mkdtempSync(join(tmpdir(), 'skypod-cri-'));
  const registry = await startRegistry(join(cacheDirectory, 'registry'), await freePort());
  await buildImages(cacheDirectory, registry, images);
  const refusing = createHttpServer((_request, response) => {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
  });
  const refusingPort = await listenLocally(refusing);
  refusing.unref();
  const dataDirectory = join(directory, 'data');
  const cgroupRoot = `/skypod-test-${process.pid}`;
  const networks = new Set<string>();
  return {
    directory,
    dataDirectory,
    open: () => createCriRuntime({ dataDirectory, ...options }),
    async dispose(runtime) {
      await (runtime as CriRuntime).shutdown();
      for (const uid of networks) removeNetwork(uid);
      refusing.close();
      await stopRegistry(registry.directory, registry.port);
      rmSync(directory, { recursive: true, force: true });
    },
    registryAddress: registry.address,
    image: `${registry.address}/busybox:1`,
    failingImages: failingImages(registry, refusingPort),
    async makeNetwork(uid) {
      if (!networks.has(uid)) execFileSync('ip', ['netns', 'add', networkName(uid)]);
      execFileSync('ip', ['-n', networkName(uid), 'link', 'set', 'lo', 'up']);
      networks.add(uid);
      return networkPath(uid);
    },
    async removeNetwork(uid) {
      if (networks.delete(uid)) removeNetwork(uid);
    },
    networkPath,
    networkInode: (uid) => statSync(networkPath(uid)).ino,
    cgroupParent: (uid) => `${cgroupRoot}/${uid}`,
  };
}

function failingImages(registry: Registry, refusingPort: number): RuntimeHarness['failingImages'] {
  return {
    notFound: `${registry.address}/no-such-image:1`,
    unauthorized: `127.0.0.1:${refusingPort}/secret:1`,
    registryUnavailable: '127.0.0.1:1/busybox:1',
    invalidName: 'Not/A:Valid:Name',
  };
}

/** Of this process alone: one that was killed may have left its own behind. */
const networkName = (uid: string) => `test-${process.pid}-${uid}`;

function networkPath(uid: string): string {
  return `/run/netns/${networkName(uid)}`;
}

function removeNetwork(uid: string): void {
  execFileSync('ip', ['netns', 'delete', networkName(uid)]);
}
