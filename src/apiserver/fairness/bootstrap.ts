/**
 * The flow schemas and priority levels every cluster starts with, mandatory and suggested.
 * Source: apiserver/pkg/apis/flowcontrol/bootstrap/default.go.
 */
interface LevelRow {
  name: string;
  shares: number;
  lendablePercent: number;
  /** Queues, hand size and queue length limit; absent: Reject. */
  queuing?: [queues: number, handSize: number, queueLengthLimit: number];
}

interface SchemaRow {
  name: string;
  level: string;
  precedence: number;
  distinguisher?: 'ByUser' | 'ByNamespace';
  /** `Group:NAME`, `User:NAME` or `ServiceAccount:NAMESPACE:NAME`. */
  subjects: string[];
  /** verbs, groups, resources, in clusters' scope too. Absent: everything. */
  resources?: [verbs: string[], groups: string[], resources: string[], clusterScope: boolean][];
  paths?: [verbs: string[], urls: string[]][];
}

export interface FlowControlObject {
  kind: string;
  apiVersion: string;
  metadata: { name: string; annotations: Record<string, string>; generation: number };
  [field: string]: any;
}

const group = 'flowcontrol.apiserver.k8s.io';
export const FLOW_SCHEMAS = { group, resource: 'flowschemas' };
export const PRIORITY_LEVELS = { group, resource: 'prioritylevelconfigurations' };

const levels: LevelRow[] = [
  { name: 'catch-all', shares: 5, lendablePercent: 0 },
  { name: 'system', shares: 30, lendablePercent: 33, queuing: [64, 6, 50] },
  { name: 'node-high', shares: 40, lendablePercent: 25, queuing: [64, 6, 50] },
  { name: 'leader-election', shares: 10, lendablePercent: 0, queuing: [16, 4, 50] },
  { name: 'workload-high', shares: 40, lendablePercent: 50, queuing: [128, 6, 50] },
  { name: 'workload-low', shares: 100, lendablePercent: 90, queuing: [128, 6, 50] },
  { name: 'global-default', shares: 20, lendablePercent: 50, queuing: [128, 6, 50] },
];

const everyone = ['Group:system:unauthenticated', 'Group:system:authenticated'];
const controllerManager = 'User:system:kube-controller-manager';
const scheduler = 'User:system:kube-scheduler';
const kubeSystem = 'ServiceAccount:kube-system:*';
const nodes = 'Group:system:nodes';

const schemas: SchemaRow[] = [
  { name: 'exempt', level: 'exempt', precedence: 1, subjects: ['Group:system:masters'] },
  {
    name: 'probes',
    level: 'exempt',
    precedence: 2,
    subjects: everyone,
    resources: [],
    paths: [[['get'], ['/healthz', '/readyz', '/livez']]],
  },
  {
    name: 'system-leader-election',
    level: 'leader-election',
    precedence: 100,
    distinguisher: 'ByUser',
    subjects: [controllerManager, scheduler, kubeSystem],
    resources: [[['get', 'create', 'update'], ['coordination.k8s.io'], ['leases'], false]],
    paths: [],
  },
  {
    name: 'system-node-high',
    level: 'node-high',
    precedence: 400,
    distinguisher: 'ByUser',
    subjects: [nodes],
    resources: [
      [['*'], [''], ['nodes', 'nodes/status'], true],
      [['*'], ['coordination.k8s.io'], ['leases'], false],
    ],
    paths: [],
  },
  { name: 'system-nodes', level: 'system', precedence: 500, distinguisher: 'ByUser', subjects: [nodes] },
  {
    name: 'kube-controller-manager',
    level: 'workload-high',
    precedence: 800,
    distinguisher: 'ByNamespace',
    subjects: [controllerManager],
  },
  {
    name: 'kube-scheduler',
    level: 'workload-high',
    precedence: 800,
    distinguisher: 'ByNamespace',
    subjects: [scheduler],
  },
  {
    name: 'kube-system-service-accounts',
    level: 'workload-high',
    precedence: 900,
    distinguisher: 'ByNamespace',
    subjects: [kubeSystem],
  },
  {
    name: 'service-accounts',
    level: 'workload-low',
    precedence: 9000,
    distinguisher: 'ByUser',
    subjects: ['Group:system:serviceaccounts'],
  },
  { name: 'global-default', level: 'global-default', precedence: 9900, distinguisher: 'ByUser', subjects: everyone },
  { name: 'catch-all', level: 'catch-all', precedence: 10_000, distinguisher: 'ByUser', subjects: everyone },
];

