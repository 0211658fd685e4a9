import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Container, PodSpec } from '../../../api/generated/core-v1.ts';
import type { ImageStatus } from '../../../runtime/sandbox-runtime.ts';
import { containerSpec, instanceOf } from '../../testing/fixtures.ts';
import { etcHosts } from '../../volumes/etc-hosts.ts';
import { containerConfig, dnsConfig, hostnameOf, sandboxConfig } from './container-config.ts';
import { expandReferences } from './environment.ts';
import { containerResources, oomScoreAdjustment, podResources } from './resources.ts';

const GIB = 1024 ** 3;
const image: ImageStatus = { id: 'sha256:1', repoTags: [], repoDigests: [], sizeBytes: 1 };
const address = { ip: '10.128.0.5', hostIp: '10.128.0.1' };

const configOf = (
  container: Partial<Container>,
  pod: Partial<PodSpec> = {},
  more: Partial<ImageStatus> = {},
  policy = { allowPrivileged: false },
) => {
  const spec = containerSpec('web', container);
  return containerConfig({
    instance: instanceOf({ containers: [spec], ...pod }),
    container: spec,
    attempt: 2,
    image: { ...image, ...more },
    address,
    mounts: [],
    hostMemoryBytes: 8 * GIB,
    policy,
  });
};

