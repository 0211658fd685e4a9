import type { KubeObject } from '../../object.ts';
import type { ColumnDefinition } from '../../resource-definition.ts';
import { ageColumn, integerColumn, nameColumn, textColumn } from './common.ts';

const paramKind = ({ spec }: KubeObject): string =>
  spec?.paramKind ? `${spec.paramKind.apiVersion}/${spec.paramKind.kind}` : '<unset>';

function paramRef({ spec }: KubeObject): string {
  const reference = spec?.paramRef;
  if (!reference) return '<unset>';
  if (reference.name) return `${reference.namespace || '*'}/${reference.name}`;
  return reference.selector ? JSON.stringify(reference.selector) : '<unset>';
}

const webhookColumns = [nameColumn, integerColumn('Webhooks', (object) => object['webhooks']?.length ?? 0), ageColumn];
const bindingColumns = [
  nameColumn,
  textColumn('PolicyName', (object) => object['spec']?.policyName ?? ''),
  textColumn('ParamRef', paramRef),
  ageColumn,
];

function claimState({ metadata, status }: KubeObject): string {
  const states = metadata.deletionTimestamp !== undefined ? ['deleted'] : [];
  if (status?.allocation) states.push('allocated', ...(status.reservedFor?.length ? ['reserved'] : []));
  else if (states.length === 0) states.push('pending');
  return states.join(',');
}

function serviceAvailability({ status }: KubeObject): string {
  const condition = status?.conditions?.find((one: any) => one.type === 'Available');
  if (condition === undefined) return 'Unknown';
  return condition.status === 'True' ? 'True' : `${condition.status} (${condition.reason ?? ''})`;
}

/** Numbers in a column of text, as upstream's. */
const limited = (read: (settings: any) => number | undefined) => (object: KubeObject) => {
  const settings = object['spec']?.limited;
  const value = settings === undefined ? undefined : read(settings);
  return value ?? '<none>';
};

export const extensionColumns: Record<string, ColumnDefinition[]> = {
  'resource.k8s.io/deviceclasses': [nameColumn, ageColumn],
  'resource.k8s.io/resourceclaimtemplates': [nameColumn, ageColumn],
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': webhookColumns,
  'admissionregistration.k8s.io/validatingwebhookconfigurations': webhookColumns,
  'admissionregistration.k8s.io/validatingadmissionpolicies': [
    nameColumn,
    integerColumn('Validations', (object) => object['spec']?.validations?.length ?? 0),
    textColumn('ParamKind', paramKind),
    ageColumn,
  ],
  'admissionregistration.k8s.io/mutatingadmissionpolicies': [
    nameColumn,
    integerColumn('Mutations', (object) => object['spec']?.mutations?.length ?? 0),
    textColumn('ParamKind', paramKind),
    ageColumn,
  ],
  'admissionregistration.k8s.io/validatingadmissionpolicybindings': bindingColumns,
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings': bindingColumns,
  'apiregistration.k8s.io/apiservices': [
    nameColumn,
    textColumn('Service', ({ spec }) => (spec?.service ? `${spec.service.namespace}/${spec.service.name}` : 'Local')),
    textColumn('Available', serviceAvailability),
    ageColumn,
  ],
  'flowcontrol.apiserver.k8s.io/flowschemas': [
    nameColumn,
    textColumn('PriorityLevel', (object) => object['spec']?.priorityLevelConfiguration?.name ?? ''),
    textColumn('MatchingPrecedence', (object) => object['spec']?.matchingPrecedence ?? 0),
    textColumn('DistinguisherMethod', (object) => object['spec']?.distinguisherMethod?.type ?? '<none>'),
    ageColumn,
    textColumn(
      'MissingPL',
      (object) => object['status']?.conditions?.find((one: any) => one.type === 'Dangling')?.status ?? '?',
    ),
  ],
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations': [
    nameColumn,
    textColumn('Type', (object) => object['spec']?.type ?? ''),
    textColumn(
      'NominalConcurrencyShares',
      limited((settings) => settings?.nominalConcurrencyShares),
    ),
    textColumn(
      'Queues',
      limited((settings) => settings?.limitResponse?.queuing?.queues),
    ),
    textColumn(
      'HandSize',
      limited((settings) => settings?.limitResponse?.queuing?.handSize),
    ),
    textColumn(
      'QueueLengthLimit',
      limited((settings) => settings?.limitResponse?.queuing?.queueLengthLimit),
    ),
    ageColumn,
  ],
  'resource.k8s.io/resourceclaims': [nameColumn, textColumn('State', claimState), ageColumn],
  'resource.k8s.io/resourceslices': [
    nameColumn,
    textColumn('Node', (object) => object['spec']?.nodeName ?? ''),
    textColumn('Driver', (object) => object['spec']?.driver ?? ''),
    textColumn('Pool', (object) => object['spec']?.pool?.name ?? ''),
    ageColumn,
  ],
};
