import type { PodNetwork } from '../api/pod-network.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { InformerFactory } from '../client/informer.ts';
import type { SandboxRuntime } from '../runtime/sandbox-runtime.ts';

export interface HostAgentOptions {
  /** Of the Host object and its Lease; what the pool scheduler writes into spec.hostName. */
  name: string;
  zone: string;
  /** Every zone it takes instances of, `zone` among them; default: that one. */
  zones?: string[];
  /** Not started yet, or started: the agent adds its informer and waits for it. Its client speaks for the platform. */
  informers: InformerFactory;
  runtime: SandboxRuntime;
  network: PodNetwork | ((host: { index: number }) => PodNetwork | Promise<PodNetwork>);
  /** Absolute. Volumes, logs and small state live below it. */
  dataDirectory: string;
  /** PEM. The streaming server shows `certificate` and asks clients for one of `authority`'s with O=skypod:platform. */
  tls: { authority: string; certificate: string; key: string };
  /** Where the streaming server listens. Port 0: any. */
  streaming: { host: string; port: number };
  clock: Clock;
  logger: Logger;
  /** True for a runtime without processes: no files, mounts, cgroups and log rotation; capacity is what is said here. */
  simulated?: boolean;
  /** Instead of the machine's own: Kubernetes quantities. */
  capacity?: { cpu?: string; memory?: string; pods?: string };
  /** Tenants whose containers may be privileged, that is, root on the machine; none by default. */
  privilegedTenants?: readonly string[];
}

export interface HostAgent {
  readonly hostIndex: number;
  /** Of the streaming server. */
  readonly address: { host: string; port: number };
  /** Resolves when, after the signal, everything has been let go of; containers run on. */
  readonly stopped: Promise<void>;
}
