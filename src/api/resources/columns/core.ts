import type { KubeObject } from '../../object.ts';
import type { ColumnDefinition } from '../../resource-definition.ts';
import { ageColumn, integerColumn, nameColumn, textColumn, wideColumn } from './common.ts';

const ROLE_PREFIX = 'node-role.kubernetes.io/';

function nodeStatus(node: KubeObject): string {
  const ready = node['status']?.conditions?.find((condition: any) => condition.type === 'Ready');
  const status = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return node['spec']?.unschedulable === true ? `${status},SchedulingDisabled` : status;
}

function nodeRoles(node: KubeObject): string {
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith(ROLE_PREFIX) && key.length > ROLE_PREFIX.length) roles.add(key.slice(ROLE_PREFIX.length));
    else if (key === 'kubernetes.io/role' && value !== '') roles.add(value);
  }
  return [...roles].sort().join(',') || '<none>';
}

const nodeAddress = (node: KubeObject, type: string): string =>
  node['status']?.addresses?.find((address: any) => address.type === type)?.address ?? '<none>';

function nodeKernel(node: KubeObject): string {
  const { kernelVersion, architecture } = node['status']?.nodeInfo ?? {};
  return (kernelVersion || '<unknown>') + (architecture ? ` (${architecture})` : '');
}

/** Plain resources first, then those of a kind: pods and services before `requests.cpu`. */
function quotaCell(quota: KubeObject, isLimit: boolean): string {
  const { hard = {}, used = {} } = quota['status'] ?? {};
  return Object.keys(hard)
    .sort()
    .filter((name) => name.startsWith('limits.') === isLimit)
    .map((name) => `${name}: ${used[name] ?? '0'}/${hard[name]}`)
    .join(', ');
}

const componentCondition = (object: KubeObject): any =>
  object['conditions']?.find((condition: any) => condition.type === 'Healthy');

const count = (map: object | undefined): number => (map === undefined ? 0 : Object.keys(map).length);

export const coreColumns: Record<string, ColumnDefinition[]> = {
  '/nodes': [
    nameColumn,
    textColumn('Status', nodeStatus),
    textColumn('Roles', nodeRoles),
    ageColumn,
    textColumn('Version', (object) => object['status']?.nodeInfo?.kubeletVersion ?? ''),
    wideColumn('Internal-IP', (object) => nodeAddress(object, 'InternalIP')),
    wideColumn('External-IP', (object) => nodeAddress(object, 'ExternalIP')),
    wideColumn('OS-Image', (object) => object['status']?.nodeInfo?.osImage || '<unknown>'),
    wideColumn('Kernel-Version', nodeKernel),
    wideColumn('Container-Runtime', (object) => object['status']?.nodeInfo?.containerRuntimeVersion || '<unknown>'),
  ],
  '/namespaces': [nameColumn, textColumn('Status', (object) => object['status']?.phase ?? ''), ageColumn],
  '/configmaps': [
    nameColumn,
    textColumn('Data', (object) => count(object['data']) + count(object['binaryData'])),
    ageColumn,
  ],
  '/secrets': [
    nameColumn,
    textColumn('Type', (object) => object['type'] ?? ''),
    textColumn('Data', (object) => count(object['data'])),
    ageColumn,
  ],
  '/resourcequotas': [
    nameColumn,
    textColumn('Request', (object) => quotaCell(object, false)),
    textColumn('Limit', (object) => quotaCell(object, true)),
    ageColumn,
  ],
  '/serviceaccounts': [nameColumn, ageColumn],
  '/componentstatuses': [
    nameColumn,
    textColumn('Status', (object) => {
      const condition = componentCondition(object);
      return condition === undefined ? 'Unknown' : condition.status === 'True' ? 'Healthy' : 'Unhealthy';
    }),
    textColumn('Message', (object) => componentCondition(object)?.message ?? ''),
    textColumn('Error', (object) => componentCondition(object)?.error ?? ''),
  ],
  'scheduling.k8s.io/priorityclasses': [
    nameColumn,
    integerColumn('Value', (object) => object['value'] ?? 0),
    { ...integerColumn('Global-Default', (object) => object['globalDefault'] === true), type: 'boolean' },
    ageColumn,
    textColumn('PreemptionPolicy', (object) => object['preemptionPolicy'] ?? ''),
  ],
  'node.k8s.io/runtimeclasses': [nameColumn, textColumn('Handler', (object) => object['handler'] ?? ''), ageColumn],
  'coordination.k8s.io/leases': [
    nameColumn,
    textColumn('Holder', (object) => object['spec']?.holderIdentity ?? ''),
    ageColumn,
  ],
};
