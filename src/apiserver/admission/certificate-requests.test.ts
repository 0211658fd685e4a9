import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../../base/clock.ts';
import type { Identity } from '../identity/identity.ts';
import type { AdmissionRequest } from './admission.ts';
import { certificateRequests } from './certificate-requests.ts';

const alice: Identity = { name: 'alice', uid: '7', groups: ['dev'], kind: 'tenant', tenant: 'red' };
/** What alice may: `approve example.com/*`. */
const pluginFor = (...rights: string[]) =>
  certificateRequests(
    {
      authorize: (_identity, { verb, group, resource, name, tenant }) => ({
        allowed:
          `${group}/${resource} ${tenant}` === 'certificates.k8s.io/signers red' && rights.includes(`${verb} ${name}`),
        reason: '',
      }),
      rules: () => ({ rules: [], errors: [] }),
    },
    new ManualClock(0),
  );
const spec = { signerName: 'example.com/web', username: 'alice' };
const update = (subresource: string, now: object, before: object = {}): AdmissionRequest =>
  ({
    operation: 'UPDATE',
    definition: { group: 'certificates.k8s.io', version: 'v1', resource: 'certificatesigningrequests' },
    subresource,
    tenant: 'red',
    namespace: '',
    name: 'c',
    object: { metadata: { name: 'c' }, spec, status: now },
    oldObject: { metadata: { name: 'c' }, spec, status: before },
    identity: alice,
  }) as unknown as AdmissionRequest;
const refusal = async (rights: string[], request: AdmissionRequest): Promise<string | undefined> => {
  try {
    await pluginFor(...rights).validate!(request);
    return undefined;
  } catch (error) {
    return (error as Error).message.replace(/^.* is forbidden: /, '');
  }
};

describe('certificate signing requests', () => {
  it('are approved by who may approve for the signer, by its name or its domain', async () => {
    const approval = update('approval', { conditions: [{ type: 'Approved', status: 'True' }] });
    const refused = 'user not permitted to approve requests with signerName "example.com/web"';
    assert.equal(await refusal([], approval), refused);
    assert.equal(await refusal(['sign example.com/web'], approval), refused);
    assert.equal(await refusal(['approve example.com/other', 'approve other.com/*'], approval), refused);
    assert.equal(await refusal(['approve example.com/web'], approval), undefined);
    assert.equal(await refusal(['approve example.com/*'], approval), undefined);
  });

  it('are signed by who may sign for the signer', async () => {
    const signed = update('status', { certificate: 'PEM' });
    const failed = update('status', { conditions: [{ type: 'Failed', status: 'True' }] });
    const refused = 'user not permitted to sign requests with signerName "example.com/web"';
    for (const change of [signed, failed]) {
      assert.equal(await refusal(['approve example.com/web'], change), refused);
      assert.equal(await refusal(['sign example.com/web'], change), undefined);
    }
    const same = update('status', { certificate: 'PEM' }, { certificate: 'PEM' });
    assert.equal(await refusal([], same), undefined, 'nothing is said');
  });

  it('bear the name of who asked, whatever they say', () => {
    const object = {
      metadata: { name: 'c' },
      spec: { ...spec, username: 'root', groups: ['system:masters'], extra: {} },
    };
    void pluginFor().admit!({ ...update('', {}), operation: 'CREATE', object } as never);
    assert.deepEqual(object.spec, { signerName: 'example.com/web', username: 'alice', uid: '7', groups: ['dev'] });
  });
});
