import type { Clock } from '../../base/clock.ts';
import { Semaphore } from '../../base/semaphore.ts';
import { ImagePullError, type ImageStatus, type SandboxRuntime } from '../../runtime/sandbox-runtime.ts';
import { ContainerStartError } from '../worker/containers/container-start-error.ts';
import type { PodEvent } from '../worker/state.ts';
import { formatDuration } from '../worker/steps/back-off.ts';
import { credentialHash, credentialsFor, type RegistryCredential } from './credentials.ts';
import type { PullRecords } from './pull-records.ts';
import { parseImageReference } from './reference.ts';

const PARALLEL_PULLS = 6;

export interface ImageRequest {
  image: string;
  policy: string;
  credentials: RegistryCredential[];
  event: (event: Omit<PodEvent, 'container'>) => void;
}

/** Makes sure that a container's image is there and that the pod may use it, as the kubelet's image manager does. */
export class ImageManager {
  readonly #runtime: SandboxRuntime;
  readonly #clock: Clock;
  readonly #records: PullRecords;
  readonly #pulls = new Semaphore(PARALLEL_PULLS);
  /** One pull at a time of the same image with the same credential; others wait for it. */
  readonly #underWay = new Map<string, Promise<{ status: ImageStatus; tookMs: number }>>();
  /** Image id -> epoch ms of its last use, for the garbage collection. */
  readonly lastUsed = new Map<string, number>();

  constructor(runtime: SandboxRuntime, clock: Clock, records: PullRecords) {
    this.#runtime = runtime;
    this.#clock = clock;
    this.#records = records;
  }

  get pulling(): number {
    return this.#underWay.size;
  }

  /** Rejects with ContainerStartError: ErrImagePull, ErrImageNeverPull, InvalidImageName, ImageInspectError. */
  async ensure(request: ImageRequest): Promise<ImageStatus> {
    const { image, policy, event } = request;
    let reference: ReturnType<typeof parseImageReference>;
    try {
      reference = parseImageReference(image);
    } catch (error) {
      const message = `Failed to apply default image tag "${image}": ${(error as Error).message}`;
      event({ type: 'Warning', reason: 'InspectFailed', message });
      throw new ContainerStartError('InvalidImageName', message);
    }
    const credentials = credentialsFor(reference.repository, request.credentials);
    if (policy !== 'Always') {
      const present = await this.#present(image, reference.pullName, event);
      if (
        present !== undefined &&
        this.#records.mayUse(present.id, reference.pullName, credentials.map(credentialHash))
      ) {
        const message = `Container image "${image}" already present on machine and can be accessed by the pod`;
        event({ type: 'Normal', reason: 'Pulled', message });
        this.lastUsed.set(present.id, this.#clock.now());
        return present;
      }
      if (policy === 'Never') {
        const message = `Container image "${image}" is not present with pull policy of Never`;
        event({ type: 'Warning', reason: 'ErrImageNeverPull', message });
        throw new ContainerStartError('ErrImageNeverPull', message);
      }
    }
    return await this.#pull(image, reference.pullName, credentials, event);
  }

  async #present(image: string, pullName: string, event: ImageRequest['event']): Promise<ImageStatus | undefined> {
    try {
      return await this.#runtime.imageStatus(pullName);
    } catch (error) {
      const message = `Failed to inspect image "${image}": ${(error as Error).message}`;
      event({ type: 'Warning', reason: 'InspectFailed', message });
      throw new ContainerStartError('ImageInspectError', message);
    }
  }

  async #pull(
    image: string,
    pullName: string,
    credentials: RegistryCredential[],
    event: ImageRequest['event'],
  ): Promise<ImageStatus> {
    event({ type: 'Normal', reason: 'Pulling', message: `Pulling image "${image}"` });
    const began = this.#clock.now();
    let failure: unknown;
    // As the kubelet: with each credential that applies, or without any when none does.
    for (const credential of credentials.length > 0 ? credentials : [undefined]) {
      try {
        const { status, tookMs } = await this.#pullOnce(pullName, credential);
        const totalMs = this.#clock.now() - began;
        // Who joined a pull under way has not waited for all of it.
        const pull = formatDuration(Math.min(tookMs, totalMs));
        const message = `Successfully pulled image "${image}" in ${pull} (${formatDuration(totalMs)} including waiting). Image size: ${status.sizeBytes} bytes.`;
        event({ type: 'Normal', reason: 'Pulled', message });
        this.lastUsed.set(status.id, this.#clock.now());
        return status;
      } catch (error) {
        failure = error;
      }
    }
    const message = (failure as Error).message;
    event({ type: 'Warning', reason: 'Failed', message: `Failed to pull image "${image}": ${message}` });
    if (failure instanceof ImagePullError && failure.kind === 'invalidName') {
      throw new ContainerStartError('InvalidImageName', message);
    }
    throw new ContainerStartError('ErrImagePull', message);
  }

  #pullOnce(
    pullName: string,
    credential: RegistryCredential | undefined,
  ): Promise<{ status: ImageStatus; tookMs: number }> {
    const hash = credential === undefined ? undefined : credentialHash(credential);
    const key = `${pullName}\n${hash ?? ''}`;
    let pull = this.#underWay.get(key);
    if (pull === undefined) {
      pull = this.#pulls
        .run(async () => {
          const began = this.#clock.now();
          if (hash !== undefined) await this.#records.pulling(pullName, hash);
          const auth = credential && { username: credential.username, password: credential.password };
          const status = await this.#runtime.pullImage(pullName, auth);
          await this.#records.pulled(status.id, pullName, hash);
          return { status, tookMs: this.#clock.now() - began };
        })
        .finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, pull);
    }
    return pull;
  }
}
