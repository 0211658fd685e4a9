import { PassThrough } from 'node:stream';
import type { PodConnector, RemoteSession } from '../../src/api/pod-connector.ts';
import type { Transport } from '../../src/api/transport.ts';
import { exposeService } from '../../src/apiserver/webhooks/testing/webhook-server.ts';
import { dialTo, type TenantServer } from './tenant-server.ts';

/** Where everything is watched: policies, webhooks, quotas, limits and the strictest pod security. */
export const guardedNamespace = 'guarded';
/** Pods that run, with a service, a budget and an account before them. */
export const runningPods = ['runs-0', 'runs-1'] as const;
export const remoteGroup = 'remote.example.com';
export const aggregatedGroup = 'aggregated.example.com';

const tenant = 'fuzz';
const core = '/api/v1';
const registration = '/apis/admissionregistration.k8s.io/v1';
const here = { 'kubernetes.io/metadata.name': guardedNamespace };
const everything = [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/*'] }];

/** Containers that say what they hear; all their ports are the one server's. */
export const echoingConnector = ({ port }: TenantServer): PodConnector => {
  const session = async (): Promise<RemoteSession> => {
    const stdin = new PassThrough();
    const done = new Promise<never>(() => {});
    return { stdin, stdout: stdin, resize() {}, done, close: () => void stdin.destroy() };
  };
  return {
    logs: async () =>
      (async function* () {
        yield Buffer.from('a line\n');
      })(),
    dial: () => dialTo(port),
    exec: session,
    attach: session,
    portForward: async () => new PassThrough(),
  };
};

/**
 * What stands around the inputs, so that they come to where only few things of a tenant lead. Gives a service account's
 * token that is bound to a pod.
 */
export async function furnish(transport: Transport, server: TenantServer): Promise<string> {
  const post: Post = (path, body) =>
    transport.request<any>({ method: 'POST', path: `/clusters/${tenant}${path}`, body });
  const patch = (path: string, body: object) =>
    transport.request({
      method: 'PATCH',
      path: `/clusters/${tenant}${path}`,
      contentType: 'application/merge-patch+json',
      body,
    });
  const inGuarded = (resource: string, api: string = core) => `${api}/namespaces/${guardedNamespace}/${resource}`;
  await post(`${core}/namespaces`, {
    metadata: {
      name: guardedNamespace,
      labels: {
        'pod-security.kubernetes.io/enforce': 'baseline',
        'pod-security.kubernetes.io/warn': 'restricted',
        'pod-security.kubernetes.io/audit': 'restricted',
      },
    },
  });
  for (const name of ['default', 'worker']) await post(inGuarded('serviceaccounts'), { metadata: { name } });
  await exposeService(transport, tenant, guardedNamespace, 'hook');
  await post(`${core}/nodes`, { metadata: { name: 'zone-a' } });
  for (const name of runningPods) {
    await post(inGuarded('pods'), {
      metadata: { name, labels: { app: 'runs' } },
      spec: {
        nodeName: 'zone-a',
        serviceAccountName: 'worker',
        containers: [
          {
            name: 'main',
            image: 'i',
            ports: [{ name: 'http', containerPort: 80 }],
            resources: { requests: { cpu: '100m', memory: '10Mi' }, limits: { cpu: '200m', memory: '20Mi' } },
          },
        ],
      },
    });
    await patch(inGuarded(`pods/${name}/status`), {
      status: {
        phase: 'Running',
        podIP: '10.128.0.9',
        podIPs: [{ ip: '10.128.0.9' }],
        conditions: [{ type: 'Ready', status: 'True' }],
        containerStatuses: [
          { name: 'main', image: 'i', imageID: 'i', ready: true, restartCount: 0, state: { running: {} } },
        ],
      },
    });
  }
  await post(inGuarded('poddisruptionbudgets', '/apis/policy/v1'), {
    metadata: { name: 'runs' },
    spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'runs' } } },
  });
  const counted = {
    disruptionsAllowed: 1,
    expectedPods: 2,
    currentHealthy: 2,
    desiredHealthy: 1,
    observedGeneration: 1,
  };
  const status = { ...counted, conditions: [] };
  await patch(inGuarded('poddisruptionbudgets/runs/status', '/apis/policy/v1'), { status });
  const priorities = [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }];
  const quotas: Record<string, { hard: Record<string, string>; [field: string]: unknown }> = {
    all: {
      hard: {
        pods: '100000',
        'requests.cpu': '100000',
        'limits.memory': '100000Gi',
        'count/configmaps': '1000000',
        services: '100000',
        'requests.storage': '100000Gi',
        'fast.storageclass.storage.k8s.io/requests.storage': '10000Gi',
      },
    },
    scoped: { hard: { pods: '100000' }, scopeSelector: { matchExpressions: priorities } },
  };
  for (const [name, spec] of Object.entries(quotas)) {
    await post(inGuarded('resourcequotas'), { metadata: { name }, spec });
    // What the controller would have counted.
    const used = Object.fromEntries(Object.keys(spec.hard).map((key) => [key, '0']));
    await patch(inGuarded(`resourcequotas/${name}/status`), { status: { hard: spec.hard, used } });
  }
  await post(inGuarded('limitranges'), {
    metadata: { name: 'all' },
    spec: {
      limits: [
        {
          type: 'Container',
          default: { cpu: '1', memory: '1Gi' },
          defaultRequest: { cpu: '10m' },
          max: { cpu: '100' },
          min: { cpu: '1m' },
          maxLimitRequestRatio: { cpu: '100000' },
        },
        { type: 'Pod', max: { memory: '1000Gi' } },
        { type: 'PersistentVolumeClaim', min: { storage: '1Mi' }, max: { storage: '1000Gi' } },
      ],
    },
  });
  await roles(post);
  await policies(post);
  await ownServers(post, server);
  const made = await post(inGuarded('serviceaccounts/worker/token'), {
    spec: { expirationSeconds: 7200, boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: runningPods[0] } },
  });
  await webhooks(post, server);
  return made.status.token;
}

