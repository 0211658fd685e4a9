import type { KubeObject } from '../../object.ts';
import type { ColumnDefinition } from '../../resource-definition.ts';
import { ageColumn, booleanColumn, integerColumn, nameColumn, named, textColumn, wideColumn } from './common.ts';

const shortModes: [string, string][] = [
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
];
const accessModes = (modes: string[] | undefined): string =>
  shortModes
    .filter(([mode]) => modes?.includes(mode))
    .map(([, short]) => short)
    .join(',');

const phase = ({ metadata, status }: KubeObject): string =>
  metadata.deletionTimestamp !== undefined ? 'Terminating' : (status?.phase ?? '');
const storageClass = ({ metadata, spec }: KubeObject): string =>
  metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? spec?.storageClassName ?? '';
const attributesClass = textColumn(
  'VolumeAttributesClass',
  (object) => object['spec']?.volumeAttributesClassName ?? '<unset>',
);
const volumeMode = wideColumn('VolumeMode', (object) => object['spec']?.volumeMode ?? '<unset>');

function withDefaultMark({ metadata }: KubeObject): string {
  const isDefault = [
    'storageclass.kubernetes.io/is-default-class',
    'storageclass.beta.kubernetes.io/is-default-class',
  ].some((key) => metadata.annotations?.[key] === 'true');
  return isDefault ? `${metadata.name} (default)` : metadata.name;
}

export const storageColumns: Record<string, ColumnDefinition[]> = {
  '/persistentvolumes': [
    nameColumn,
    textColumn('Capacity', (object) => object['spec']?.capacity?.storage ?? '0'),
    textColumn('Access Modes', (object) => accessModes(object['spec']?.accessModes)),
    textColumn('Reclaim Policy', (object) => object['spec']?.persistentVolumeReclaimPolicy ?? ''),
    textColumn('Status', phase),
    textColumn('Claim', ({ spec }) =>
      spec?.claimRef ? `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}` : '',
    ),
    textColumn('StorageClass', storageClass),
    attributesClass,
    textColumn('Reason', (object) => object['status']?.reason ?? ''),
    ageColumn,
    volumeMode,
  ],
  '/persistentvolumeclaims': [
    nameColumn,
    textColumn('Status', phase),
    textColumn('Volume', (object) => object['spec']?.volumeName ?? ''),
    textColumn('Capacity', ({ spec, status }) => (spec?.volumeName ? (status?.capacity?.storage ?? '0') : '')),
    textColumn('Access Modes', ({ spec, status }) => (spec?.volumeName ? accessModes(status?.accessModes) : '')),
    textColumn('StorageClass', storageClass),
    attributesClass,
    ageColumn,
    volumeMode,
  ],
  'storage.k8s.io/storageclasses': [
    named(withDefaultMark),
    textColumn('Provisioner', (object) => object['provisioner'] ?? ''),
    textColumn('ReclaimPolicy', (object) => object['reclaimPolicy'] ?? 'Delete'),
    textColumn('VolumeBindingMode', (object) => object['volumeBindingMode'] ?? 'Immediate'),
    textColumn('AllowVolumeExpansion', (object) => object['allowVolumeExpansion'] === true),
    ageColumn,
  ],
  'storage.k8s.io/volumeattributesclasses': [
    nameColumn,
    textColumn('DriverName', (object) => object['driverName'] ?? ''),
    ageColumn,
  ],
  'storage.k8s.io/volumeattachments': [
    nameColumn,
    { ...textColumn('Attacher', (object) => object['spec']?.attacher ?? ''), format: 'name' },
    textColumn('PV', (object) => object['spec']?.source?.persistentVolumeName ?? ''),
    textColumn('Node', (object) => object['spec']?.nodeName ?? ''),
    booleanColumn('Attached', (object) => object['status']?.attached === true),
    ageColumn,
  ],
  'storage.k8s.io/csinodes': [
    nameColumn,
    integerColumn('Drivers', (object) => object['spec']?.drivers?.length ?? 0),
    ageColumn,
  ],
  'storage.k8s.io/csidrivers': [
    nameColumn,
    booleanColumn('AttachRequired', (object) => object['spec']?.attachRequired ?? true),
    booleanColumn('PodInfoOnMount', (object) => object['spec']?.podInfoOnMount ?? false),
    booleanColumn('StorageCapacity', (object) => object['spec']?.storageCapacity ?? false),
    textColumn('TokenRequests', ({ spec }) =>
      spec?.tokenRequests === undefined
        ? '<unset>'
        : spec.tokenRequests.map((request: any) => request.audience).join(','),
    ),
    booleanColumn('RequiresRepublish', (object) => object['spec']?.requiresRepublish ?? false),
    textColumn('Modes', (object) => (object['spec']?.volumeLifecycleModes ?? []).join(',') || '<none>'),
    ageColumn,
  ],
};
