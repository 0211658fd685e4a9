import type { Duplex } from 'node:stream';
import type { KubeObject } from './object.ts';

/**
 * How the API server reaches a pod's containers: virtual-node/ implements it, compose/ hands it in. Every method
 * rejects with StatusError (400 when the container is not running, in upstream's words).
 */
export interface PodConnector {
  /** The bytes of `kubectl logs`, following when asked; `options` are PodLogOptions as query parameters. */
  logs(pod: KubeObject, options: PodLogOptions, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  exec(pod: KubeObject, options: PodExecOptions): Promise<RemoteSession>;
  attach(pod: KubeObject, options: PodExecOptions): Promise<RemoteSession>;
  portForward(pod: KubeObject, port: number): Promise<Duplex>;
  /** A raw connection to a port of the pod's address (the proxy subresources). */
  dial(pod: KubeObject, port: number): Promise<Duplex>;
}

export interface PodLogOptions {
  container?: string;
  follow?: boolean;
  previous?: boolean;
  sinceSeconds?: number;
  sinceTime?: string;
  timestamps?: boolean;
  tailLines?: number;
  limitBytes?: number;
  /** `All`, `Stdout`, `Stderr`. */
  stream?: string;
}

export interface PodExecOptions {
  container?: string;
  /** Empty for attach. */
  command: string[];
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

/** The same streams whatever the client speaks: SPDY/3.1 or WebSocket v4/v5. */
export interface RemoteSession {
  stdin?: import('node:stream').Writable;
  stdout?: import('node:stream').Readable;
  stderr?: import('node:stream').Readable;
  resize(width: number, height: number): void;
  /** A metav1.Status: Success, or Failure with reason NonZeroExitCode and cause ExitCode, as upstream's. */
  done: Promise<import('./status.ts').Status>;
  close(): void;
}
