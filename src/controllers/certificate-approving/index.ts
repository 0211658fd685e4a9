import type { SubjectAccessReview } from '../../api/generated/authorization-v1.ts';
import type { CertificateSigningRequest } from '../../api/generated/certificates-v1.ts';
import { CERTIFICATE_SIGNING_REQUESTS, SUBJECT_ACCESS_REVIEWS } from '../../api/resources.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import { type Controller, watchKeys } from '../../client/controller.ts';
import { keyOf } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';

/** Reads certificate requests; compose/ hands in the one that knows their encoding. */
export interface KubeletRequestReader {
  /**
   * The common name of a request that is in every way one for a kubelet's client certificate; undefined for any other.
   * Rejects what is no PKCS #10 request. `requestPem`: PEM.
   */
  kubeletClientName(requestPem: string, usages: readonly string[]): Promise<string | undefined>;
}

const KUBELET_CLIENT = 'kubernetes.io/kube-apiserver-client-kubelet';
const shortestDelayMs = 1_000;
const longestDelayMs = 1_000_000;

/** Who asks a kubelet's certificate for itself, and who for another, needs different rights. */
const recognized = [
  {
    subresource: 'selfnodeclient',
    isMeant: (name: string, username: string | undefined) => name === username,
    message: 'Auto approving self kubelet client certificate after SubjectAccessReview.',
  },
  {
    subresource: 'nodeclient',
    isMeant: () => true,
    message: 'Auto approving kubelet client certificate after SubjectAccessReview.',
  },
];

/**
 * Approves requests for kubelets' client certificates where whoever asks may `create` the virtual subresource
 * `nodeclient` or `selfnodeclient`. Source: pkg/controller/certificates/approver/sarapprove.go.
 */
export function createCertificateApprovingController(
  { informers, client }: ControllerDependencies,
  reader: KubeletRequestReader,
): Controller {
  const requests = informers.informer<CertificateSigningRequest>(CERTIFICATE_SIGNING_REQUESTS, { tenant: ALL_TENANTS });

  async function mayCreate({ metadata, spec }: CertificateSigningRequest, subresource: string): Promise<boolean> {
    const { username, uid, groups, extra } = spec;
    const review = await client.resource<SubjectAccessReview>(metadata.clusterName!, SUBJECT_ACCESS_REVIEWS).create({
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      metadata: {},
      spec: {
        ...(username !== undefined && { user: username }),
        ...(uid !== undefined && { uid }),
        ...(groups !== undefined && { groups }),
        ...(extra !== undefined && { extra }),
        resourceAttributes: {
          group: CERTIFICATE_SIGNING_REQUESTS.group,
          resource: CERTIFICATE_SIGNING_REQUESTS.resource,
          verb: 'create',
          subresource,
          version: '*',
        },
      },
    });
    return review.status?.allowed === true;
  }

  async function approve(request: CertificateSigningRequest, message: string): Promise<void> {
    const { name, resourceVersion } = request.metadata;
    const conditions = [
      ...(request.status?.conditions ?? []),
      { type: 'Approved', status: 'True', reason: 'AutoApproved', message },
    ];
    await client
      .for(CERTIFICATE_SIGNING_REQUESTS, request)
      .patch(name, 'merge', { metadata: { resourceVersion }, status: { conditions } }, 'approval');
  }

  return {
    name: 'certificatesigningrequest-approving-controller',
    workers: 2,
    watches: [watchKeys(requests, (request) => [keyOf(request)])],
    async reconcile(key, tools) {
      const request = requests.get(key);
      if (request === undefined || !isOpen(request)) return;
      const { spec, metadata } = request;
      if (spec.signerName !== KUBELET_CLIENT) return;
      const pem = Buffer.from(String(spec.request), 'base64').toString('latin1');
      // Admission lets none pass that cannot be read.
      const name = await reader.kubeletClientName(pem, spec.usages ?? []).catch(() => undefined);
      if (name === undefined) return;
      for (const { subresource, isMeant, message } of recognized) {
        if (!isMeant(name, spec.username) || !(await mayCreate(request, subresource))) continue;
        return approve(request, message);
      }
      // Whoever asks may be given the right later: asked again each time the request is twice as old.
      const ageMs = tools.now() - Date.parse(metadata.creationTimestamp ?? '');
      tools.queue.addAfter(key, Math.min(Math.max(ageMs || 0, shortestDelayMs), longestDelayMs));
    },
  };
}

/** Nobody has decided it yet. */
function isOpen({ metadata, status }: CertificateSigningRequest): boolean {
  if (metadata.deletionTimestamp !== undefined || status?.certificate) return false;
  return status?.conditions?.some(({ type }) => type === 'Approved' || type === 'Denied') !== true;
}
