/** Why a container could not be started: `reason` and `message` of its waiting state, in the kubelet's words. */
export class ContainerStartError extends Error {
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.name = 'ContainerStartError';
    this.reason = reason;
  }
}
