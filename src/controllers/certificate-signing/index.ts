import type { CertificateSigningRequest } from '../../api/generated/certificates-v1.ts';
import { formatTime } from '../../api/object.ts';
import { CERTIFICATE_SIGNING_REQUESTS, TENANTS } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import { ALL_TENANTS, SYSTEM_TENANT } from '../../client/client.ts';
import { type Controller, watchKeys } from '../../client/controller.ts';
import { keyOf } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { conditionOf, endOfRequestMs } from './lifetime.ts';
import type { CertificateSigner } from './signer.ts';

/** Signs approved requests of Kubernetes' own signers, and clears requests away when their time is over. */
export function createCertificateSigningController(
  { informers, client }: ControllerDependencies,
  signer: CertificateSigner,
): Controller {
  const requests = informers.informer<CertificateSigningRequest>(CERTIFICATE_SIGNING_REQUESTS, { tenant: ALL_TENANTS });

  const tenants = informers.informer(TENANTS, { tenant: SYSTEM_TENANT });

  async function sign(request: CertificateSigningRequest, nowMs: number): Promise<void> {
    const { spec, status, metadata } = request;
    const tenant = metadata.clusterName!;
    const uid = tenants.get(`${SYSTEM_TENANT}//${tenant}`)?.metadata.uid;
    if (uid === undefined && tenant !== SYSTEM_TENANT) throw new Error(`tenant ${tenant} is not known yet`);
    const outcome = await signer.sign({
      signerName: spec.signerName,
      tenant,
      tenantUid: uid,
      requestPem: Buffer.from(String(spec.request), 'base64').toString('latin1'),
      usages: spec.usages ?? [],
      ...(typeof spec.expirationSeconds === 'number' && { expirationSeconds: spec.expirationSeconds }),
    });
    const now = formatTime(nowMs);
    const failure =
      'refusal' in outcome
        ? {
            type: 'Failed',
            status: 'True',
            reason: 'SignerValidationFailure',
            message: outcome.refusal,
            lastUpdateTime: now,
            lastTransitionTime: now,
          }
        : undefined;
    await client.for(CERTIFICATE_SIGNING_REQUESTS, request).updateStatus({
      ...request,
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      status: {
        ...status,
        conditions: [...(status?.conditions ?? []), ...(failure === undefined ? [] : [failure])],
        ...('certificatePem' in outcome && { certificate: Buffer.from(outcome.certificatePem).toString('base64') }),
      },
    });
  }

  return {
    name: 'certificatesigningrequest-signing-controller',
    workers: 2,
    watches: [watchKeys(requests, (request) => [keyOf(request)])],
    reads: [tenants],
    async reconcile(key, tools) {
      const request = requests.get(key);
      if (request === undefined || request.metadata.deletionTimestamp !== undefined) return;
      const leftMs = endOfRequestMs(request) - tools.now();
      if (leftMs <= 0) {
        const { uid, name } = request.metadata;
        await client
          .for(CERTIFICATE_SIGNING_REQUESTS, request)
          .delete(name, { preconditions: { uid } })
          .catch((error) => {
            if (!isNotFound(error)) throw error;
          });
        return;
      }
      tools.queue.addAfter(key, leftMs);
      const isDue = conditionOf(request, 'Approved') !== undefined && conditionOf(request, 'Failed') === undefined;
      if (isDue && !request.status?.certificate && signer.handles(request.spec.signerName)) {
        await sign(request, tools.now());
      }
    },
  };
}
