import { createHash, createHmac, randomBytes } from 'node:crypto';
import { type Clock, spanClock } from '../../../base/clock.ts';
import { aesGcm, type Provider } from '../providers.ts';
import { decodeEncryptedObject, type EncryptedObject, encodeEncryptedObject } from './encrypted-object.ts';
import type { KmsService, SealedSeed } from './service.ts';

const seedBytes = 32;
const infoBytes = 32;
const longestKeyId = 1024;
const longestCiphertext = 1024;
const longestAnnotations = 32 * 1024;
/** While the plug-in does not answer, the seed at hand is good for writing so long. */
const writeTtlMs = 3 * 60_000;
const pollMs = { well: 60_000, unwell: 10_000 };
const seedsKept = 4096;

interface State {
  sealed: SealedSeed;
  seed: Buffer;
  untilMs: number;
}

/**
 * Values under keys that a plug-in's key protects: each value has a key of its own, made of a seed that is sealed by the
 * plug-in, and made anew when the plug-in changes its key. Source: apiserver's kmsv2 and aes_extended_nonce.go.
 */
export class KmsProvider implements Provider {
  readonly prefix: string;
  readonly name: string;
  /** Called when the plug-in has changed its key: what was written before is stale from now on. */
  onNewKey = () => {};
  readonly #service: KmsService;
  readonly #clock: Clock;
  readonly #spanMs: () => number;
  /** Seeds and keys that were opened, by their sealed form. */
  readonly #opened = new Map<string, Buffer>();
  readonly #opening = new Map<string, Promise<void>>();
  #state: State | undefined;
  #failure: string | undefined = 'it was not asked yet';
  #cancel = () => {};
  #closed = false;

  constructor(name: string, service: KmsService, clock: Clock) {
    this.name = name;
    this.prefix = `k8s:enc:kms:v2:${name}:`;
    this.#service = service;
    this.#clock = clock;
    this.#spanMs = spanClock(clock);
  }

