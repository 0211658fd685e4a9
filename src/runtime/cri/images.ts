import type { ImageStatus, RegistryAuth } from '../sandbox-runtime.ts';
import { ImagePullError } from '../sandbox-runtime.ts';
import { type CriClient, CriError, criStatus } from './cri-client.ts';
import type { CriImage } from './messages.ts';
import { PAUSE_IMAGE } from './pause-image.ts';
import type { RegistryGateway } from './registries/gateway.ts';
import { registryOf } from './registries/policy.ts';

/** The image verbs of the port. */
export class CriImages {
  readonly #client: CriClient;
  readonly #gateway: RegistryGateway;
  readonly #pulls = new Map<string, Promise<ImageStatus>>();

  constructor(client: CriClient, gateway: RegistryGateway) {
    this.#client = client;
    this.#gateway = gateway;
  }

  /** Pulls of the same image with the same credentials that overlap are one pull. */
  pull(image: string, auth?: RegistryAuth): Promise<ImageStatus> {
    const key = JSON.stringify([image, auth?.username, auth?.password]);
    const running = this.#pulls.get(key);
    if (running !== undefined) return running;
    const pull = this.#pull(image, auth).finally(() => this.#pulls.delete(key));
    this.#pulls.set(key, pull);
    return pull;
  }

  async #pull(image: string, auth?: RegistryAuth): Promise<ImageStatus> {
    const registry = registryOf(image);
    await this.#gateway.start();
    const refusal = this.#gateway.refusal(registry);
    if (refusal !== undefined) {
      const text = `failed to pull and unpack image ${JSON.stringify(image)}: ${refusal}`;
      throw new ImagePullError('unauthorized', `rpc error: code = PermissionDenied desc = ${text}`);
    }
    let reference: string;
    try {
      reference = (await this.#client.images('PullImage', { image: { image }, auth })).imageRef;
    } catch (error) {
      if (!(error instanceof CriError)) throw error;
      throw pullError(new CriError(error.verb, error.code, this.#gateway.explain(error.message, registry)));
    }
    // The image by its id: a concurrent pull may have moved the tag meanwhile.
    const status = await this.status(reference);
    if (status === undefined) throw new ImagePullError('other', `image ${image} was removed while it was pulled`);
    return status;
  }

  async status(image: string): Promise<ImageStatus | undefined> {
    const answer = await this.#client.images('ImageStatus', { image: { image } });
    return answer.image === null ? undefined : imageStatus(answer.image);
  }

  /** All but the sandbox's own, which no pod names and no garbage collection may take. */
  async list(): Promise<ImageStatus[]> {
    const { images } = await this.#client.images('ListImages', {});
    return images.filter((image) => !image.repoTags.includes(PAUSE_IMAGE)).map(imageStatus);
  }

  async remove(image: string): Promise<void> {
    await this.#client.images('RemoveImage', { image: { image } });
  }
}

function imageStatus(image: CriImage): ImageStatus {
  return {
    id: image.id,
    repoTags: image.repoTags,
    repoDigests: image.repoDigests,
    sizeBytes: Number(image.size),
    ...(image.uid === null ? {} : { uid: Number(image.uid.value) }),
    ...(image.username === '' ? {} : { username: image.username }),
  };
}

/** containerd tells kinds of failure only in words; these are those of its resolver and of the reference parser. */
export function pullError(error: CriError): ImagePullError {
  const text = error.message;
  const kind = (): ImagePullError['kind'] => {
    if (/invalid reference format|failed to parse image reference|parse "?https?:/.test(text)) return 'invalidName';
    if (/: not found|404 Not Found|failed to resolve reference.*not found/.test(text)) return 'notFound';
    if (
      /401 Unauthorized|403 Forbidden|authorization failed|insufficient_scope|no basic auth|access denied/i.test(text)
    ) {
      return 'unauthorized';
    }
    if (
      error.code === criStatus.UNAVAILABLE ||
      /failed to do request|connection refused|no such host|i\/o timeout|network is unreachable|no route to host|TLS handshake|x509:|50[0-4] /.test(
        text,
      )
    ) {
      return 'registryUnavailable';
    }
    return error.code === criStatus.NOT_FOUND ? 'notFound' : 'other';
  };
  return new ImagePullError(kind(), `rpc error: code = ${codeName(error.code)} desc = ${text}`);
}

/** As Go's gRPC prints it, which is how events show it on any cluster. */
function codeName(code: number): string {
  const name = criStatus[code] ?? 'UNKNOWN';
  return name.toLowerCase().replace(/(^|_)(\w)/g, (_, _underscore, letter) => letter.toUpperCase());
}
