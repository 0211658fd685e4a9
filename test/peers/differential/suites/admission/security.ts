import type { Twin } from '../../twin.ts';
import { MERGE, makeNamespace, pod } from '../objects.ts';
import { settle } from './settle.ts';

const main = { name: 'main', image: 'x' };
const secure = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};
const inContainer = (securityContext: object) => ({ containers: [{ ...main, securityContext }] });

/** One pod for each control of the Pod Security Standards. */
export const specs: Record<string, object> = {
  plain: {},
  secure: inContainer(secure),
  'secure as a whole': {
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [{ ...main, securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }],
  },
  privileged: inContainer({ privileged: true }),
  'privileged init': {
    initContainers: [{ ...main, name: 'i', securityContext: { privileged: true } }],
    ...inContainer(secure),
  },
  network: { hostNetwork: true },
  namespaces: { hostPID: true, hostIPC: true },
  path: {
    volumes: [
      { name: 'h', hostPath: { path: '/x' } },
      { name: 'i', hostPath: { path: '/y' } },
    ],
    ...inContainer(secure),
  },
  ports: {
    containers: [
      {
        ...main,
        ports: [
          { containerPort: 80, hostPort: 80 },
          { containerPort: 81, hostPort: 81 },
        ],
        securityContext: secure,
      },
    ],
  },
  capabilities: inContainer({
    ...secure,
    capabilities: { drop: ['ALL'], add: ['SYS_ADMIN', 'NET_BIND_SERVICE', 'CHOWN'] },
  }),
  root: inContainer({ ...secure, runAsNonRoot: false, runAsUser: 0 }),
  'root as a whole': { securityContext: { runAsUser: 0 }, ...inContainer(secure) },
  seccomp: inContainer({ ...secure, seccompProfile: { type: 'Unconfined' } }),
  'seccomp as a whole': { securityContext: { seccompProfile: { type: 'Unconfined' } }, ...inContainer(secure) },
  linux: {
    securityContext: { seLinuxOptions: { type: 'x', user: 'u', role: 'r' } },
    ...inContainer({ ...secure, seLinuxOptions: { type: 'container_t' } }),
  },
  armor: inContainer({ ...secure, appArmorProfile: { type: 'Unconfined' } }),
  'armor as a whole': { securityContext: { appArmorProfile: { type: 'Unconfined' } }, ...inContainer(secure) },
  mount: inContainer({ ...secure, procMount: 'Unmasked' }),
  sysctls: {
    securityContext: {
      sysctls: [
        { name: 'kernel.msgmax', value: '1' },
        { name: 'net.ipv4.tcp_syncookies', value: '1' },
      ],
    },
    ...inContainer(secure),
  },
  volumes: {
    volumes: [
      { name: 'a', nfs: { server: 's', path: '/' } },
      { name: 'b', emptyDir: {} },
      { name: 'c', iscsi: { targetPortal: 'x', iqn: 'iqn.2000-01.a:b', lun: 0 } },
    ],
    ...inContainer(secure),
  },
  probes: {
    containers: [
      {
        ...main,
        securityContext: secure,
        livenessProbe: { httpGet: { port: 80, host: '1.2.3.4' } },
        lifecycle: { preStop: { httpGet: { port: 80, host: 'x' } } },
      },
    ],
  },
  windows: {
    os: { name: 'windows' },
    securityContext: { windowsOptions: { hostProcess: true, runAsUserName: 'x' } },
    hostNetwork: true,
  },
  'windows alone': { os: { name: 'windows' }, securityContext: { runAsNonRoot: true } },
  'users of its own': { hostUsers: false, securityContext: { runAsUser: 0 } },
  several: {
    hostNetwork: true,
    hostPID: true,
    containers: [
      { ...main, securityContext: { privileged: true } },
      { name: 'other', image: 'x', securityContext: { capabilities: { add: ['SYS_TIME'] } } },
    ],
  },
};

