import assert from 'node:assert/strict';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

/** A real plug-in on a Unix socket, which keeps its keys in memory. */
export class KmsPlugin {
  readonly endpoint: string;
  keyId = 'key-1';
  healthz = 'ok';
  version = 'v2';
  fails = false;
  readonly calls: string[] = [];
  readonly #keys = new Map<string, Buffer>();
  readonly #server = new grpc.Server();

  constructor(path: string) {
    this.endpoint = `unix://${path}`;
    const definition = protoLoader.loadSync('kms.proto', {
      keepCase: true,
      includeDirs: [join(import.meta.dirname, '..', 'kms')],
    });
    const { KeyManagementService } = grpc.loadPackageDefinition(definition)['v2'] as any;
    const answer = (verb: string, work: (request: any) => object) => (call: any, done: any) => {
      this.calls.push(verb);
      if (this.fails) return done({ code: grpc.status.UNAVAILABLE, details: 'the module is gone' });
      return done(null, work(call.request));
    };
    this.#server.addService(KeyManagementService.service, {
      Status: answer('Status', () => ({ version: this.version, healthz: this.healthz, key_id: this.keyId })),
      Encrypt: answer('Encrypt', ({ plaintext }) => {
        const nonce = randomBytes(12);
        const cipher = createCipheriv('aes-256-gcm', this.#keyOf(this.keyId), nonce);
        const ciphertext = Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
        return { ciphertext, key_id: this.keyId, annotations: { 'version.example.com': Buffer.from('1') } };
      }),
      Decrypt: answer('Decrypt', ({ ciphertext, key_id, annotations }) => {
        assert.equal(annotations['version.example.com'].toString(), '1');
        const decipher = createDecipheriv('aes-256-gcm', this.#keyOf(key_id), ciphertext.subarray(0, 12));
        decipher.setAuthTag(ciphertext.subarray(-16));
        return { plaintext: Buffer.concat([decipher.update(ciphertext.subarray(12, -16)), decipher.final()]) };
      }),
    });
  }

  start(): Promise<void> {
    return new Promise((done, fail) => {
      const credentials = grpc.ServerCredentials.createInsecure();
      this.#server.bindAsync(this.endpoint, credentials, (error) => (error === null ? done() : fail(error)));
    });
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  #keyOf(id: string): Buffer {
    let key = this.#keys.get(id);
    if (key === undefined) this.#keys.set(id, (key = randomBytes(32)));
    return key;
  }
}
