import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutDisabledFields } from './disabled-fields.ts';

const certificate = { signerName: 'a.b/c', keyType: 'ED25519', credentialBundlePath: 'x' };
const withSource = (source: object) => ({ volumes: [{ name: 'v', projected: { sources: [source] } }] });
const deployment = (spec: object): any => ({ spec: { template: { spec } } });

test('fields whose features are off are dropped from what makes pods', () => {
  const strategy = withoutDisabledFields('apps/deployments', {});
  const object = deployment({
    ...withSource({ podCertificate: certificate, clusterTrustBundle: { path: 'x' } }),
    schedulingGroup: { podGroupName: 'g' },
    containers: [
      { name: 'a', lifecycle: { stopSignal: 'SIGUSR1' } },
      { name: 'b', lifecycle: { preStop: {}, stopSignal: 'X' } },
    ],
  });
  strategy.prepareForCreate!(object);
  assert.deepEqual(
    object,
    deployment({ ...withSource({}), containers: [{ name: 'a' }, { name: 'b', lifecycle: { preStop: {} } }] }),
  );
});

test('who has such a field already keeps it', () => {
  const strategy = withoutDisabledFields('/pods', {});
  const old: any = { spec: withSource({ podCertificate: certificate }) };
  const object: any = { spec: withSource({ podCertificate: { ...certificate, path: 'y' }, clusterTrustBundle: {} }) };
  strategy.prepareForUpdate!(object, old);
  assert.deepEqual(object.spec, withSource({ podCertificate: { ...certificate, path: 'y' } }));
});

test('what makes no pods is left alone', () => {
  const strategy = {};
  assert.equal(withoutDisabledFields('/configmaps', strategy), strategy);
});
