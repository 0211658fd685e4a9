import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Where a Go module lies in the module cache, downloaded through Go's proxy when it is not there; why it cannot be had. */
export function moduleDirectory(module: string): string | Error {
  const result = spawnSync('go', ['mod', 'download', '-json', module], { encoding: 'utf8', cwd: '/' });
  const { Dir: directory, Error: error } = parse(result.stdout) ?? {};
  return directory ?? new Error(error ?? result.error?.message ?? result.stderr.trim());
}

/** All YAML files below a directory. */
export function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.ya?ml$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

function parse(text: string): { Dir?: string; Error?: string } | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
