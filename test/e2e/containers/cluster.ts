import { eventually } from '../../lib/eventually.ts';
import { image } from '../../lib/images.ts';
import type { Kubectl } from '../../lib/kubectl.ts';
import type { Skypod } from '../../lib/skypod.ts';

export const podOf = (name: string, spec: object, metadata: object = {}) =>
  JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name, ...metadata }, spec });

export const shell = (name: string, script: string, more: object = {}) => ({
  name,
  image: image('busybox'),
  command: ['/bin/sh', '-c', script],
  ...more,
});

/** The one Skypod with real containers that all these tests use; there once `start` is through. */
export class Cluster {
  #skypod: Skypod | undefined;

  started(skypod: Skypod): void {
    this.#skypod = skypod;
  }

  get skypod(): Skypod {
    if (this.#skypod === undefined) throw new Error('not started yet');
    return this.#skypod;
  }

  get kubectl(): Kubectl {
    return this.skypod.kubectl;
  }

  readonly status = (pod: string, path: string) => this.kubectl('get', 'pod', pod, '-o', `jsonpath={.status.${path}}`);

  readonly phase = (pod: string, wanted: string) =>
    eventually(`pod ${pod} is ${wanted}`, async () => (await this.status(pod, 'phase')) === wanted);

  readonly waiting = (pod: string, reason: string) =>
    eventually(
      `pod ${pod} waits: ${reason}`,
      async () => (await this.status(pod, 'containerStatuses[0].state.waiting.reason')) === reason,
    );
}
