import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import type * as Grpc from '@grpc/grpc-js';
import type ProtoLoader from '@grpc/proto-loader';

/** Loaded by whoever has a plug-in: it would be a tenth of an idle control plane's memory. */
const load = createRequire(import.meta.url);

export interface KmsStatus {
  version: string;
  healthz: string;
  keyId: string;
}

/** A data key's seed as the plug-in gives it out. */
export interface SealedSeed {
  ciphertext: Buffer;
  keyId: string;
  annotations: Record<string, Buffer>;
}

/** A KMS plug-in, behind a Unix socket. Source: k8s.io/kms/apis/v2. */
export class KmsService {
  readonly #client: Grpc.Client & Record<string, any>;
  readonly #codes: typeof Grpc.status;
  readonly timeoutMs: number;

  /** `endpoint`: `unix:///run/kms.sock`. */
  constructor(endpoint: string, timeoutMs: number) {
    const grpc: typeof Grpc = load('@grpc/grpc-js');
    const protoLoader: typeof ProtoLoader = load('@grpc/proto-loader');
    this.#codes = grpc.status;
    const definition = protoLoader.loadSync('kms.proto', {
      keepCase: true,
      defaults: true,
      includeDirs: [import.meta.dirname],
    });
    const services = grpc.loadPackageDefinition(definition)['v2'] as any;
    this.#client = new services.KeyManagementService(endpoint, grpc.credentials.createInsecure(), {
      // A plug-in that was started anew answers at once.
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 3000,
      'grpc.service_config_disable_resolution': 1,
    });
    this.timeoutMs = timeoutMs;
  }

  async status(): Promise<KmsStatus> {
    const { version, healthz, key_id: keyId } = await this.#call('Status', {});
    return { version, healthz, keyId };
  }

  async encrypt(plaintext: Buffer): Promise<SealedSeed> {
    const { ciphertext, key_id: keyId, annotations } = await this.#call('Encrypt', { plaintext, uid: randomUUID() });
    return { ciphertext, keyId, annotations: annotations ?? {} };
  }

  async decrypt({ ciphertext, keyId, annotations }: SealedSeed): Promise<Buffer> {
    const asked = { ciphertext, key_id: keyId, annotations, uid: randomUUID() };
    return (await this.#call('Decrypt', asked)).plaintext;
  }

  close(): void {
    this.#client.close();
  }

  #call(verb: string, request: object): Promise<any> {
    const deadline = new Date(Date.now() + this.timeoutMs);
    return new Promise((done, fail) => {
      this.#client[verb](request, { deadline }, (error: Grpc.ServiceError | null, answer: unknown) =>
        error === null ? done(answer) : fail(new Error(`${this.#codes[error.code]}: ${error.details}`)),
      );
    });
  }
}
