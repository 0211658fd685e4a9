import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { builtinResources } from '../../../api/resources/index.ts';
import type { StatusError } from '../../../api/status.ts';
import { openMemoryStore } from '../../../store/memory/memory-store.ts';
import type { Objects } from '../../objects.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';
import type { AdmissionRequest } from '../admission.ts';
import type { CheckedPod } from './containers.ts';
import { printDetails, violations } from './evaluate.ts';
import { podSecurity } from './index.ts';
import { policyOf, printLevel } from './policy.ts';

const good = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
};
const podOf = (spec: object, annotations?: Record<string, string>): CheckedPod => ({
  metadata: annotations === undefined ? {} : { annotations },
  spec: { containers: [{ name: 'c', image: 'x' }], ...spec } as CheckedPod['spec'],
});
const withContext = (securityContext: object, more: object = {}) =>
  podOf({ containers: [{ name: 'c', image: 'x', securityContext }], ...more });
const said = (level: 'baseline' | 'restricted', pod: CheckedPod, minor?: number) =>
  printDetails(violations({ level, minor }, pod));

// What is against `baseline`, in its newest version unless one is named.
const baseline: [pod: CheckedPod, detail: string, minor?: number][] = [
  [podOf({ hostNetwork: true, hostPID: true }), 'host namespaces (hostNetwork=true, hostPID=true)'],
  [withContext({ privileged: true }), 'privileged (container "c" must not set securityContext.privileged=true)'],
  [
    withContext({ capabilities: { add: ['NET_RAW', 'CHOWN', 'BPF'] } }),
    'non-default capabilities (container "c" must not include "BPF", "NET_RAW" in securityContext.capabilities.add)',
  ],
  [podOf({ volumes: [{ name: 'v', hostPath: { path: '/' } }] }), 'hostPath volumes (volume "v")'],
  [
    podOf({
      containers: ['a', 'b'].map((name) => ({ name, image: 'x', ports: [{ containerPort: 1, hostPort: 80 }] })),
    }),
    'hostPort (containers "a", "b" use hostPort 80)',
  ],
  [
    withContext({ procMount: 'Unmasked' }),
    'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
  ],
  [withContext({ procMount: 'Unmasked' }, { hostUsers: false }), ''],
  [
    withContext({ procMount: 'Unmasked' }, { hostUsers: false }),
    'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
    34,
  ],
  [
    withContext(
      { seLinuxOptions: { type: 'spc_t', user: 'u' } },
      { securityContext: { seLinuxOptions: { role: 'r' } } },
    ),
    'seLinuxOptions (pod and container "c" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set; role may not be set)',
  ],
  [withContext({ seLinuxOptions: { type: 'container_engine_t' } }), ''],
  [
    withContext({ seLinuxOptions: { type: 'container_engine_t' } }),
    'seLinuxOptions (container "c" set forbidden securityContext.seLinuxOptions: type "container_engine_t")',
    30,
  ],
  [
    withContext({ seccompProfile: { type: 'Unconfined' } }),
    'seccompProfile (container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
  ],
  [
    podOf({}, { 'seccomp.security.alpha.kubernetes.io/pod': 'unconfined' }),
    'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")',
    18,
  ],
  [
    podOf(
      { securityContext: { appArmorProfile: { type: 'Unconfined' } } },
      { 'container.apparmor.security.beta.kubernetes.io/c': 'unconfined' },
    ),
    'forbidden AppArmor profiles (pod and annotation must not set AppArmor profile type to "Unconfined", "container.apparmor.security.beta.kubernetes.io/c="unconfined"")',
  ],
  [
    podOf({ securityContext: { sysctls: [{ name: 'kernel.sem' }, { name: 'net.ipv4.tcp_rmem' }] } }),
    'forbidden sysctls (kernel.sem)',
  ],
  [
    podOf({ securityContext: { sysctls: [{ name: 'net.ipv4.tcp_rmem' }] } }),
    'forbidden sysctls (net.ipv4.tcp_rmem)',
    31,
  ],
  [
    withContext({ windowsOptions: { hostProcess: true } }),
    'hostProcess (container "c" must not set securityContext.windowsOptions.hostProcess=true)',
  ],
  [
    podOf({ containers: [{ name: 'c', image: 'x', livenessProbe: { httpGet: { host: 'h', port: 1 } } }] }),
    'probe or lifecycle host (container "c" uses probe or lifecycle host "h")',
  ],
];