describe('a container’s configuration', () => {
  it('has its environment with references, and the words of its command expanded', () => {
    const config = configOf({
      command: ['echo', '$(NAME)', '$$(NAME)', '$(NONE)'],
      env: [
        { name: 'FIRST', value: 'a' },
        { name: 'NAME', value: '$(FIRST)-$(LATER)' },
        { name: 'LATER', value: 'b' },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        { name: 'HOST', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
      ],
    });
    const values = Object.fromEntries(config.envs.map(({ key, value }) => [key, value]));
    assert.deepEqual(values, { FIRST: 'a', NAME: 'a-$(LATER)', LATER: 'b', IP: '10.128.0.5', HOST: '10.128.0.1' });
    assert.deepEqual(config.command, ['echo', 'a-$(LATER)', '$(NAME)', '$(NONE)']);
    assert.equal(config.logPath, 'web/2.log');
    assert.equal(config.annotations['io.kubernetes.container.restartCount'], '2');
  });

  it('expands references as Kubernetes does', () => {
    const values = new Map([['A', '1']]);
    const pairs = [
      ['$(A)', '1'],
      ['$$(A)', '$(A)'],
      ['$$$(A)', '$1'],
      ['$A', '$A'],
      ['$(A', '$(A'],
      ['$', '$'],
      ['x$(B)y', 'x$(B)y'],
    ];
    for (const [text, expected] of pairs) assert.equal(expandReferences(text!, values), expected);
  });

  it('grows no larger than it may', () => {
    const env = [{ name: 'A', value: 'x'.repeat(1000) }];
    const args = Array.from({ length: 10_000 }, () => '$(A)');
    assert.throws(() => configOf({ env, args }), /the environment of the pod is too large/);
    assert.throws(() => configOf({ env: [...env, { name: 'B', value: '$(A)'.repeat(10_000) }] }), /too large/);
  });

  it('never leaves seccomp, privileges and the machine’s files open to a tenant', () => {
    const { security } = configOf({ securityContext: { seccompProfile: { type: 'Unconfined' } } });
    assert.deepEqual(security.seccompProfile, { type: 'RuntimeDefault' });
    assert.ok(security.maskedPaths?.includes('/proc/kcore'));
    assert.equal(security.privileged, false);
    assert.throws(() => configOf({ securityContext: { privileged: true } }), /privileged containers are not allowed/);
    assert.throws(() => configOf({ securityContext: { procMount: 'Unmasked' } }), /procMount/);
    const trusted = configOf({ securityContext: { privileged: true } }, {}, {}, { allowPrivileged: true });
    assert.equal(trusted.security.privileged, true);
    assert.deepEqual(trusted.security.seccompProfile, { type: 'Unconfined' });
    const sandboxOf = (allowPrivileged: boolean, container: object) =>
      sandboxConfig({
        instance: instanceOf({ containers: [containerSpec('a', container)] }),
        attempt: 0,
        address,
        logDirectory: '/logs',
        cgroupParent: '/pods',
        policy: { allowPrivileged },
      }).privileged;
    assert.equal(sandboxOf(true, { securityContext: { privileged: true } }), true);
    assert.equal(sandboxOf(true, {}), undefined);
    assert.equal(sandboxOf(false, { securityContext: { privileged: true } }), undefined);
  });

  it('runs the pod by the handler of its class, not by the name of the class', () => {
    const instance = instanceOf({ containers: [containerSpec('a', {})], runtimeClassName: 'safe' });
    instance.spec.runtimeHandler = 'runsc';
    const policy = { allowPrivileged: false };
    const config = sandboxConfig({ instance, attempt: 0, address, logDirectory: '/l', cgroupParent: '/p', policy });
    assert.equal(config.runtimeHandler, 'runsc');
  });

  it('takes the pod’s security settings where the container has none', () => {
    const { security } = configOf(
      {
        securityContext: {
          runAsUser: 7,
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
        },
      },
      { securityContext: { runAsUser: 5, runAsGroup: 6, fsGroup: 8, supplementalGroups: [9] } },
    );
    assert.deepEqual([security.runAsUser, security.runAsGroup, security.supplementalGroups], [7, 6, [9, 8]]);
    assert.deepEqual([security.noNewPrivileges, security.readonlyRootfs], [true, true]);
    assert.deepEqual([security.addCapabilities, security.dropCapabilities], [['NET_ADMIN'], ['ALL']]);
  });

  it('holds runAsNonRoot', () => {
    const nonRoot = { securityContext: { runAsNonRoot: true } };
    assert.throws(() => configOf(nonRoot), /^\w*Error: container has runAsNonRoot and image will run as root/);
    assert.throws(() => configOf(nonRoot, {}, { uid: 0 }), /image will run as root/);
    assert.throws(
      () => configOf(nonRoot, {}, { username: 'app' }),
      /image has non-numeric user \(app\), cannot verify/,
    );
    assert.throws(() => configOf({ securityContext: { runAsNonRoot: true, runAsUser: 0 } }), /breaks non-root policy/);
    assert.equal(configOf(nonRoot, {}, { uid: 1000 }).security.runAsUser, 1000);
  });
});

describe('resources', () => {
  const sized = (requests: object, limits: object = {}) =>
    containerSpec('web', { resources: { requests, limits } as any });

  it('become shares, quota and limits', () => {
    const container = sized({ cpu: '250m', memory: '64Mi' }, { cpu: '500m', memory: '128Mi' });
    assert.deepEqual(containerResources(container, { containers: [container] }, 8 * GIB), {
      cpuShares: 256,
      cpuQuota: 50_000,
      cpuPeriod: 100_000,
      memoryLimitBytes: 128 * 1024 ** 2,
      oomScoreAdj: 993,
    });
    assert.deepEqual(containerResources(containerSpec('x'), { containers: [containerSpec('x')] }, GIB), {
      cpuShares: 2,
      oomScoreAdj: 1000,
    });
  });

  it('say who is killed first when memory runs out', () => {
    const guaranteed = sized({ cpu: '1', memory: '1Gi' }, { cpu: '1', memory: '1Gi' });
    assert.equal(oomScoreAdjustment(guaranteed, { containers: [guaranteed] }, 8 * GIB), -997);
    const burstable = sized({ memory: '4Gi' });
    assert.equal(oomScoreAdjustment(burstable, { containers: [burstable] }, 8 * GIB), 500);
    const tiny = sized({ cpu: '1m' });
    assert.equal(oomScoreAdjustment(tiny, { containers: [tiny] }, 8 * GIB), 999);
    const huge = sized({ memory: '8Gi' });
    assert.equal(oomScoreAdjustment(huge, { containers: [huge] }, 8 * GIB), 3);
  });

  it('of a pod are limited only when every container is', () => {
    const [limited, free] = [sized({ cpu: '100m' }, { cpu: '1', memory: '1Gi' }), sized({ cpu: '100m' })];
    assert.deepEqual(podResources({ containers: [limited, limited] }), {
      cpuShares: 204,
      cpuQuota: 200_000,
      cpuPeriod: 100_000,
      memoryLimitBytes: 2 * GIB,
    });
    assert.deepEqual(podResources({ containers: [limited, free] }), { cpuShares: 204 });
    assert.deepEqual(podResources({ containers: [containerSpec('x')] }), { cpuShares: 2 });
  });
});

describe('names', () => {
  it('are resolved by dnsPolicy and dnsConfig', () => {
    assert.deepEqual(dnsConfig(instanceOf({})), {
      servers: ['10.96.0.10'],
      searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
      options: ['ndots:5'],
    });
    const none = instanceOf({
      dnsPolicy: 'None',
      dnsConfig: {
        nameservers: ['1.1.1.1'],
        searches: ['x'],
        options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
      },
    });
    assert.deepEqual(dnsConfig(none), { servers: ['1.1.1.1'], searches: ['x'], options: ['ndots:2', 'edns0'] });
    assert.deepEqual(dnsConfig(instanceOf({ dnsPolicy: 'Default' })).searches, []);
    const merged = dnsConfig(instanceOf({ dnsConfig: { options: [{ name: 'ndots', value: '1' }] } }));
    assert.deepEqual(merged.options, ['ndots:1']);
  });

  it('of the pod itself follow hostname and subdomain', () => {
    assert.equal(hostnameOf(instanceOf({})), 'web');
    const named = instanceOf({
      hostname: 'db-0',
      subdomain: 'db',
      hostAliases: [{ ip: '1.2.3.4', hostnames: ['a', 'b'] }],
    });
    assert.equal(hostnameOf(named), 'db-0');
    const overridden = instanceOf({ hostname: 'db-0', subdomain: 'db', hostnameOverride: 'other.example.org' });
    assert.equal(hostnameOf(overridden), 'other.example.org');
    assert.match(etcHosts(overridden, address), /^10\.128\.0\.5\tother\.example\.org$/m);
    const onNode = instanceOf({ hostname: 'db-0', hostNetwork: true, nodeName: 'virtual-node-a' });
    assert.equal(hostnameOf(onNode), 'virtual-node-a');
    const hosts = etcHosts(named, address).split('\n');
    assert.ok(hosts.includes('10.128.0.5\tdb-0.db.shop.svc.cluster.local\tdb-0'));
    assert.ok(hosts.includes('1.2.3.4\ta\tb'));
    const qualified = instanceOf({ hostname: 'db-0', subdomain: 'db', setHostnameAsFQDN: true });
    assert.equal(hostnameOf(qualified), 'db-0.db.shop.svc.cluster.local');
  });
});
