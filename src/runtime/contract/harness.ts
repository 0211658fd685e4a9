import { existsSync, readFileSync } from 'node:fs';
import type { ContainerConfig, ContainerState, PodSandboxConfig, SandboxRuntime } from '../sandbox-runtime.ts';

/** What a runtime's test hands to the suite. */
export interface RuntimeHarness {
  /** Opens the runtime over the same state; called again after `close()` for what a restarted host sees. */
  open(): Promise<SandboxRuntime>;
  /** Removes everything, the runtime's own processes too. */
  dispose(runtime: SandboxRuntime): Promise<void>;
  /** Empty directory for logs and volumes. */
  directory: string;
  /** Has `sh`, `cat`, `sleep`, `nc`, `id`; pulled before the tests. */
  image: string;
  /** References whose pull fails in the way of the key. */
  failingImages: Record<'notFound' | 'unauthorized' | 'registryUnavailable' | 'invalidName', string>;
  /** A network namespace for a pod; undefined where the runtime has none. */
  makeNetwork(uid: string): Promise<string | undefined>;
  removeNetwork(uid: string): Promise<void>;
  cgroupParent(uid: string): string;
  /** Why tests that look into a process are skipped; undefined runs them. */
  withoutProcesses?: string;
}

/** One pod of a test. */
export interface TestPod {
  uid: string;
  sandboxId: string;
  config: PodSandboxConfig;
}

/** The small verbs tests are written in. */
export class ContractBench {
  readonly harness: RuntimeHarness;
  #runtime: SandboxRuntime;
  #podCount = 0;
  readonly #uids = new Set<string>();

  private constructor(harness: RuntimeHarness, runtime: SandboxRuntime) {
    this.harness = harness;
    this.#runtime = runtime;
  }

  static async open(harness: RuntimeHarness): Promise<ContractBench> {
    const bench = new ContractBench(harness, await harness.open());
    await bench.runtime.pullImage(harness.image);
    return bench;
  }

  get runtime(): SandboxRuntime {
    return this.#runtime;
  }

  /** As if the host agent had been started anew. */
  async reopen(): Promise<void> {
    await this.#runtime.close();
    this.#runtime = await this.harness.open();
  }

  async runPod(changes: Partial<PodSandboxConfig> = {}): Promise<TestPod> {
    const uid = changes.metadata?.uid ?? `contract-${process.pid}-${this.#podCount++}`;
    this.#uids.add(uid);
    const config: PodSandboxConfig = {
      metadata: { tenant: 'acme', namespace: 'shop', name: `pod-${uid}`, uid, attempt: 0 },
      hostname: 'contract-host',
      logDirectory: `${this.harness.directory}/logs/${uid}`,
      dns: { servers: ['10.96.0.10'], searches: ['shop.svc.cluster.local'], options: ['ndots:5'] },
      labels: {},
      annotations: {},
      cgroupParent: this.harness.cgroupParent(uid),
      networkNamespacePath: await this.harness.makeNetwork(uid),
      runtimeHandler: '',
      resources: {},
      ...changes,
    };
    return { uid, config, sandboxId: await this.runtime.runPodSandbox(config) };
  }

  containerConfig(changes: Partial<ContainerConfig> = {}): ContainerConfig {
    return {
      metadata: { name: 'main', attempt: 0 },
      image: this.harness.image,
      envs: [],
      mounts: [],
      labels: {},
      annotations: {},
      logPath: `${changes.metadata?.name ?? 'main'}/${changes.metadata?.attempt ?? 0}.log`,
      stdin: false,
      stdinOnce: false,
      tty: false,
      resources: {},
      ...changes,
      security: {
        supplementalGroups: [],
        privileged: false,
        readonlyRootfs: false,
        noNewPrivileges: false,
        addCapabilities: [],
        dropCapabilities: [],
        seccompProfile: { type: 'RuntimeDefault' },
        pidNamespace: 'container',
        ...changes.security,
      },
    };
  }

  async create(pod: TestPod, changes: Partial<ContainerConfig> = {}): Promise<string> {
    return this.runtime.createContainer(pod.sandboxId, this.containerConfig(changes), pod.config);
  }

  async start(pod: TestPod, command: string[], changes: Partial<ContainerConfig> = {}): Promise<string> {
    const id = await this.create(pod, { command, ...changes });
    await this.runtime.startContainer(id);
    return id;
  }

  /** Runs a command to its end and answers with its state. */
  async runToEnd(pod: TestPod, command: string[], changes: Partial<ContainerConfig> = {}): Promise<ContainerState> {
    return this.waitForExit(await this.start(pod, command, changes));
  }

  waitForExit(containerId: string): Promise<ContainerState> {
    return this.waitFor(async () => {
      const state = await this.runtime.containerStatus(containerId);
      return state?.state === 'exited' ? state : undefined;
    });
  }

  /** The log's whole rows once `complete` is satisfied: a runtime may copy the last output after the end is known. */
  waitForLog(logPath: string, complete: (rows: string[]) => boolean): Promise<string[]> {
    return this.waitFor(async () => {
      const rows = existsSync(logPath)
        ? readFileSync(logPath, 'utf8')
            .split('\n')
            .filter((row) => row !== '')
        : [];
      return complete(rows) ? rows : undefined;
    });
  }

  /** Asks until there is an answer; the limit is for a test that fails, not for one that passes. */
  async waitFor<Value>(ask: () => Promise<Value | undefined | false>): Promise<Value> {
    const deadline = Date.now() + 30_000;
    for (;;) {
      const value = await ask();
      if (value !== undefined && value !== false) return value;
      if (Date.now() > deadline) throw new Error(`waited in vain for ${ask}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** After each test. */
  async removePods(): Promise<void> {
    for (const sandbox of await this.runtime.listPodSandboxes()) await this.runtime.removePodSandbox(sandbox.id);
    for (const uid of this.#uids) await this.harness.removeNetwork(uid);
    this.#uids.clear();
  }
}
