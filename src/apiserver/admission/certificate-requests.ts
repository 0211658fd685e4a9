import { deepEqual, semanticEqual } from '../../api/equality.ts';
import { formatTime, type KubeObject } from '../../api/object.ts';
import { invalid } from '../../api/status.ts';
import type { Clock } from '../../base/clock.ts';
import { resourceAttributes } from '../authorization/attributes.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import { type CertificateRequest, readCertificateRequest } from '../identity/certificate-request.ts';
import { isPlatformGroup, KUBE_APISERVER_CLIENT } from '../identity/certificate-signer.ts';
import { SYSTEM_MASTERS } from '../identity/identity.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { forbid } from './forbid.ts';

const group = 'certificates.k8s.io';

/**
 * What upstream spreads over the strategy of CertificateSigningRequests and the plug-ins CertificateApproval,
 * CertificateSigning and CertificateSubjectRestriction: who asked is written down, the request must be sound, and only
 * who may `approve` or `sign` for a signer says so.
 */
export function certificateRequests(authorizer: Authorizer, clock: Clock): AdmissionPlugin {
  async function may({ identity, tenant, pace }: AdmissionRequest, verb: string, signerName: string): Promise<boolean> {
    const domain = signerName.split('/', 1)[0]!;
    for (const name of [signerName, `${domain}/*`]) {
      const attributes = resourceAttributes(tenant, { verb, group, resource: 'signers', name });
      if ((await authorizer.authorize(identity, attributes, pace)).allowed) return true;
    }
    return false;
  }

  async function checkRequest(request: AdmissionRequest, { spec }: KubeObject): Promise<void> {
    const { definition, name } = request;
    const encoded = String(spec.request ?? '');
    let asked: CertificateRequest;
    try {
      asked = await readCertificateRequest(Buffer.from(encoded, 'base64').toString('latin1'));
    } catch (error) {
      const message = `Invalid value: ${JSON.stringify(encoded)}: ${(error as Error).message}`;
      throw invalid(definition, name, [{ reason: 'FieldValueInvalid', field: 'spec.request', message }]);
    }
    const refused = asked.organizations.find(
      (claimed) =>
        isPlatformGroup(claimed) || (claimed === SYSTEM_MASTERS && spec.signerName === KUBE_APISERVER_CLIENT),
    );
    if (refused !== undefined) {
      throw forbid(request, `use of ${spec.signerName} signer with ${refused} group is not allowed`);
    }
  }

  return {
    name: 'CertificateRequests',
    handles: ({ definition, operation }) =>
      definition.group === group &&
      definition.resource === 'certificatesigningrequests' &&
      (operation === 'CREATE' || operation === 'UPDATE'),
    admit({ operation, object, oldObject, identity }) {
      if (operation === 'CREATE') writeRequester(object!, identity);
      else writeTimes(object!, oldObject!, formatTime(clock.now()));
    },
    async validate(request) {
      const { operation, subresource, object, oldObject } = request;
      if (operation === 'CREATE') return checkRequest(request, object!);
      const signerName: string = oldObject!['spec'].signerName;
      const quoted = JSON.stringify(signerName);
      if (subresource === 'approval' && !(await may(request, 'approve', signerName))) {
        throw forbid(request, `user not permitted to approve requests with signerName ${quoted}`);
      }
      if (subresource !== 'status') return;
      const [now, before] = [object!['status'], oldObject!['status']];
      const isSame = now?.certificate === before?.certificate && semanticEqual(now?.conditions, before?.conditions);
      if (!isSame && !(await may(request, 'sign', signerName))) {
        throw forbid(request, `user not permitted to sign requests with signerName ${quoted}`);
      }
    },
  };
}

/** Nobody asks in another's name. */
function writeRequester({ spec }: KubeObject, { name, uid, groups, extra }: AdmissionRequest['identity']): void {
  if (typeof spec !== 'object' || spec === null) return;
  for (const field of ['uid', 'extra']) delete spec[field];
  spec.username = name;
  if (uid !== undefined) spec.uid = uid;
  spec.groups = [...groups];
  if (extra !== undefined && Object.keys(extra).length > 0) spec.extra = structuredClone(extra);
}

function writeTimes(object: KubeObject, old: KubeObject, now: string): void {
  const conditions: any[] | undefined = object['status']?.conditions;
  if (conditions === undefined || conditions === old['status']?.conditions) return;
  const before: any[] = old['status']?.conditions ?? [];
  // Those of another type or status are not the same; the first of a type and status counts.
  const keyOf = ({ type, status }: any) => JSON.stringify([type, status]);
  const byKey = Map.groupBy(before, keyOf);
  object['status'] = {
    ...object['status'],
    conditions: conditions.map((condition) => {
      const alike = byKey.get(keyOf(condition)) ?? [];
      if (alike.some((known) => deepEqual(known, condition))) return condition;
      const [same] = alike;
      return {
        ...condition,
        lastUpdateTime: condition.lastUpdateTime ?? now,
        lastTransitionTime: condition.lastTransitionTime ?? same?.lastTransitionTime ?? now,
      };
    }),
  };
}
