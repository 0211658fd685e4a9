import { copyFileSync, existsSync, mkdirSync, readdirSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { command } from './command.ts';

/**
 * Files out of Debian packages: downloaded and unpacked into the cache once a version; where there is no package mirror
 * to reach, the files of the same package on this machine.
 */
export class DebianFiles {
  readonly #cacheDirectory: string;
  readonly #rootOf = new Map<string, string>();

  constructor(cacheDirectory: string) {
    this.#cacheDirectory = cacheDirectory;
  }

  /** The version apt would install (or the installed one), which is part of an image's cache key. */
  version(packageName: string): string {
    const policy = command('apt-cache', ['policy', packageName]);
    const version = /Candidate: (\S+)/.exec(policy)?.[1] ?? '(none)';
    return version === '(none)' ? (/Installed: (\S+)/.exec(policy)?.[1] ?? '(none)') : version;
  }

  copy(packageName: string, path: string, to: string): void {
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(this.#find(this.#unpack(packageName), path), to);
  }

  /** Copies a program with its loader and the shared libraries it needs, from the packages its own depends on. */
  copyProgram(packageName: string, path: string, root: string, as = path): void {
    this.copy(packageName, path, join(root, as));
    const roots = [packageName, ...this.#libraryPackages(packageName)].map((name) => this.#unpack(name));
    const directories = roots.flatMap((packageRoot) =>
      ['lib', 'usr/lib'].flatMap((parent) => {
        const directory = join(packageRoot, parent);
        if (!existsSync(directory)) return [];
        const triplets = readdirSync(directory).filter((name) => name.includes('-linux-gnu'));
        return [directory, ...triplets.map((name) => join(directory, name))];
      }),
    );
    const program = join(root, as);
    const interpreter = /\[Requesting program interpreter: (\S+)\]|interpreter (\S+),/.exec(
      command('sh', ['-c', 'readelf -l "$1" 2>/dev/null || file "$1"', 'sh', program]),
    );
    const loader = interpreter?.[1] ?? interpreter?.[2] ?? '/lib64/ld-linux-x86-64.so.2';
    const listing = command(loader, ['--library-path', directories.join(':'), '--list', program]);
    for (const [, name, library] of listing.matchAll(/^\s*(\S+) => (\S+)/gm)) {
      if (library === 'not') throw new Error(`${packageName}: library ${name} not found`);
      const target = join(root, 'lib', name);
      if (existsSync(target)) continue;
      mkdirSync(dirname(target), { recursive: true });
      copyFileSync(realpathSync(library), target);
    }
    if (!existsSync(join(root, loader))) {
      mkdirSync(join(root, dirname(loader)), { recursive: true });
      const own = directories.map((directory) => join(directory, basename(loader))).find((file) => existsSync(file));
      copyFileSync(realpathSync(own ?? loader), join(root, loader));
    }
  }

  #find(packageRoot: string, path: string): string {
    // Debian's merged /usr: a file listed below /usr/bin may be packed below /bin, and the other way around.
    const found = [path, `usr/${path}`, path.replace(/^usr\//, '')].map((candidate) => join(packageRoot, candidate));
    const file = found.find((candidate) => existsSync(candidate) && statSync(candidate).isFile());
    if (file === undefined) throw new Error(`no ${path} in ${packageRoot}`);
    return file;
  }

  #libraryPackages(packageName: string): string[] {
    const listing = command('apt-cache', [
      'depends',
      '--recurse',
      '--no-recommends',
      '--no-suggests',
      '--no-conflicts',
      '--no-breaks',
      '--no-replaces',
      '--no-enhances',
      '--no-pre-depends',
      packageName,
    ]);
    const names = new Set<string>();
    for (const [, name] of listing.matchAll(/^(?: {2}Depends: )?([a-z0-9][a-z0-9.+-]*)$/gm)) {
      if (/^(lib[a-z0-9]|zlib1g)/.test(name) && !/-(dev|perl|data|doc)$/.test(name)) names.add(name);
    }
    names.delete(packageName);
    return [...names];
  }

  #unpack(packageName: string): string {
    const known = this.#rootOf.get(packageName);
    if (known !== undefined) return known;
    const root = join(
      this.#cacheDirectory,
      'packages',
      `${packageName}_${this.version(packageName).replaceAll('/', '_')}`,
    );
    if (!existsSync(root)) {
      const partial = `${root}.partial`;
      rmSync(partial, { recursive: true, force: true });
      mkdirSync(partial, { recursive: true });
      try {
        command('apt-get', ['-q', 'download', packageName], { cwd: partial });
        const archive = readdirSync(partial).find((name) => name.endsWith('.deb'))!;
        command('dpkg', ['-x', join(partial, archive), partial]);
        rmSync(join(partial, archive));
      } catch (error) {
        this.#copyInstalled(packageName, partial, error as Error);
      }
      renameSync(partial, root);
    }
    this.#rootOf.set(packageName, root);
    return root;
  }

  #copyInstalled(packageName: string, to: string, downloadError: Error): void {
    let files: string[];
    try {
      files = command('dpkg', ['-L', packageName]).split('\n');
    } catch {
      throw new Error(`package ${packageName} can neither be downloaded nor is it installed: ${downloadError.message}`);
    }
    for (const file of files) {
      if (!/^\/(usr\/)?(s?bin|lib\S*)\//.test(file) || !existsSync(file) || !statSync(file).isFile()) continue;
      mkdirSync(join(to, dirname(file)), { recursive: true });
      copyFileSync(file, join(to, file));
    }
  }
}
