import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PodSpec } from '../../api/generated/core-v1.ts';
import type { ContainerInstance, Host } from '../../api/pool.ts';
import { CONTAINER_INSTANCES, HOSTS } from '../../api/resources.ts';
import { isAlreadyExists } from '../../api/status.ts';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { Client, SYSTEM_TENANT } from '../../client/client.ts';
import { createInformerFactory } from '../../client/informer-factory.ts';
import { FakeTransport, type FakeTransportOptions } from '../../client/testing/fake-transport.ts';
import type { SandboxRuntime } from '../../runtime/sandbox-runtime.ts';
import { startHostAgent } from '../agent.ts';
import type { HostAgent, HostAgentOptions } from '../options.ts';
import { FakeNetwork } from './fake-network.ts';

export interface Bench {
  transport: FakeTransport;
  client: Client;
  network: FakeNetwork;
  directory: string;
  /** Starts an agent (again, after `kill`); the runtime, network and API server stay. */
  start(options?: Partial<HostAgentOptions>): Promise<HostAgent>;
  /** The agent goes away as after a kill -9: nothing is told to anybody. */
  kill(): Promise<void>;
  create(uid: string, pod: Partial<PodSpec>, spec?: Partial<ContainerInstance['spec']>): Promise<ContainerInstance>;
  get(uid: string): Promise<ContainerInstance | undefined>;
  delete(uid: string, gracePeriodSeconds: number): Promise<void>;
  events(uid: string): Promise<{ reason: string; message: string; type: string; fieldPath?: string }[]>;
  close(): Promise<void>;
}

export const TENANT = 'acme';

/** An agent on a runtime, with an API server in memory. */
export function createBench(runtime: SandboxRuntime, options: FakeTransportOptions = {}): Bench {
  const clock = systemClock;
  const transport = new FakeTransport(options);
  const client = new Client(transport);
  const network = new FakeNetwork();
  const directory = mkdtempSync(join(tmpdir(), 'skypod-host-'));
  const tls = createCertificates(directory);
  const instances = client.resource<ContainerInstance>(SYSTEM_TENANT, CONTAINER_INSTANCES, TENANT);
  let running: { agent: HostAgent; controller: AbortController } | undefined;
  const bench: Bench = {
    transport,
    client,
    network,
    directory,
    async start(options = {}) {
      const controller = new AbortController();
      const informers = createInformerFactory(client, { logger: silentLogger, clock });
      // The control plane's part of a registration: the number comes from there.
      const host = { apiVersion: 'pool.skypod.io/v1alpha1', kind: 'Host', metadata: { name: 'host-1' } };
      await client
        .resource<Host>(SYSTEM_TENANT, HOSTS)
        .create({ ...host, spec: { zone: 'zone-a', zones: ['zone-a'], index: 0 } })
        .catch((error) => {
          if (!isAlreadyExists(error)) throw error;
        });
      const started = startHostAgent(
        {
          name: 'host-1',
          zone: 'zone-a',
          informers,
          runtime,
          network,
          dataDirectory: directory,
          tls,
          streaming: { host: '127.0.0.1', port: 0 },
          clock,
          logger: silentLogger,
          simulated: true,
          ...options,
        },
        controller.signal,
      );
      informers.start(controller.signal);
      const agent = await started;
      running = { agent, controller };
      return agent;
    },
    async kill() {
      running?.controller.abort();
      await running?.agent.stopped;
      running = undefined;
    },
    async create(uid, pod, spec = {}) {
      return await instances.create({
        apiVersion: 'pool.skypod.io/v1alpha1',
        kind: 'ContainerInstance',
        metadata: { name: uid },
        spec: {
          podRef: { namespace: 'default', name: `pod-${uid}`, uid },
          zone: 'zone-a',
          hostName: 'host-1',
          resources: { cpu: '250m', memory: '512Mi' },
          pod: { restartPolicy: 'Always', terminationGracePeriodSeconds: 30, containers: [], ...pod },
          vpc: { serviceCidr: '10.96.0.0/12', dnsAddress: '10.96.0.10', clusterDomain: 'cluster.local' },
          ...spec,
        },
      });
    },
    async get(uid) {
      return await instances.get(uid).catch(() => undefined);
    },
    async delete(uid, gracePeriodSeconds) {
      await instances.delete(uid, { gracePeriodSeconds });
    },
    async events(uid) {
      const { items } = await client
        .resource(SYSTEM_TENANT, { group: '', version: 'v1', resource: 'events' }, TENANT)
        .list();
      return items
        .filter((event) => event['involvedObject']?.name === uid)
        .map((event) => ({
          reason: event['reason'],
          message: event['message'],
          type: event['type'],
          fieldPath: event['involvedObject'].fieldPath,
        }));
    },
    async close() {
      await bench.kill();
      await runtime.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return bench;
}

/** An authority, a host's certificate, and clients' with and without the platform's organization. */
function createCertificates(directory: string) {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
  const key = (name: string) => openssl('ecparam', '-genkey', '-name', 'prime256v1', '-noout', '-out', `${name}.key`);
  key('ca');
  openssl('req', '-x509', '-new', '-key', 'ca.key', '-subj', '/CN=test', '-days', '1', '-out', 'ca.crt');
  for (const [name, subject] of [
    ['platform', '/O=skypod:platform/CN=127.0.0.1'],
    ['tenant', '/O=skypod:tenant/CN=mallory'],
  ] as const) {
    key(name);
    openssl('req', '-new', '-key', `${name}.key`, '-subj', subject, '-out', `${name}.csr`);
    const request = ['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial'];
    openssl(...request, '-days', '1', '-out', `${name}.crt`);
  }
  const read = (name: string) => readFileSync(join(directory, name), 'utf8');
  return { authority: read('ca.crt'), certificate: read('platform.crt'), key: read('platform.key') };
}