type Post = (path: string, body: object) => Promise<any>;

/** Who may do a little. */
async function roles(post: Post): Promise<void> {
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  await post(`${rbac}/clusterroles`, {
    metadata: { name: 'little' },
    rules: [
      { apiGroups: ['', 'apps'], resources: ['pods', 'configmaps', 'deployments'], verbs: ['*'] },
      { apiGroups: ['rbac.authorization.k8s.io'], resources: ['*'], verbs: ['create', 'update', 'patch', 'get'] },
      { apiGroups: [''], resources: ['configmaps'], resourceNames: ['fuzz-0'], verbs: ['get'] },
      { nonResourceURLs: ['/openapi/*', '/metrics'], verbs: ['get'] },
    ],
  });
  await post(`${rbac}/clusterrolebindings`, {
    metadata: { name: 'little' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'little' },
    subjects: [
      { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'bob' },
      { kind: 'ServiceAccount', namespace: guardedNamespace, name: 'worker' },
    ],
  });
}

async function policies(post: Post): Promise<void> {
  const matchResources = { namespaceSelector: { matchLabels: here } };
  const matchConstraints = { resourceRules: everything };
  await post(`/api/v1/namespaces/${guardedNamespace}/configmaps`, {
    metadata: { name: 'params', labels: { for: 'policies' } },
    data: { least: '1', name: 'fuzz' },
  });
  const validating: [string, object, object][] = [
    [
      'judge',
      {
        variables: [
          { name: 'containers', expression: 'has(object.spec) ? dyn(object).spec.?containers.orValue([]) : []' },
          { name: 'labels', expression: 'object.metadata.?labels.orValue({})' },
        ],
        validations: [
          {
            expression: 'variables.containers.all(c, c.name.matches("^[a-z0-9-]*$") || c.image.contains(":"))',
            messageExpression: '"containers: " + string(variables.containers.size())',
          },
          { expression: 'object == null || oldObject == null || object.metadata.name == oldObject.metadata.name' },
          { expression: 'variables.labels.all(k, variables.labels[k] != k)', reason: 'Forbidden' },
          { expression: 'authorizer.group("").resource("pods").namespace(request.namespace).check("get").allowed()' },
          { expression: 'dyn(object).spec.replicas < 5 || request.userInfo.groups.exists(g, g == "system:masters")' },
        ],
        auditAnnotations: [{ key: 'who', valueExpression: 'request.userInfo.username + "/" + request.operation' }],
      },
      { validationActions: ['Audit', 'Warn'] },
    ],
    [
      'params',
      {
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        matchConditions: [{ name: 'named', expression: 'object == null || object.metadata.name.startsWith("f")' }],
        validations: [{ expression: 'params.data.name != "" && int(params.data.least) > 0' }],
      },
      {
        validationActions: ['Warn'],
        paramRef: { selector: { matchLabels: { for: 'policies' } }, parameterNotFoundAction: 'Allow' },
      },
    ],
  ];
  for (const [name, spec, binding] of validating) {
    await post(`${registration}/validatingadmissionpolicies`, {
      metadata: { name },
      spec: { failurePolicy: 'Ignore', matchConstraints, ...spec },
    });
    await post(`${registration}/validatingadmissionpolicybindings`, {
      metadata: { name },
      spec: { policyName: name, matchResources, ...binding },
    });
  }
  await post(`${registration}/mutatingadmissionpolicies`, {
    metadata: { name: 'change' },
    spec: {
      failurePolicy: 'Ignore',
      reinvocationPolicy: 'IfNeeded',
      matchConstraints: {
        resourceRules: [
          { apiGroups: ['', 'apps'], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['*'] },
        ],
      },
      mutations: [
        {
          patchType: 'ApplyConfiguration',
          applyConfiguration: { expression: 'Object{metadata: Object.metadata{labels: {"changed": "yes"}}}' },
        },
        {
          patchType: 'JSONPatch',
          jsonPatch: {
            expression:
              '[JSONPatch{op: "add", path: "/metadata/annotations", value: {"was": object.metadata.?name.orValue("")}}]',
          },
        },
      ],
    },
  });
  await post(`${registration}/mutatingadmissionpolicybindings`, {
    metadata: { name: 'change' },
    spec: { policyName: 'change', matchResources },
  });
}

