import { join } from 'node:path';
import { buildImages } from '../../images/build-images.ts';
import { startRegistry, stopRegistry } from '../../images/registry.ts';
import { cacheDirectory } from './cache.ts';

const directory = join(cacheDirectory, 'images');
const registryDirectory = join(directory, 'registry');
const port = Number(process.env.SKYPOD_TEST_REGISTRY_PORT ?? 5056);

export interface TestImages {
  /** Stops the registry if this process started it. */
  release(): Promise<void>;
}

/** The images of `images/`, served on loopback; `scripts/test` has started the registry for all test files already. */
export async function testImages(): Promise<TestImages> {
  const shared = process.env.SKYPOD_TEST_REGISTRY !== undefined;
  if (!shared) await buildImages(directory, await startRegistry(registryDirectory, port));
  return {
    release: async () => {
      if (!shared) await stopRegistry(registryDirectory);
    },
  };
}

/** The reference of one of them: `image('busybox')`. */
export function image(name: string): string {
  return `127.0.0.1:${port}/${name}:latest`;
}