// And what `restricted` has against more.
const restricted: [pod: CheckedPod, detail: string, minor?: number][] = [
  [withContext(good), ''],
  [
    podOf({}),
    'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  ],
  [
    withContext({ ...good, runAsUser: 0, capabilities: { drop: ['ALL'], add: ['CHOWN'] } }),
    'unrestricted capabilities (container "c" must not include "CHOWN" in securityContext.capabilities.add), runAsUser=0 (container "c" must not set runAsUser=0)',
  ],
  [
    withContext(good, {
      volumes: [
        { name: 'v', hostPath: { path: '/' } },
        { name: 'w', nfs: {} },
        { name: 'e', emptyDir: {} },
      ],
    }),
    'restricted volume types (volumes "v", "w" use restricted volume types "hostPath", "nfs")',
  ],
  [
    withContext({ ...good, runAsNonRoot: false }),
    'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false)',
  ],
  [podOf({ os: { name: 'windows' }, securityContext: { runAsNonRoot: true } }), ''],
];

for (const [pod, detail, minor] of baseline) {
  it(`baseline${minor === undefined ? '' : ` v1.${minor}`}: ${detail}`, () => {
    assert.equal(said('baseline', pod, minor), detail);
  });
}
for (const [pod, detail, minor] of restricted) {
  it(`restricted: ${detail}`, () => assert.equal(said('restricted', pod, minor), detail));
}

it('reads labels; warns at the level it enforces', () => {
  const label = (name: string) => `pod-security.kubernetes.io/${name}`;
  const { policy } = policyOf({ [label('enforce')]: 'baseline', [label('enforce-version')]: 'v1.30' });
  assert.deepEqual(Object.values(policy).map(printLevel), ['baseline:v1.30', 'privileged:latest', 'baseline:v1.30']);
  const wrong = policyOf({ [label('enforce')]: 'strict', [label('audit-version')]: '1.2' });
  assert.deepEqual(
    wrong.errors.map(({ field, message }) => `${field}: ${message}`),
    [
      'metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted',
      'metadata.labels[pod-security.kubernetes.io/audit-version]: Invalid value: "1.2": must be "latest" or "v1.x"',
    ],
  );
  assert.equal(printLevel(wrong.policy.enforce), 'restricted:latest');
});

it('warns of templates, notes for the audit log, and tells what a stricter level would hit', async () => {
  const labels = { 'pod-security.kubernetes.io/warn': 'baseline', 'pod-security.kubernetes.io/audit': 'restricted' };
  const spec = { containers: [{ name: 'c', image: 'x', securityContext: good }], hostPID: true };
  const pods = ['b', 'a', 'd'].map((name) => ({ object: { metadata: { name }, spec } }));
  const objects = {
    get: async () => ({ object: { metadata: { name: 'n', labels } } }),
    entries: async () => [...pods, { object: { metadata: { name: 'fine' }, spec: { containers: [] } } }],
  };
  const plugin = podSecurity(objects as unknown as Objects);
  const ask = async (group: string, resource: string, more: object): Promise<AdmissionRequest> => {
    const definition = builtinResources.find((one) => one.group === group && one.resource === resource)!;
    const identity = { kind: 'tenant', name: 'ann', groups: [] };
    const place = { subresource: '', tenant: 'a', namespace: 'n', name: 'n', dryRun: false };
    const request = { operation: 'CREATE', definition, ...place, identity, warnings: [], ...more } as never;
    assert.ok(plugin.handles(request));
    await plugin.validate!(request);
    return request;
  };
  const template = { metadata: {}, spec };
  const deployment = await ask('apps', 'deployments', { object: { metadata: { name: 'd' }, spec: { template } } });
  assert.deepEqual(deployment.warnings, [
    'would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)',
  ]);
  assert.deepEqual(deployment.auditAnnotations, {
    'pod-security.kubernetes.io/audit-violations':
      'would violate PodSecurity "restricted:latest": host namespaces (hostPID=true)',
  });
  const namespace = await ask('', 'namespaces', {
    operation: 'UPDATE',
    oldObject: { metadata: { name: 'n' } },
    object: { metadata: { name: 'n', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } } },
  });
  assert.deepEqual(namespace.warnings, [
    'existing pods in namespace "n" violate the new PodSecurity enforce level "restricted:latest"',
    'a (and 2 other pods): host namespaces',
  ]);
});

describe('a namespace with labels', { timeout: 60_000 }, () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer(openMemoryStore(), { tenants: ['a'] });
  });
  after(() => server.close());

  it('refuses pods, and labels that mean nothing', async () => {
    const core = '/clusters/a/api/v1/namespaces';
    const send = (method: 'POST' | 'PATCH', path: string, body: unknown) =>
      server.transport.request<any>({
        method,
        path,
        body,
        ...(method === 'PATCH' && { contentType: 'application/merge-patch+json' }),
      });
    await send('POST', core, { metadata: { name: 'n' } });
    await send('POST', `${core}/n/serviceaccounts`, { metadata: { name: 'default' } });
    const spec = { containers: [{ name: 'c', image: 'x' }], hostNetwork: true };
    await send('POST', `${core}/n/pods`, { metadata: { name: 'one' }, spec });
    await send('POST', `${core}/n/pods`, { metadata: { name: 'two' }, spec });
    const enforce = { 'pod-security.kubernetes.io/enforce': 'baseline' };
    await send('PATCH', `${core}/n`, { metadata: { labels: enforce } });
    await assert.rejects(
      send('POST', `${core}/n/pods`, { metadata: { name: 'three' }, spec }),
      (error: StatusError) => {
        assert.equal(error.code, 403);
        assert.equal(
          error.message,
          'pods "three" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)',
        );
        return true;
      },
    );
    await assert.rejects(
      send('PATCH', `${core}/n`, { metadata: { labels: { 'pod-security.kubernetes.io/warn': 'no' } } }),
      (error: StatusError) => error.code === 422,
    );
  });
});
