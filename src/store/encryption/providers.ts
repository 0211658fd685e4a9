import { type CipherGCMTypes, createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** One way to write values, and to read those written so; the form on disk is kube-apiserver's. */
export interface Provider {
  /** What values of its begin with; '' for plain ones. */
  prefix: string;
  /** `context` is bound to the value where the provider can: the value is good under that key of the store only. */
  seal(value: Uint8Array, context: Uint8Array): Buffer;
  /** Throws when the value was changed, or is another key's. Takes the value without its prefix. */
  open(sealed: Buffer, context: Uint8Array): Buffer;
  /** What has to be awaited before `open`; undefined: nothing. */
  prepare?(sealed: Buffer): Promise<void> | undefined;
  /** Whether it would write the value in another form today. */
  isStale?(sealed: Buffer): boolean;
}

export interface Key {
  name: string;
  bytes: Buffer;
}

const nonceBytes = 12;
const tagBytes = 16;
const blockBytes = 16;

/** `k8s:enc:aesgcm:v1:KEY:` nonce, ciphertext, tag. A key is good for 2^32 writes: rotate it before. */
export function aesGcm({ name, bytes: key }: Key): Provider {
  const algorithm = `aes-${key.length * 8}-gcm` as CipherGCMTypes;
  return {
    prefix: `k8s:enc:aesgcm:v1:${name}:`,
    seal(value, context) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, key, nonce).setAAD(context);
      return Buffer.concat([nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()]);
    },
    open(sealed, context) {
      if (sealed.length < nonceBytes + tagBytes) throw new Error('the stored data was shorter than the required size');
      const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes });
      decipher.setAAD(context).setAuthTag(sealed.subarray(-tagBytes));
      return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()]);
    },
  };
}

/** `k8s:enc:aescbc:v1:KEY:` initialization vector, ciphertext with PKCS #7 padding. It does not authenticate. */
export function aesCbc({ name, bytes: key }: Key): Provider {
  const algorithm = `aes-${key.length * 8}-cbc`;
  return {
    prefix: `k8s:enc:aescbc:v1:${name}:`,
    seal(value) {
      const vector = randomBytes(blockBytes);
      const cipher = createCipheriv(algorithm, key, vector);
      return Buffer.concat([vector, cipher.update(value), cipher.final()]);
    },
    open(sealed) {
      if (sealed.length < 2 * blockBytes) throw new Error('the stored data was shorter than the required size');
      const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, blockBytes));
      return Buffer.concat([decipher.update(sealed.subarray(blockBytes)), decipher.final()]);
    },
  };
}

const encryptedPrefix = Buffer.from('k8s:enc:');

/** As it is. */
export const identity: Provider = {
  prefix: '',
  seal: (value) => Buffer.from(value.buffer, value.byteOffset, value.byteLength),
  open(value) {
    if (value.subarray(0, encryptedPrefix.length).equals(encryptedPrefix)) {
      throw new Error('identity transformer tried to read encrypted data');
    }
    return value;
  },
};

/** The first writes; all of them read, each what begins with its prefix. */
export class ProviderList {
  readonly #providers: { provider: Provider; prefix: Buffer }[];

  constructor(providers: Provider[]) {
    this.#providers = providers.map((provider) => ({ provider, prefix: Buffer.from(provider.prefix) }));
  }

  seal(value: Uint8Array, context: Uint8Array): Uint8Array {
    const { provider, prefix } = this.#providers[0]!;
    if (prefix.length === 0) return value;
    return Buffer.concat([prefix, provider.seal(value, context)]);
  }

  /** What has to be awaited before `open`; undefined: nothing. */
  prepare(stored: Uint8Array): Promise<void> | undefined {
    for (const { provider, prefix } of this.#providers) {
      if (provider.prepare === undefined) continue;
      const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
      if (bytes.subarray(0, prefix.length).equals(prefix)) return provider.prepare(bytes.subarray(prefix.length));
    }
    return undefined;
  }

  /** `stale`: another provider or key would write it today. */
  open(stored: Uint8Array, context: Uint8Array): { value: Uint8Array; stale: boolean } {
    const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
    let failure = new Error('no matching prefix found');
    for (const [index, { provider, prefix }] of this.#providers.entries()) {
      if (!bytes.subarray(0, prefix.length).equals(prefix)) continue;
      try {
        const sealed = prefix.length === 0 ? bytes : bytes.subarray(prefix.length);
        const value = provider.open(sealed, context);
        const stale = index > 0 || provider.isStale?.(sealed) === true;
        return { value: value === bytes ? stored : value, stale };
      } catch (error) {
        // Two keys may have one name.
        failure = error as Error;
      }
    }
    throw failure;
  }
}
