import type { Duplex } from 'node:stream';
import type { RemoteSession } from '../../api/pod-connector.ts';

/**
 * What an upgraded request leads to. The caller has authenticated, authorized and looked up the pod. `connect` runs before
 * the upgrade is answered: when it rejects with a StatusError, that is the plain HTTP answer.
 */
export type StreamingTarget = CommandTarget | PortForwardTarget;

export interface CommandTarget {
  kind: 'exec' | 'attach';
  /** As the query asked: which streams the client will use. `stderr` is ignored with `tty`. */
  options: { stdin: boolean; stdout: boolean; stderr: boolean; tty: boolean };
  /** stdout and stderr of the session must end when it is over, before or soon after `done` resolves. */
  connect(): Promise<RemoteSession>;
}

export interface PortForwardTarget {
  kind: 'portforward';
  /** For messages. */
  podName: string;
  podUid: string;
  /** Once for each connection that the client takes. */
  connect(port: number): Promise<Duplex>;
}