const metadata = (name: string) => ({
  name,
  annotations: { 'apf.kubernetes.io/autoupdate-spec': 'true' },
  generation: 1,
});

function levelObject({ name, shares, lendablePercent, queuing }: LevelRow): FlowControlObject {
  return {
    kind: 'PriorityLevelConfiguration',
    apiVersion: `${group}/v1`,
    metadata: metadata(name),
    spec: {
      type: 'Limited',
      limited: {
        nominalConcurrencyShares: shares,
        limitResponse:
          queuing === undefined
            ? { type: 'Reject' }
            : {
                type: 'Queue',
                queuing: { queues: queuing[0], handSize: queuing[1], queueLengthLimit: queuing[2] },
              },
        lendablePercent,
      },
    },
    status: {},
  };
}

const exemptLevel: FlowControlObject = {
  kind: 'PriorityLevelConfiguration',
  apiVersion: `${group}/v1`,
  metadata: metadata('exempt'),
  spec: { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } },
  status: {},
};

const all: [string[], string[], string[], boolean][] = [[['*'], ['*'], ['*'], true]];

function schemaObject(row: SchemaRow): FlowControlObject {
  const { resources = all, paths = [[['*'], ['*']]] } = row;
  return {
    kind: 'FlowSchema',
    apiVersion: `${group}/v1`,
    metadata: metadata(row.name),
    spec: {
      priorityLevelConfiguration: { name: row.level },
      matchingPrecedence: row.precedence,
      ...(row.distinguisher !== undefined && { distinguisherMethod: { type: row.distinguisher } }),
      rules: [
        {
          subjects: row.subjects.map(subjectObject),
          ...(resources.length > 0 && {
            resourceRules: resources.map(([verbs, apiGroups, names, clusterScope]) => ({
              verbs,
              apiGroups,
              resources: names,
              ...(clusterScope && { clusterScope }),
              namespaces: ['*'],
            })),
          }),
          ...(paths.length > 0 && {
            nonResourceRules: paths.map(([verbs, nonResourceURLs]) => ({ verbs, nonResourceURLs })),
          }),
        },
      ],
    },
    status: { conditions: [{ type: 'Dangling', status: 'False', ...danglingWords(row.level, true) }] },
  };
}

/** Reason and message of a FlowSchema's condition `Dangling`, in upstream's words. */
export function danglingWords(level: string, found: boolean): { reason: string; message: string } {
  const what = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`;
  return found
    ? { reason: 'Found', message: `${what} and it exists` }
    : { reason: 'NotFound', message: `${what} but there is no such object` };
}

function subjectObject(text: string): object {
  const colon = text.indexOf(':');
  const kind = text.slice(0, colon);
  const name = text.slice(colon + 1);
  if (kind === 'Group') return { kind, group: { name } };
  if (kind === 'User') return { kind, user: { name } };
  const [namespace, account] = name.split(':');
  return { kind, serviceAccount: { namespace, name: account } };
}

/** By `resource.group`, as the shared layer takes them. SHARED: never mutate. */
export const flowControlObjects: Readonly<Record<string, FlowControlObject[]>> = {
  [`flowschemas.${group}`]: schemas.map(schemaObject),
  [`prioritylevelconfigurations.${group}`]: [exemptLevel, ...levels.map(levelObject)],
};
