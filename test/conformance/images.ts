import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildImages } from '../../images/build-images.ts';
import { fillBusybox, type ImageRecipe, PATH, recipes } from '../../images/catalog.ts';
import type { DebianFiles } from '../../images/debian-files.ts';
import { type Registry, startRegistry, stopRegistry } from '../../images/registry.ts';
import { freePort } from '../../src/base/testing/local-server.ts';
import { cacheDirectory } from '../lib/cache.ts';
import { moduleDirectory, type ProgramName } from './build.ts';

const directory = join(cacheDirectory, 'images');
const registryDirectory = join(directory, 'registry');

/** All images of the suite live below this name in the local registry. */
const PREFIX = 'e2e-test-images';

/** What cannot be packed here, and why; no conformance test but those named in the reason runs them. */
export const absentImages: Record<string, string> = {
  'agnhost-private': 'lives in a registry that wants credentials; no conformance test pulls it',
  'apparmor-loader, volume/nfs, volume/iscsi, nfs-provisioner': 'need kernel servers or modules; no conformance test',
  'distroless-iptables': 'nftables of the host is used instead; no conformance test',
  'node-perf, resource-consumer, ipc-utils, perl, regression-issue-74839': 'no conformance test uses them',
  'invalid registry': 'is meant to be unreachable, and is left as it is',
};

/**
 * The images that the conformance tests run, under the names and tags the suite of v1.36 asks for: its own programs
 * built from its modules, everything else out of Debian packages.
 */
function suiteRecipes(programs: Record<ProgramName, string>): ImageRecipe[] {
  const path = ['--config.env', `PATH=${PATH}:/usr/local/bin`];
  const testImages = join(moduleDirectory('k8s.io/kubernetes'), 'test/images');
  const own = (name: string) => recipes.find((recipe) => recipe.name === name)!;
  const renamed = (name: string, tags: string[]): ImageRecipe => ({ ...own(name), name: `${PREFIX}/${name}`, tags });
  const files = [import.meta.filename];

  const agnhost = (name: string, tags: string[], cmd: string, pages?: string): ImageRecipe => ({
    name: `${PREFIX}/${name}`,
    tags,
    packages: [
      'busybox',
      'bash',
      'curl',
      'bind9-dnsutils',
      'netcat-openbsd',
      'iproute2',
      'libc-bin',
      'coreutils',
      'wget',
    ],
    sources: [],
    files: [...files, programs.agnhost],
    config: [
      ...path,
      ...['--config.entrypoint', '/agnhost', '--config.cmd', cmd],
      ...['80', '8080', '8081', '9376', '5000'].flatMap((number) => ['--config.exposedports', `${number}/tcp`]),
    ],
    fill(root, debian) {
      fillAgnhost(root, debian, programs.agnhost);
      const localhost = join(testImages, 'agnhost/porter');
      for (const file of ['localhost.crt', 'localhost.key']) copy(join(localhost, file), join(root, file));
      if (pages === undefined) return;
      // The suite's own are made on Alpine, by which a test of image volumes knows them.
      writeFileSync(join(root, 'etc/os-release'), 'NAME="Alpine Linux"\nID=alpine\n');
      for (const file of ['data.json', `${pages}.jpg`]) copy(join(testImages, pages, 'html', file), join(root, file));
    },
  });

  return [
    agnhost('agnhost', ['2.63.0', '2.55'], 'pause'),
    agnhost('nautilus', ['1.8'], 'test-webserver', 'nautilus'),
    agnhost('kitten', ['1.8'], 'test-webserver', 'kitten'),
    {
      ...renamed('busybox', ['1.37.0-1']),
      packages: ['busybox', 'bash'],
      files,
      // The suite's own image hands on variables whose names are no identifiers; Debian's older busybox shell drops them.
      // Tests of such variables ask for `sh`, those of what a shell says for /bin/sh.
      fill(root, debian) {
        fillBusybox(root, debian);
        debian.copyProgram('bash', 'bin/bash', root);
        mkdirSync(join(root, 'usr/local/bin'), { recursive: true });
        symlinkSync('/bin/bash', join(root, 'usr/local/bin/sh'));
      },
    },
    renamed('nginx', ['1.15-4', '1.27-0']),
    renamed('pause', ['3.10.2']),
    {
      ...renamed('busybox', ['1.5']),
      name: `${PREFIX}/nonroot`,
      config: [...own('busybox').config, '--config.user', '1234'],
    },
    {
      name: `${PREFIX}/nonewprivs`,
      tags: ['1.4'],
      packages: ['busybox'],
      sources: [],
      files: [...files, programs.nnp],
      config: [...path, '--config.cmd', 'nnp'],
      fill(root, debian) {
        fillBusybox(root, debian);
        copy(programs.nnp, join(root, 'usr/local/bin/nnp'), 0o6755);
      },
    },
    {
      name: `${PREFIX}/glibc-dns-testing`,
      tags: ['2.0.0'],
      packages: ['busybox', 'bash', 'bind9-dnsutils', 'libc-bin'],
      sources: [],
      files,
      config: [...path, '--config.cmd', 'bash'],
      fill(root, debian) {
        fillBusybox(root, debian);
        debian.copyProgram('bash', 'bin/bash', root);
        debian.copyProgram('bind9-dnsutils', 'usr/bin/dig', root);
        debian.copyProgram('libc-bin', 'usr/bin/getent', root);
        writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
      },
    },
    {
      name: `${PREFIX}/sample-apiserver`,
      tags: ['1.29.2'],
      packages: ['busybox'],
      sources: [],
      files: [...files, programs['sample-apiserver']],
      config: [...path, '--config.entrypoint', '/sample-apiserver'],
      fill(root, debian) {
        fillBusybox(root, debian);
        copy(programs['sample-apiserver'], join(root, 'sample-apiserver'), 0o755);
      },
    },
    {
      name: `${PREFIX}/etcd`,
      tags: ['3.6.8-0'],
      packages: ['busybox', 'etcd-server'],
      sources: [],
      files,
      config: [...path],
      fill(root, debian) {
        fillBusybox(root, debian);
        debian.copyProgram('etcd-server', 'usr/bin/etcd', root, 'usr/local/bin/etcd');
      },
    },
  ];
}