/** An own kind whose versions a server converts, and an API of that server's. */
async function ownServers(post: Post, { caBundle }: TenantServer): Promise<void> {
  const service = { namespace: guardedNamespace, name: 'hook', port: 443 };
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  await post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    metadata: { name: `things.${remoteGroup}` },
    spec: {
      group: remoteGroup,
      scope: 'Namespaced',
      names: { plural: 'things', kind: 'Thing', listKind: 'ThingList', singular: 'thing' },
      versions: [
        { name: 'v1', served: true, storage: true, schema, subresources: { status: {} } },
        { name: 'v2', served: true, storage: false, schema, subresources: { status: {} } },
      ],
      conversion: {
        strategy: 'Webhook',
        webhook: {
          conversionReviewVersions: ['v1'],
          clientConfig: { service: { ...service, path: '/convert' }, caBundle },
        },
      },
    },
  });
  await post('/apis/apiregistration.k8s.io/v1/apiservices', {
    metadata: { name: `v1.${aggregatedGroup}` },
    spec: {
      group: aggregatedGroup,
      version: 'v1',
      service,
      caBundle,
      groupPriorityMinimum: 2000,
      versionPriority: 10,
    },
  });
}

async function webhooks(post: Post, { caBundle }: TenantServer): Promise<void> {
  for (const kind of ['mutating', 'validating']) {
    await post(`${registration}/${kind}webhookconfigurations`, {
      metadata: { name: 'all' },
      webhooks: ['Fail', 'Ignore'].map((failurePolicy) => ({
        name: `${failurePolicy.toLowerCase()}.example.com`,
        clientConfig: { service: { namespace: guardedNamespace, name: 'hook', path: `/${kind}` }, caBundle },
        rules: everything,
        namespaceSelector: { matchLabels: here },
        // Calls that fail for some only, so that others come through.
        matchConditions: [
          {
            name: 'few',
            expression: failurePolicy === 'Fail' ? 'request.name.endsWith("1")' : 'request.name.endsWith("2")',
          },
        ],
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        failurePolicy,
        timeoutSeconds: 30,
        ...(kind === 'mutating' && { reinvocationPolicy: 'IfNeeded' }),
      })),
    });
  }
}