/** PodSecurity: every control at every level, warnings, templates, exempt subresources and labels of namespaces. */
export async function podSecurity(twin: Twin): Promise<void> {
  const label = (level: string, mode = 'enforce') => ({ [`pod-security.kubernetes.io/${mode}`]: level });
  const levels: Record<string, object> = {
    baseline: label('baseline'),
    restricted: label('restricted'),
    old: { ...label('restricted'), 'pod-security.kubernetes.io/enforce-version': 'v1.19' },
    middle: { ...label('baseline'), 'pod-security.kubernetes.io/enforce-version': 'v1.29' },
    warned: { ...label('restricted', 'warn'), ...label('restricted', 'audit'), ...label('privileged') },
    both: { ...label('restricted', 'warn'), ...label('baseline') },
    bad: label('privileged'),
  };
  for (const [level, labels] of Object.entries(levels)) {
    const namespace = `security-${level}-${twin.run}`;
    await makeNamespace(twin, namespace);
    await twin.ask(`${level}: labels`, {
      method: 'PATCH',
      path: `/api/v1/namespaces/${namespace}`,
      type: MERGE,
      body: { metadata: { labels } },
    });
  }
  await settle();
  for (const level of Object.keys(levels)) {
    const namespace = `security-${level}-${twin.run}`;
    for (const [name, spec] of Object.entries(specs)) {
      await twin.ask(`${level}: pod ${name}`, {
        method: 'POST',
        path: `/api/v1/namespaces/${namespace}/pods?dryRun=All`,
        body: pod('p', { spec }),
      });
      if (level !== 'warned' && level !== 'both') continue;
      const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [main], ...spec } };
      await twin.ask(`${level}: deployment ${name}`, {
        method: 'POST',
        path: `/apis/apps/v1/namespaces/${namespace}/deployments?dryRun=All`,
        body: { metadata: { name: 'd' }, spec: { selector: { matchLabels: { a: 'b' } }, template } },
      });
    }
  }
  const namespace = `security-bad-${twin.run}`;
  for (const name of ['plain', 'privileged', 'network'])
    for (const number of [1, 2])
      await twin.prepare({
        method: 'POST',
        path: `/api/v1/namespaces/${namespace}/pods`,
        body: pod(`${name}${number}`, { spec: specs[name]! }),
      });
  await settle();
  for (const labels of [
    label('restricted'),
    label('baseline'),
    label('other'),
    label('other', 'warn'),
    { 'pod-security.kubernetes.io/enforce-version': 'x' },
    { ...label('baseline'), 'pod-security.kubernetes.io/enforce-version': 'v1.100' },
    { ...label('baseline'), 'pod-security.kubernetes.io/enforce-version': 'latest' },
    { 'pod-security.kubernetes.io/enforced': 'x' },
    { 'pod-security.kubernetes.io/audit-version': 'v2.0', ...label('restricted', 'audit') },
  ])
    await twin.ask(`labels ${JSON.stringify(labels)}`, {
      method: 'PATCH',
      path: `/api/v1/namespaces/${namespace}?dryRun=All`,
      type: MERGE,
      body: { metadata: { labels } },
    });
  await twin.prepare({
    method: 'PATCH',
    path: `/api/v1/namespaces/${namespace}`,
    type: MERGE,
    body: { metadata: { labels: label('restricted') } },
  });
  await settle();
  const path = `/api/v1/namespaces/${namespace}/pods/privileged1`;
  await twin.ask('labels of a pod', { method: 'PATCH', path, type: MERGE, body: { metadata: { labels: { a: 'b' } } } });
  await twin.ask('image of a pod', {
    method: 'PATCH',
    path,
    type: 'application/strategic-merge-patch+json',
    body: { spec: { containers: [{ name: 'main', image: 'y' }] } },
  });
  await twin.ask('ephemeral container of a pod', {
    method: 'PATCH',
    path: `${path}/ephemeralcontainers`,
    type: 'application/strategic-merge-patch+json',
    body: { spec: { ephemeralContainers: [{ name: 'e', image: 'y' }] } },
  });
  await twin.ask('status of a pod', {
    method: 'PATCH',
    path: `${path}/status`,
    type: MERGE,
    body: { status: { phase: 'Running' } },
  });
  await twin.ask('a namespace with bad labels', {
    method: 'POST',
    path: '/api/v1/namespaces?dryRun=All',
    body: { metadata: { name: `sx-${twin.run}`, labels: label('x') } },
  });
}
