import { humanDuration } from '../../human-duration.ts';
import type { KubeObject } from '../../object.ts';
import type { ColumnDefinition } from '../../resource-definition.ts';
import { ageColumn, nameColumn, textColumn, wideColumn } from './common.ts';

const subjects = (kind: string) => (object: KubeObject) =>
  (object['subjects'] ?? [])
    .filter((subject: any) => subject.kind === kind)
    .map((subject: any) => (kind === 'ServiceAccount' ? `${subject.namespace}/${subject.name}` : subject.name))
    .join(', ');

const bindingColumns: ColumnDefinition[] = [
  nameColumn,
  textColumn('Role', (object) => `${object['roleRef']?.kind}/${object['roleRef']?.name}`),
  ageColumn,
  wideColumn('Users', subjects('User')),
  wideColumn('Groups', subjects('Group')),
  wideColumn('ServiceAccounts', subjects('ServiceAccount')),
];

function requestCondition({ status }: KubeObject): string {
  const types = new Set((status?.conditions ?? []).map((condition: any) => condition.type));
  const decision = types.has('Denied') ? 'Denied' : types.has('Approved') ? 'Approved' : 'Pending';
  return decision + (types.has('Failed') ? ',Failed' : '') + (status?.certificate ? ',Issued' : '');
}

export const accessColumns: Record<string, ColumnDefinition[]> = {
  'rbac.authorization.k8s.io/rolebindings': bindingColumns,
  'rbac.authorization.k8s.io/clusterrolebindings': bindingColumns,
  'certificates.k8s.io/certificatesigningrequests': [
    nameColumn,
    ageColumn,
    textColumn('SignerName', (object) => object['spec']?.signerName || '<none>'),
    textColumn('Requestor', (object) => object['spec']?.username ?? ''),
    textColumn('RequestedDuration', (object) =>
      object['spec']?.expirationSeconds === undefined
        ? '<none>'
        : humanDuration(object['spec'].expirationSeconds * 1000),
    ),
    textColumn('Condition', requestCondition),
  ],
};
