import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VolumeAttachment } from '../../generated/storage-v1.ts';
import { Findings } from '../findings.ts';
import { validateVolumeAttachment } from './csi.ts';

function findingsOf(inlineVolumeSpec: object): string[] {
  const findings = new Findings();
  const spec = { attacher: 'example.com', nodeName: 'n', source: { inlineVolumeSpec } };
  validateVolumeAttachment({ metadata: { name: 'a' }, spec } as VolumeAttachment, findings);
  const place = 'spec.source.inlineVolumeSpec';
  return findings.list.map(({ field, message }) => `${field.replace(place, '')} ${message}`.trim());
}

test('a volume in an attachment is one of CSI, and says nothing of a volume’s life', () => {
  const csi = { driver: 'example.com', volumeHandle: 'h' };
  assert.deepEqual(findingsOf({ accessModes: ['ReadWriteOnce'], csi }), []);
  assert.deepEqual(findingsOf({}), [
    '.csi Required value: has to be specified in the context of inline volumes',
    '.accessModes Required value',
    'Required value: must specify a volume type',
  ]);
  const wrong = {
    claimRef: { name: 'c' },
    capacity: { storage: '1Gi' },
    accessModes: ['ReadWriteOncePod', 'ReadWriteOnce'],
    persistentVolumeReclaimPolicy: 'Delete',
    nodeAffinity: {},
    storageClassName: 's',
    volumeMode: 'Block',
    csi: { driver: 'example.com' },
    hostPath: { path: '/x' },
  };
  assert.deepEqual(findingsOf(wrong), [
    '.claimRef Forbidden: may not be specified in the context of inline volumes',
    '.capacity Forbidden: may not be specified in the context of inline volumes',
    '.accessModes Forbidden: may not use ReadWriteOncePod with other access modes',
    '.persistentVolumeReclaimPolicy Forbidden: may only be Retain in the context of inline volumes',
    '.nodeAffinity Forbidden: may not be specified in the context of inline volumes',
    '.csi Forbidden: may not specify more than 1 volume type',
    '.storageClassName Forbidden: may not be specified in the context of inline volumes',
    '.volumeMode Forbidden: may not specify volumeMode other than Filesystem in the context of inline volumes',
  ]);
  assert.deepEqual(findingsOf({ accessModes: ['ReadWriteOncePod', 'ReadWriteOncePod'], csi }), []);
});
