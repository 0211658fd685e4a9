import type { KubeObject } from '../../object.ts';
import type { ColumnDefinition } from '../../resource-definition.ts';
import { ageColumn, nameColumn, textColumn, wideColumn } from './common.ts';

function hostStatus({ spec, status }: KubeObject): string {
  const ready = status?.conditions?.find((condition: any) => condition.type === 'Ready');
  const text = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return spec?.unschedulable === true ? `${text},SchedulingDisabled` : text;
}

export const platformColumns: Record<string, ColumnDefinition[]> = {
  'pool.skypod.io/containerinstances': [
    nameColumn,
    textColumn('Pod', ({ spec }) => `${spec?.podRef?.namespace}/${spec?.podRef?.name}`),
    textColumn('Status', ({ metadata, status }) =>
      metadata.deletionTimestamp !== undefined ? 'Terminating' : status?.reason || status?.phase || 'Pending',
    ),
    textColumn('Host', (object) => object['spec']?.hostName ?? '<none>'),
    textColumn('CPU', (object) => object['spec']?.resources?.cpu ?? ''),
    textColumn('Memory', (object) => object['spec']?.resources?.memory ?? ''),
    ageColumn,
    wideColumn('Zone', (object) => object['spec']?.zone ?? ''),
    wideColumn('IP', (object) => object['status']?.podIP ?? '<none>'),
  ],
  'pool.skypod.io/hosts': [
    nameColumn,
    textColumn('Status', hostStatus),
    textColumn('Zone', (object) => object['spec']?.zone ?? ''),
    textColumn('Runtime', ({ status }) =>
      status?.runtime ? `${status.runtime.name}://${status.runtime.version}` : '',
    ),
    ageColumn,
    wideColumn('CPU', (object) => object['status']?.allocatable?.cpu ?? ''),
    wideColumn('Memory', (object) => object['status']?.allocatable?.memory ?? ''),
    wideColumn('Address', (object) => object['status']?.streaming?.address ?? '<none>'),
  ],
  'network.skypod.io/vpcservices': [
    nameColumn,
    textColumn('Type', (object) => object['spec']?.type ?? ''),
    textColumn('Cluster-IP', (object) => object['spec']?.clusterIPs?.[0] ?? '<none>'),
    textColumn('Endpoints', ({ spec }) => {
      const endpoints: { ready: boolean }[] = spec?.endpoints ?? [];
      return `${endpoints.filter((endpoint) => endpoint.ready).length}/${endpoints.length}`;
    }),
    ageColumn,
  ],
  'tenancy.skypod.io/tenants': [
    nameColumn,
    textColumn('Status', (object) => object['status']?.phase ?? 'Active'),
    textColumn('Display Name', (object) => object['spec']?.displayName ?? ''),
    ageColumn,
  ],
  'metering.skypod.io/usagerecords': [
    nameColumn,
    textColumn('Pod', ({ spec }) => `${spec?.pod?.namespace}/${spec?.pod?.name}`),
    textColumn('Start', (object) => object['spec']?.intervalStart ?? ''),
    textColumn('Seconds', (object) => object['spec']?.seconds ?? 0),
    textColumn('vCPU-Seconds', (object) => object['spec']?.vcpuSeconds ?? 0),
    textColumn('GiB-Seconds', (object) => object['spec']?.gibSeconds ?? 0),
  ],
};
