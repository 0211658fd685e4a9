import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildImages } from './build-images.ts';
import { DEFAULT_REGISTRY_PORT, startRegistry, stopRegistry } from './registry.ts';

/** `make images` and `make images-stop`. Build products stay in .cache/images of the checkout unless told otherwise. */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    stop: { type: 'boolean', default: false },
    port: { type: 'string', default: process.env.SKYPOD_REGISTRY_PORT ?? String(DEFAULT_REGISTRY_PORT) },
    'cache-dir': { type: 'string', default: join(import.meta.dirname, '../.cache/images') },
  },
});
const registryDirectory = join(values['cache-dir'], 'registry');
const port = Number(values.port);

try {
  if (values.stop) {
    await stopRegistry(registryDirectory, port);
    console.log('The registry is stopped; its images stay in', registryDirectory);
  } else {
    const registry = await startRegistry(registryDirectory, port);
    const images = await buildImages(values['cache-dir'], registry, positionals.length > 0 ? positionals : undefined);
    for (const image of images) console.log(`${image.reference}${image.cached ? '  (up to date)' : '  (built)'}`);
    console.log(`The registry runs in the background at ${registry.address}; "make images-stop" ends it.`);
  }
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
