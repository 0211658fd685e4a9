import assert from 'node:assert/strict';
import { it } from 'node:test';
import { builtinResources } from '../../api/resources/index.ts';
import { CONFIG_MAPS } from '../../api/resources.ts';
import type { StatusError } from '../../api/status.ts';
import type { Attributes } from '../authorization/attributes.ts';
import type { AdmissionRequest } from './admission.ts';
import { ownerReferences } from './owner-references.ts';

const definition = builtinResources.find(
  ({ group, resource }) => group === CONFIG_MAPS.group && resource === CONFIG_MAPS.resource,
)!;
const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u' };

async function admit(owners: object[], before: object[] | undefined, may: (asked: Attributes) => boolean) {
  const asked: string[] = [];
  const plugin = ownerReferences(
    {
      authorize(_identity, attributes) {
        const { verb, resource, subresource, name } = attributes;
        asked.push([verb, subresource === '' ? resource : `${resource}/${subresource}`, name].join(' '));
        return { allowed: may(attributes), reason: '' };
      },
      rules: () => ({ rules: [], errors: [] }),
    },
    { definitions: () => builtinResources },
  );
  const object = (ownerReferences: object[]) => ({ metadata: { name: 'm', namespace: 'n', ownerReferences } });
  const request = {
    operation: before === undefined ? 'CREATE' : 'UPDATE',
    definition,
    subresource: '',
    tenant: 'a',
    namespace: 'n',
    name: 'm',
    object: object(owners),
    ...(before !== undefined && { oldObject: object(before) }),
    identity: { kind: 'tenant', tenant: 'a', name: 'ann', groups: [] },
    dryRun: false,
    warnings: [],
  } as unknown as AdmissionRequest;
  let message: string | undefined;
  if (plugin.handles(request)) {
    await Promise.resolve(plugin.validate!(request)).catch((error: StatusError) => {
      message = error.message;
    });
  }
  return { asked, message };
}

it('asks for nothing where owners stay, or block nothing on a new object', async () => {
  assert.deepEqual(await admit([owner], [owner], () => false), { asked: [], message: undefined });
  assert.deepEqual(await admit([owner], undefined, () => false), { asked: [], message: undefined });
});

it('lets owners be changed by who may delete', async () => {
  const { asked, message } = await admit([owner], [], () => false);
  assert.deepEqual(asked, ['delete configmaps m']);
  assert.equal(message, 'configmaps "m" is forbidden: cannot set an ownerRef on a resource you can\'t delete: , <nil>');
  assert.equal((await admit([owner], [], () => true)).message, undefined);
});

it('lets an owner be blocked by who may finalize it', async () => {
  const blocking = { ...owner, blockOwnerDeletion: true };
  const refused = await admit([blocking], undefined, () => false);
  assert.deepEqual(refused.asked, ['update */finalizers *', 'update deployments/finalizers web']);
  assert.match(
    refused.message!,
    /cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set/,
  );
  const allowed = await admit([blocking], undefined, ({ resource }) => resource === 'deployments');
  assert.equal(allowed.message, undefined);
  const unknown = await admit([{ ...blocking, kind: 'Nothing' }], undefined, () => false);
  assert.match(unknown.message!, /cannot find RESTMapping for APIVersion apps\/v1 Kind Nothing/);
});