function fillAgnhost(root: string, debian: DebianFiles, program: string): void {
  fillBusybox(root, debian);
  for (const [packageName, file] of [
    ['bash', 'bin/bash'],
    ['curl', 'usr/bin/curl'],
    ['bind9-dnsutils', 'usr/bin/dig'],
    ['netcat-openbsd', 'bin/nc.openbsd'],
    ['iproute2', 'bin/ss'],
    ['libc-bin', 'usr/bin/getent'],
    ['coreutils', 'usr/bin/printenv'],
    // Debian's busybox has one that ends with a segmentation fault when it is given a time limit.
    ['wget', 'usr/bin/wget'],
  ] as const) {
    debian.copyProgram(packageName, file, root, `usr/bin/${file.split('/').pop()!.split('.')[0]}`);
  }
  symlinkSync('/usr/bin/bash', join(root, 'bin/bash'));
  copy(program, join(root, 'agnhost'), 0o755);
  symlinkSync('agnhost', join(root, 'agnhost-2'));
  mkdirSync(join(root, 'uploads'));
  writeFileSync(join(root, 'etc/wgetrc'), 'tries = 1\n');
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
  // One test wants a user whose image gives it one more group.
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n' +
      'user-defined-in-image:x:1000:1000::/home:/bin/sh\n',
  );
  writeFileSync(
    join(root, 'etc/group'),
    'root:x:0:\nnogroup:x:65534:\nuser-defined-in-image:x:1000:\ngroup-defined-in-image:x:50000:user-defined-in-image\n',
  );
}

function copy(from: string, to: string, mode = 0o644): void {
  mkdirSync(join(to, '..'), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, mode);
}

export interface SuiteImages {
  /** The file for `--kube-test-repo-list`, in the suite's own format. */
  repositoryList: string;
  release(): Promise<void>;
}

/** Builds the suite's images and serves them on a loopback port of this run's own: several runs share one directory. */
export async function serveSuiteImages(programs: Record<ProgramName, string>): Promise<SuiteImages> {
  const port = await freePort();
  const registry: Registry = await startRegistry(registryDirectory, port);
  await buildImages(directory, registry, undefined, suiteRecipes(programs));
  const here = `${registry.address}/${PREFIX}`;
  const repositoryList = ['promoterE2eRegistry', 'buildImageRegistry', 'gcEtcdRegistry', 'gcRegistry']
    .concat(['sigStorageRegistry', 'privateRegistry', 'dockerLibraryRegistry', 'cloudProviderGcpRegistry'])
    .map((key) => `${key}: ${here}\n`)
    .join('');
  return { repositoryList, release: () => stopRegistry(registryDirectory, port) };
}
