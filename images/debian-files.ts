import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { command } from './command.ts';
import { moveIntoPlace } from './move-into-place.ts';

/**
 * Files out of Debian packages: downloaded and unpacked into the cache once a version; where there is no package mirror
 * to reach, the files of the same package on this machine.
 */
export class DebianFiles {
  readonly #cacheDirectory: string;
  readonly #versions = new Map<string, string>();

  constructor(cacheDirectory: string) {
    this.#cacheDirectory = cacheDirectory;
  }

  /** Looks the packages' versions up in one go: apt reads its whole index each time. */
  prepare(packageNames: string[]): void {
    const unknown = packageNames.filter((name) => !this.#versions.has(name));
    if (unknown.length === 0) return;
    const policy = command('apt-cache', ['policy', ...unknown]);
    for (const block of policy.split(/^(?=\S)/m)) {
      const name = block.slice(0, block.indexOf(':'));
      const version = (label: string) => new RegExp(`${label}: (\\S+)`).exec(block)?.[1] ?? '(none)';
      this.#versions.set(name, version('Candidate') === '(none)' ? version('Installed') : version('Candidate'));
    }
    for (const name of unknown) if (!this.#versions.has(name)) this.#versions.set(name, '(none)');
  }

  /** The version apt would install (or the installed one), which is part of an image's cache key. */
  version(packageName: string): string {
    this.prepare([packageName]);
    return this.#versions.get(packageName)!;
  }

  copy(packageName: string, path: string, to: string): void {
    this.#unpackAll([packageName]);
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(this.#find(this.#rootOf(packageName), path), to);
  }

  /** Copies a program with its loader and the shared libraries it needs, from the packages its own depends on. */
  copyProgram(packageName: string, path: string, root: string, as = path): void {
    this.copy(packageName, path, join(root, as));
    const packageNames = [packageName, ...this.#libraryPackages(packageName)];
    this.#unpackAll(packageNames);
    const roots = packageNames.map((name) => this.#rootOf(name));
    const directories = roots.flatMap((packageRoot) =>
      ['lib', 'usr/lib'].flatMap((parent) => {
        const directory = join(packageRoot, parent);
        if (!existsSync(directory)) return [];
        const triplets = readdirSync(directory).filter((name) => name.includes('-linux-gnu'));
        return [directory, ...triplets.map((name) => join(directory, name))];
      }),
    );
    const program = join(root, as);
    // The interpreter's path stands as text near the start of an ELF file; readelf may not be installed.
    const start = readFileSync(program).subarray(0, 8192).toString('latin1');
    const loader = /\/lib(?:64)?\/ld-[\w.-]+\.so\.\d+/.exec(start)?.[0] ?? '/lib64/ld-linux-x86-64.so.2';
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
      if (/^(lib[a-z0-9]|zlib1g)|-libs$/.test(name) && !/-(dev|perl|data|doc)$/.test(name)) names.add(name);
    }
    names.delete(packageName);
    return [...names];
  }

  #rootOf(packageName: string): string {
    // A colon would end the directory in a library path.
    const version = this.version(packageName).replaceAll(/[/:]/g, '_');
    return join(this.#cacheDirectory, 'packages', `${packageName}_${version}`);
  }

  #unpackAll(packageNames: string[]): void {
    this.prepare(packageNames);
    const missing = packageNames.filter((name) => !existsSync(this.#rootOf(name)));
    if (missing.length === 0) return;
    const downloads = join(this.#cacheDirectory, `downloads-${process.pid}`);
    rmSync(downloads, { recursive: true, force: true });
    mkdirSync(downloads, { recursive: true });
    let downloadError: Error | undefined;
    try {
      command('apt-get', ['-q', 'download', ...missing], { cwd: downloads });
    } catch (error) {
      downloadError = error as Error;
    }
    const archives = readdirSync(downloads);
    for (const name of missing) {
      const partial = `${this.#rootOf(name)}.partial-${process.pid}`;
      rmSync(partial, { recursive: true, force: true });
      mkdirSync(partial, { recursive: true });
      const archive = archives.find((file) => file.startsWith(`${name}_`));
      if (archive !== undefined) command('dpkg', ['-x', join(downloads, archive), partial]);
      else this.#copyInstalled(name, partial, downloadError);
      moveIntoPlace(partial, this.#rootOf(name));
    }
    rmSync(downloads, { recursive: true, force: true });
  }

  #copyInstalled(packageName: string, to: string, downloadError?: Error): void {
    let files: string[];
    try {
      files = command('dpkg', ['-L', packageName]).split('\n');
    } catch {
      throw new Error(
        `package ${packageName} can neither be downloaded nor is it installed: ${downloadError?.message}`,
      );
    }
    for (const file of files) {
      if (!/^\/(usr\/)?(s?bin|lib\S*)\//.test(file) || !existsSync(file) || !statSync(file).isFile()) continue;
      mkdirSync(join(to, dirname(file)), { recursive: true });
      copyFileSync(file, join(to, file));
    }
  }
}
