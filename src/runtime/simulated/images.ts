import { createHash } from 'node:crypto';
import type { ImageStatus } from '../sandbox-runtime.ts';
import { ImagePullError } from '../sandbox-runtime.ts';
import { imageWords, parseBehaviour } from './behaviour.ts';

/** Images that exist as soon as they are asked for, except those whose name says otherwise (behaviour.ts). */
export class SimulatedImages {
  readonly #byName = new Map<string, ImageStatus>();
  readonly #changed: (name: string, image: ImageStatus | undefined) => void;

  /** @param changed is told of what to keep and what to forget. */
  constructor(changed: (name: string, image: ImageStatus | undefined) => void) {
    this.#changed = changed;
  }

  adopt(name: string, image: ImageStatus): void {
    this.#byName.set(name, image);
  }

  pull(name: string): ImageStatus {
    if (!/^[a-z0-9][\w.:/@-]*$/.test(name)) {
      throw new ImagePullError('invalidName', `invalid reference format: ${JSON.stringify(name)}`);
    }
    const host = name.includes('/') ? name.split('/')[0].split(':')[0] : '';
    if (host.endsWith('.invalid')) {
      throw new ImagePullError('registryUnavailable', `failed to do request: lookup ${host}: no such host`);
    }
    const failure = parseBehaviour(imageWords(name)).pullFailure;
    if (failure !== undefined) throw new ImagePullError(failure, `failed to pull ${name}: simulated ${failure}`);
    const existing = this.#byName.get(name);
    if (existing !== undefined) return existing;
    const digest = `sha256:${createHash('sha256').update(name).digest('hex')}`;
    const hasDigest = name.includes('@');
    const image: ImageStatus = {
      id: digest,
      repoTags: hasDigest ? [] : [name],
      repoDigests: [hasDigest ? name : `${name.replace(/:[\w.-]+$/, '')}@${digest}`],
      sizeBytes: 4_000_000,
    };
    this.#byName.set(name, image);
    this.#changed(name, image);
    return image;
  }

  /** By name, id or digest. */
  find(image: string): ImageStatus | undefined {
    const named = this.#byName.get(image);
    if (named !== undefined || !image.includes('sha256:')) return named;
    return this.list().find((status) => status.id === image || status.repoDigests.includes(image));
  }

  list(): ImageStatus[] {
    return [...this.#byName.values()];
  }

  remove(image: string): void {
    for (const [name, status] of this.#byName) {
      if (name !== image && status.id !== image && !status.repoDigests.includes(image)) continue;
      this.#byName.delete(name);
      this.#changed(name, undefined);
    }
  }
}
