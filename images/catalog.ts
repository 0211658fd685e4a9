import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command } from './command.ts';
import type { DebianFiles } from './debian-files.ts';

/** One image: what it is made of (all of it goes into the cache key) and how its root directory is filled. */
export interface ImageRecipe {
  name: string;
  /** The first is the one that examples use. */
  tags: string[];
  /** Debian packages whose files it takes. */
  packages: string[];
  /** Directories below files/ that it copies from. */
  sources: string[];
  /** Absolute paths of other files whose content decides what the image holds. */
  files?: string[];
  /** Arguments of `umoci config`. */
  config: string[];
  fill(root: string, debian: DebianFiles, sources: (path: string) => string): void;
}

export const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export const recipes: ImageRecipe[] = [
  {
    name: 'busybox',
    tags: ['1', 'latest'],
    packages: ['busybox'],
    sources: [],
    config: ['--config.env', `PATH=${PATH}`, '--config.cmd', '/bin/sh'],
    fill: fillBusybox,
  },
  {
    name: 'pause',
    tags: ['1', 'latest'],
    packages: ['busybox-static'],
    sources: ['pause'],
    config: ['--config.entrypoint', '/pause', '--config.user', '65535:65535'],
    fill(root, debian, sources) {
      try {
        command('gcc', ['-Os', '-static', '-s', '-o', join(root, 'pause'), sources('pause/pause.c')]);
      } catch {
        // No compiler: busybox reaps as a shell does, and sleeps as well as any.
        debian.copy('busybox-static', 'bin/busybox', join(root, 'bin/busybox'));
        symlinkSync('busybox', join(root, 'bin/sh'));
        const script = '#!/bin/sh\ntrap "exit 0" TERM INT\nwhile :; do sleep 2147483647 & wait; done\n';
        writeFileSync(join(root, 'pause'), script, { mode: 0o755 });
      }
    },
  },
  {
    name: 'nginx',
    tags: ['1', 'latest'],
    packages: ['nginx', 'busybox'],
    sources: ['nginx'],
    // Busybox is there for `kubectl exec … -- sh` and probes by command.
    config: [
      '--config.env',
      `PATH=${PATH}`,
      '--config.cmd',
      '/usr/sbin/nginx',
      '--config.exposedports',
      '80/tcp',
      '--config.stopsignal',
      'SIGQUIT',
    ],
    fill(root, debian, sources) {
      fillBusybox(root, debian);
      debian.copyProgram('nginx', 'usr/sbin/nginx', root);
      cpSync(sources('nginx/nginx.conf'), join(root, 'etc/nginx/nginx.conf'), { recursive: true });
      cpSync(sources('nginx/index.html'), join(root, 'usr/share/nginx/html/index.html'), { recursive: true });
      writeFileSync(join(root, 'etc/nginx/mime.types'), MIME_TYPES);
    },
  },
  {
    name: 'redis',
    tags: ['7', 'latest'],
    packages: ['redis-server', 'redis-tools', 'busybox'],
    sources: [],
    config: [
      '--config.env',
      `PATH=${PATH}`,
      '--config.cmd',
      '/usr/bin/redis-server',
      '--config.cmd',
      '--protected-mode',
      '--config.cmd',
      'no',
      '--config.exposedports',
      '6379/tcp',
      '--config.workingdir',
      '/data',
    ],
    fill(root, debian) {
      fillBusybox(root, debian);
      mkdirSync(join(root, 'data'), { mode: 0o777 });
      debian.copyProgram('redis-tools', 'usr/bin/redis-check-rdb', root, 'usr/bin/redis-server');
      debian.copyProgram('redis-tools', 'usr/bin/redis-cli', root);
    },
  },
  {
    name: 'web-echo',
    tags: ['1', 'latest'],
    packages: ['busybox'],
    sources: ['web-echo'],
    config: webConfig(),
    fill(root, debian, sources) {
      fillBusybox(root, debian);
      copyWeb(root, sources('web-echo'));
    },
  },
  {
    name: 'guestbook',
    tags: ['1', 'latest'],
    packages: ['busybox'],
    sources: ['guestbook'],
    config: webConfig(),
    fill(root, debian, sources) {
      fillBusybox(root, debian);
      copyWeb(root, sources('guestbook'));
    },
  },
];

function webConfig(): string[] {
  const words = ['/bin/sh', '/www/serve'].flatMap((word) => ['--config.cmd', word]);
  return ['--config.env', `PATH=${PATH}`, ...words, '--config.exposedports', '8080/tcp'];
}

function copyWeb(root: string, directory: string): void {
  cpSync(directory, join(root, 'www'), { recursive: true });
}

/** Busybox under every name it answers to, and what a program expects of a root directory. */
export function fillBusybox(root: string, debian: DebianFiles): void {
  const binary = join(root, 'bin/busybox');
  // Not busybox-static: a static glibc program looks names up through libraries that an image would lack.
  debian.copyProgram('busybox', 'bin/busybox', root);
  for (const path of command(binary, ['--list-full']).split('\n')) {
    if (path === '' || path.endsWith('/busybox')) continue;
    const link = join(root, 'bin', path.split('/').pop()!);
    if (!existsSync(link)) symlinkSync('busybox', link);
  }
  for (const [name, mode] of [
    ['etc', 0o755],
    ['root', 0o700],
    ['home', 0o755],
    ['run', 0o755],
    ['tmp', 0o1777],
    ['var/tmp', 0o1777],
  ] as const) {
    mkdirSync(join(root, name), { recursive: true });
    command('chmod', [mode.toString(8), join(root, name)]);
  }
  symlinkSync('/bin', join(root, 'sbin'));
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n',
  );
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
}

const MIME_TYPES = `types {
  text/html html;
  text/css css;
  text/plain txt;
  application/javascript js;
  application/json json;
  image/png png;
  image/svg+xml svg;
}
`;