  /** Rejects when the plug-in is not well: nothing could be written. Asks it again from then on, until it is closed. */
  async start(): Promise<void> {
    await this.poll();
    if (this.#state === undefined) throw new Error(`KMS provider ${this.name}: ${this.#failure}`);
  }

  /** How long one answer of the plug-in is waited for. */
  get timeoutMs(): number {
    return this.#service.timeoutMs;
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
    this.#service.close();
  }

  /** For readyz: throws with why the plug-in is not well. */
  check(): void {
    if (this.#failure !== undefined)
      throw new Error(`kmsv2 Provider ${this.name} is not healthy, error: ${this.#failure}`);
  }

  async poll(): Promise<void> {
    this.#cancel();
    try {
      const { version, healthz, keyId } = await this.#service.status();
      if (version !== 'v2' && version !== 'v2beta1') throw new Error(`expected KMSv2 API version v2, got ${version}`);
      if (healthz !== 'ok') throw new Error(`got unexpected healthz status: ${healthz}`);
      checkKeyId(keyId);
      await this.#rotate(keyId);
      this.#failure = undefined;
    } catch (error) {
      this.#failure = (error as Error).message;
    }
    if (this.#closed) return;
    const delayMs = this.#failure === undefined ? pollMs.well : pollMs.unwell;
    this.#cancel = this.#clock.schedule(delayMs, () => void this.poll());
  }

  /** Makes what `open` needs; undefined where it has it. */
  prepare(sealed: Buffer): Promise<void> | undefined {
    let object: EncryptedObject;
    try {
      object = decodeEncryptedObject(sealed);
    } catch {
      // `open` says what is wrong.
      return undefined;
    }
    const key = keyOf(object);
    if (this.#opened.has(key)) return undefined;
    let opening = this.#opening.get(key);
    if (opening === undefined) {
      opening = this.#service
        .decrypt(object)
        .then(
          (seed) => this.#remember(key, seed),
          (error) => {
            throw new Error(`failed to decrypt DEK, error: ${(error as Error).message}`);
          },
        )
        .finally(() => this.#opening.delete(key));
      this.#opening.set(key, opening);
    }
    return opening;
  }

  seal(value: Uint8Array, context: Uint8Array): Buffer {
    const state = this.#state;
    if (state === undefined || this.#spanMs() > state.untilMs) {
      throw new Error(`KMS provider ${this.name} has no key to write with: ${this.#failure ?? 'it expired'}`);
    }
    const info = randomBytes(infoBytes);
    const data = Buffer.concat([info, gcmOf(keyFor(state.seed, info)).seal(value, context)]);
    return encodeEncryptedObject({ ...state.sealed, data, isSeed: true });
  }

  open(sealed: Buffer, context: Uint8Array): Buffer {
    const object = decodeEncryptedObject(sealed);
    const secret = this.#opened.get(keyOf(object));
    if (secret === undefined) throw new Error('failed to decrypt DEK, error: the plug-in was not asked');
    if (!object.isSeed) return gcmOf(secret).open(object.data, context);
    if (object.data.length < infoBytes) throw new Error('the stored data was shorter than the required size');
    const info = object.data.subarray(0, infoBytes);
    return gcmOf(keyFor(secret, info)).open(object.data.subarray(infoBytes), context);
  }

  /** The plug-in has another key by now. */
  isStale(sealed: Buffer): boolean {
    const { keyId, isSeed } = decodeEncryptedObject(sealed);
    return keyId !== this.#state?.sealed.keyId || !isSeed;
  }

  async #rotate(keyId: string): Promise<void> {
    const untilMs = this.#spanMs() + writeTtlMs;
    if (this.#state?.sealed.keyId === keyId) {
      this.#state = { ...this.#state, untilMs };
      return;
    }
    const seed = randomBytes(seedBytes);
    const sealed = await this.#service.encrypt(seed);
    checkKeyId(sealed.keyId);
    if (sealed.keyId !== keyId) throw new Error('failed to rotate DEK: the plug-in is about to change its key');
    if (sealed.ciphertext.length === 0 || sealed.ciphertext.length > longestCiphertext) {
      throw new Error(
        `encrypted DEK source is ${sealed.ciphertext.length} bytes long, which is not from 1 to ${longestCiphertext}`,
      );
    }
    const size = Object.entries(sealed.annotations).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
    if (size > longestAnnotations) throw new Error(`annotations are larger than ${longestAnnotations} bytes`);
    this.#remember(keyOf({ ...sealed, isSeed: true }), seed);
    const isNew = this.#state !== undefined;
    this.#state = { sealed, seed, untilMs };
    if (isNew) this.onNewKey();
  }

  #remember(key: string, seed: Buffer): void {
    this.#opened.set(key, seed);
    if (this.#opened.size > seedsKept) this.#opened.delete(this.#opened.keys().next().value!);
  }
}

function checkKeyId(keyId: string): void {
  if (keyId === '') throw new Error('got invalid KMSv2 KeyID: it is empty');
  if (Buffer.byteLength(keyId) > longestKeyId) throw new Error('got invalid KMSv2 KeyID: it is too long');
}

function keyOf({ ciphertext, keyId, annotations, isSeed }: Omit<EncryptedObject, 'data'>): string {
  const hash = createHash('sha256').update(JSON.stringify([isSeed, keyId, ciphertext.toString('base64')]));
  for (const key of Object.keys(annotations).sort()) {
    hash.update(JSON.stringify([key, annotations[key]!.toString('base64')]));
  }
  return hash.digest('base64');
}

/** HKDF's expand step by SHA-256, whose first block is all that is needed. */
const keyFor = (seed: Buffer, info: Buffer) =>
  createHmac('sha256', seed)
    .update(info)
    .update(Buffer.from([1]))
    .digest();

const gcmOf = (bytes: Buffer) => aesGcm({ name: '', bytes });
