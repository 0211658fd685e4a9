import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type ImageRecipe, recipes as ownRecipes } from './catalog.ts';
import { command } from './command.ts';
import { DebianFiles } from './debian-files.ts';
import { moveIntoPlace } from './move-into-place.ts';
import type { Registry } from './registry.ts';

const filesDirectory = join(import.meta.dirname, 'files');

export interface BuiltImage {
  /** `127.0.0.1:PORT/NAME:TAG`. */
  reference: string;
  /** True when nothing had to be done. */
  cached: boolean;
}

/**
 * Builds what is missing and pushes it to the registry. An image is built again when its recipe, a file it copies or a
 * Debian package's version changed; the key is in the name of its layout in the cache.
 * @param only names of images; all when absent.
 * @param recipes those of the catalog when absent.
 */
export async function buildImages(
  cacheDirectory: string,
  registry: Registry,
  only?: string[],
  recipes: ImageRecipe[] = ownRecipes,
): Promise<BuiltImage[]> {
  for (const name of only ?? []) {
    if (!recipes.some((recipe) => recipe.name === name)) throw new Error(`there is no image ${name}`);
  }
  const debian = new DebianFiles(cacheDirectory);
  debian.prepare(recipes.flatMap((recipe) => recipe.packages));
  const built: BuiltImage[] = [];
  for (const recipe of recipes.filter((candidate) => only?.includes(candidate.name) ?? true)) {
    const key = keyOf(recipe, debian);
    const layout = join(cacheDirectory, 'images', `${recipe.name}-${key}`);
    let cached = true;
    if (!existsSync(layout)) {
      cached = false;
      build(recipe, debian, layout);
    }
    const digest = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')).manifests[0].digest;
    for (const tag of recipe.tags) {
      const reference = `${registry.address}/${recipe.name}:${tag}`;
      if ((await pushedDigest(registry, recipe.name, tag)) !== digest) {
        cached = false;
        command('skopeo', ['copy', '-q', '--dest-tls-verify=false', `oci:${layout}:built`, `docker://${reference}`]);
      }
    }
    built.push({ reference: `${registry.address}/${recipe.name}:${recipe.tags[0]}`, cached });
  }
  return built;
}

function keyOf(recipe: ImageRecipe, debian: DebianFiles): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([recipe.name, recipe.config, recipe.packages.map((name) => debian.version(name))]));
  hash.update(readFileSync(join(import.meta.dirname, 'catalog.ts')));
  for (const file of recipe.files ?? []) hash.update(readFileSync(file));
  for (const source of recipe.sources) {
    for (const entry of readdirSync(join(filesDirectory, source), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      hash.update(path.slice(filesDirectory.length)).update(readFileSync(path));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

function build(recipe: ImageRecipe, debian: DebianFiles, layout: string): void {
  const partial = `${layout}.partial-${process.pid}`;
  const root = `${layout}.root-${process.pid}`;
  for (const directory of [partial, root]) rmSync(directory, { recursive: true, force: true });
  mkdirSync(root, { recursive: true, mode: 0o755 });
  recipe.fill(root, debian, (path) => join(filesDirectory, path));
  command('umoci', ['init', '--layout', partial]);
  const image = ['--image', `${partial}:built`];
  command('umoci', ['new', ...image]);
  command('umoci', ['insert', ...image, root, '/']);
  command('umoci', ['config', ...image, ...recipe.config]);
  command('umoci', ['gc', '--layout', partial]);
  rmSync(root, { recursive: true, force: true });
  moveIntoPlace(partial, layout);
}

async function pushedDigest(registry: Registry, name: string, tag: string): Promise<string | undefined> {
  const response = await fetch(`http://${registry.address}/v2/${name}/manifests/${tag}`, {
    method: 'HEAD',
    headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
  });
  return response.ok ? (response.headers.get('docker-content-digest') ?? undefined) : undefined;
}
