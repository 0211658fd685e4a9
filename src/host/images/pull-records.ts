import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomically } from '../write-file-atomically.ts';

/**
 * Who may use an image that is already on this host. An image pulled with a credential belongs to those who can show a
 * credential that has pulled it; an image pulled without one is everybody's. Kept on disk: a crash must not turn a
 * private image into a public one, so a pull with a credential is recorded before it begins.
 */
export class PullRecords {
  readonly #path: string | undefined;
  /** Image id, or the reference while being pulled -> hashes of credentials. */
  readonly #restricted: Map<string, Set<string>>;
  #saving: Promise<void> = Promise.resolve();

  /** `directory` undefined keeps the records in memory. */
  constructor(directory: string | undefined) {
    this.#path = directory === undefined ? undefined : join(directory, 'private-images.json');
    this.#restricted = new Map();
    if (this.#path === undefined) return;
    try {
      const saved = JSON.parse(readFileSync(this.#path, 'utf8')) as Record<string, string[]>;
      for (const [key, hashes] of Object.entries(saved)) this.#restricted.set(key, new Set(hashes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  mayUse(imageId: string, reference: string, hashes: string[]): boolean {
    for (const key of [imageId, reference]) {
      const owners = this.#restricted.get(key);
      if (owners !== undefined && !hashes.some((hash) => owners.has(hash))) return false;
    }
    return true;
  }

  async pulling(reference: string, hash: string): Promise<void> {
    if (this.#restricted.get(reference)?.has(hash)) return;
    this.#add(reference, hash);
    await this.#save();
  }

  /** `hash` undefined: it was pulled without a credential. */
  async pulled(imageId: string, reference: string, hash: string | undefined): Promise<void> {
    if (hash === undefined) {
      const had = this.#restricted.delete(imageId);
      if (this.#restricted.delete(reference) || had) await this.#save();
    } else if (!this.#restricted.get(imageId)?.has(hash)) {
      this.#add(imageId, hash);
      await this.#save();
    }
  }

  #add(key: string, hash: string): void {
    const owners = this.#restricted.get(key);
    if (owners === undefined) this.#restricted.set(key, new Set([hash]));
    else owners.add(hash);
  }

  #save(): Promise<void> {
    const path = this.#path;
    if (path === undefined) return Promise.resolve();
    this.#saving = this.#saving
      .catch(() => {})
      .then(() => {
        const plain = Object.fromEntries([...this.#restricted].map(([key, hashes]) => [key, [...hashes]]));
        return writeFileAtomically(path, JSON.stringify(plain), 0o600);
      });
    return this.#saving;
  }
}
