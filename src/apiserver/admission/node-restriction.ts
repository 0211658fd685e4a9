import { semanticEqual } from '../../api/equality.ts';
import type { GroupResource, KubeObject } from '../../api/object.ts';
import { MIRROR_ANNOTATION } from '../../api/pods/mirror-pod.ts';
import { configMapsOf, secretsOf } from '../../api/pods/pod-secrets.ts';
import { NODES, PODS } from '../../api/resources.ts';
import { isNotFound, notFound } from '../../api/status.ts';
import { resourceAttributes } from '../authorization/attributes.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import { NodeAccess } from '../authorization/nodes/node-access.ts';
import { aggregate } from '../authorization/rbac/role-based-access.ts';
import { readCertificateRequest } from '../identity/certificate-request.ts';
import { KUBELET_CLIENT, KUBELET_SERVING } from '../identity/certificate-signer.ts';
import type { Objects } from '../objects.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { forbid } from './forbid.ts';
import { forbiddenNodeLabels, modifiedLabels } from './node-labels.ts';

const LEASE_NAMESPACE = 'kube-node-lease';
const CLAIMS: GroupResource = { group: '', resource: 'persistentvolumeclaims' };
const VOLUMES: GroupResource = { group: '', resource: 'persistentvolumes' };
const DRIVERS: GroupResource = { group: 'storage.k8s.io', resource: 'csidrivers' };

type Check = (nodeName: string, request: AdmissionRequest) => void | Promise<void>;

/**
 * A node writes what is its own: its Node, the status of its pods, its lease. The authorizer lets it write those kinds at
 * all. Source: plugin/pkg/admission/noderestriction.
 */
export function nodeRestriction(objects: Objects, authorizer: Authorizer): AdmissionPlugin {
  const found = async (resource: GroupResource, { tenant }: AdmissionRequest, namespace: string, name: string) => {
    const entry = await objects.get(resource, tenant, namespace, name);
    // As upstream's listers say it.
    if (entry === undefined) throw notFound({ ...resource, resource: resource.resource.slice(0, -1) }, name);
    return entry.object;
  };

  async function ownPod(nodeName: string, request: AdmissionRequest, name: string, why: string): Promise<KubeObject> {
    const pod = await found(PODS, request, request.namespace, name);
    if (pod['spec'].nodeName !== nodeName) throw forbid(request, why);
    return pod;
  }

  const pods: Check = async (nodeName, request) => {
    const node = `node ${JSON.stringify(nodeName)}`;
    const { operation, subresource, object, oldObject, name } = request;
    switch (subresource) {
      case '':
        if (operation === 'CREATE') return mirrorPod(nodeName, request);
        if (operation !== 'DELETE') {
          throw forbid(request, `unexpected operation "${operation}", ${node} can only create and delete mirror pods`);
        }
        await ownPod(nodeName, request, name, `${node} can only delete pods with spec.nodeName set to itself`);
        return;
      case 'status':
        if (operation !== 'UPDATE') throw forbid(request, `unexpected operation "${operation}"`);
        if (oldObject!['spec'].nodeName !== nodeName) {
          throw forbid(request, `${node} can only update pod status for pods with spec.nodeName set to itself`);
        }
        if (!semanticEqual(object!.metadata.labels ?? {}, oldObject!.metadata.labels ?? {})) {
          throw forbid(request, `${node} cannot update labels through pod status`);
        }
        if (differs(object!, oldObject!, 'resourceClaimStatuses')) {
          throw forbid(request, `${node} cannot update resource claim statues`);
        }
        if (differs(object!, oldObject!, 'extendedResourceClaimStatus')) {
          throw forbid(request, `${node} cannot update extended resource claim status`);
        }
        return;
      case 'eviction': {
        if (operation !== 'CREATE') throw forbid(request, `unexpected operation ${operation}`);
        const podName = name || object!.metadata?.name || '';
        if (podName === '') throw forbid(request, 'could not determine pod from request data');
        const why = `node ${nodeName} can only evict pods with spec.nodeName set to itself`;
        await ownPod(nodeName, request, podName, why);
        return;
      }
      default:
        throw forbid(
          request,
          `unexpected pod subresource ${JSON.stringify(subresource)}, only 'status' and 'eviction' are allowed`,
        );
    }
  };

  async function mirrorPod(nodeName: string, request: AdmissionRequest): Promise<void> {
    const node = `node ${JSON.stringify(nodeName)}`;
    const pod = request.object!;
    const { annotations, ownerReferences = [] } = pod.metadata;
    const refuse = (why: string) => forbid(request, why);
    if (annotations?.[MIRROR_ANNOTATION] === undefined) {
      throw refuse(`pod does not have "${MIRROR_ANNOTATION}" annotation, ${node} can only create mirror pods`);
    }
    if (pod['spec'].nodeName !== nodeName) {
      throw refuse(`${node} can only create pods with spec.nodeName set to itself`);
    }
    if (ownerReferences.length > 1) {
      throw refuse(`${node} can only create pods with a single owner reference set to itself`);
    }
    const [owner] = ownerReferences;
    if (owner?.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== nodeName) {
      throw refuse(`${node} can only create pods with an owner reference set to itself`);
    }
    if (owner.controller !== true) {
      throw refuse(`${node} can only create pods with a controller owner reference set to itself`);
    }
    if (owner.blockOwnerDeletion === true) {
      throw refuse(`${node} must not set blockOwnerDeletion on an owner reference`);
    }
    const { uid } = (await found(NODES, request, '', nodeName)).metadata;
    if (owner.uid !== uid) throw refuse(`node ${nodeName} UID mismatch: expected ${owner.uid} got ${uid}`);
    const referenced = objectReference(pod);
    if (referenced !== undefined) throw refuse(`${node} can not create pods that reference ${referenced}`);
  }

  const nodes: Check = (nodeName, request) => {
    const node = `node ${JSON.stringify(nodeName)}`;
    const { operation, object, oldObject } = request;
    // On create, as on every other operation, the name is known: the chain has read it out of the object.
    const name = request.name || object?.metadata.name || '';
    if (name !== nodeName) throw forbid(request, `${node} is not allowed to modify node ${JSON.stringify(name)}`);
    if (operation === 'CREATE') {
      if (object!['spec']?.configSource) {
        throw forbid(request, `${node} is not allowed to create pods with a non-nil configSource`);
      }
      const labels = forbiddenNodeLabels(modifiedLabels(object!.metadata.labels, undefined));
      if (labels.length > 0) {
        throw forbid(request, `${node} is not allowed to set the following labels: ${labels.join(', ')}`);
      }
    }
    if (operation !== 'UPDATE') return;
    const [now, before] = [object!['spec'] ?? {}, oldObject!['spec'] ?? {}];
    if (now.configSource && !semanticEqual(now.configSource, before.configSource)) {
      throw forbid(request, `${node} is not allowed to update configSource to a new non-nil configSource`);
    }
    if (!semanticEqual(now.taints ?? [], before.taints ?? [])) {
      throw forbid(request, `${node} is not allowed to modify taints`);
    }
    if (!semanticEqual(object!.metadata.ownerReferences ?? [], oldObject!.metadata.ownerReferences ?? [])) {
      throw forbid(request, `${node} is not allowed to modify ownerReferences`);
    }
    const labels = forbiddenNodeLabels(modifiedLabels(object!.metadata.labels, oldObject!.metadata.labels));
    if (labels.length > 0) throw forbid(request, `is not allowed to modify labels: ${labels.join(', ')}`);
  };

  const claims: Check = (nodeName, request) => {
    const { operation, subresource, object, oldObject } = request;
    if (subresource !== 'status') throw forbid(request, 'may only update PVC status');
    if (operation !== 'UPDATE') throw forbid(request, `unexpected operation "${operation}"`);
    if (semanticEqual(withoutOwnStatus(object!), withoutOwnStatus(oldObject!))) return;
    const node = `node ${JSON.stringify(nodeName)}`;
    throw forbid(request, `${node} is not allowed to update fields other than status.quantity and status.conditions`);
  };

  const tokens: Check = async (nodeName, request) => {
    const { operation, subresource, object, namespace } = request;
    if (operation !== 'CREATE' || subresource !== 'token') return;
    const reference = object!['spec']?.boundObjectRef;
    if (reference?.apiVersion !== 'v1' || reference.kind !== 'Pod' || !reference.name) {
      throw forbid(request, 'node requested token not bound to a pod');
    }
    if (!reference.uid) throw forbid(request, 'node requested token with a pod binding without a uid');
    const pod = await found(PODS, request, namespace, reference.name);
    if (reference.uid !== pod.metadata.uid) {
      throw forbid(
        request,
        `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    }
    if (pod['spec'].nodeName !== nodeName) {
      throw forbid(request, 'node requested token bound to a pod scheduled on a different node');
    }
    const audiences: string[] = object!['spec'].audiences ?? [];
    if (audiences.length > 1) throw forbid(request, 'node may only request 0 or 1 audiences');
    await checkAudience(request, pod, audiences[0] ?? '');
  };

  async function checkAudience(request: AdmissionRequest, pod: KubeObject, audience: string): Promise<void> {
    const { identity, tenant, namespace, name } = request;
    const errors: string[] = [];
    if (await podHasAudience(request, pod, audience, errors)) return;
    if (errors.length > 0) {
      throw forbid(request, `error validating audience ${JSON.stringify(audience)}: ${aggregate(errors)}`);
    }
    const verb = 'request-serviceaccounts-token-audience';
    const attributes = resourceAttributes(tenant, {
      verb,
      group: '',
      version: 'v1',
      resource: audience,
      namespace,
      name,
    });
    const { allowed, error } = await authorizer.authorize(identity, attributes);
    if (allowed) return;
    const missing = `audience ${JSON.stringify(audience)} not found in pod spec volume`;
    throw forbid(
      request,
      error === undefined
        ? `${missing}, ${identity.name} is not authorized to request tokens for this audience`
        : `${missing}, error authorizing ${identity.name} to request tokens for this audience: ${error}`,
    );
  }

  /** By a mounted token, or by the driver of a volume that wants tokens for it. */
  async function podHasAudience(
    request: AdmissionRequest,
    pod: KubeObject,
    audience: string,
    errors: string[],
  ): Promise<boolean> {
    for (const volume of pod['spec'].volumes ?? []) {
      for (const { serviceAccountToken } of volume.projected?.sources ?? []) {
        if (serviceAccountToken !== undefined && (serviceAccountToken.audience ?? '') === audience) return true;
      }
      try {
        const driverName = await driverOf(request, pod, volume);
        if (!driverName) continue;
        const driver = await found(DRIVERS, request, '', driverName);
        const wanted: { audience?: string }[] = driver['spec']?.tokenRequests ?? [];
        if (wanted.some((one) => (one.audience ?? '') === audience)) return true;
      } catch (error) {
        if (!isNotFound(error)) throw error;
        errors.push((error as Error).message);
      }
    }
    return false;
  }

  async function driverOf(request: AdmissionRequest, pod: KubeObject, volume: any): Promise<string | undefined> {
    if (volume.csi !== undefined) return volume.csi.driver;
    const ephemeral =
      volume.ephemeral?.volumeClaimTemplate === undefined ? undefined : `${pod.metadata.name}-${volume.name}`;
    const claimName: string | undefined = ephemeral ?? volume.persistentVolumeClaim?.claimName;
    if (claimName === undefined) return undefined;
    const claim = await found(CLAIMS, request, request.namespace, claimName);
    const bound = await found(VOLUMES, request, '', claim['spec']?.volumeName ?? '');
    return bound['spec']?.csi?.driver;
  }

  const checks: Record<string, Check> = {
    pods,
    nodes,
    persistentvolumeclaims: claims,
    serviceaccounts: tokens,
    'leases.coordination.k8s.io': lease,
    'csinodes.storage.k8s.io': csiNode,
    'resourceslices.resource.k8s.io': resourceSlice,
    'certificatesigningrequests.certificates.k8s.io': certificateRequest,
  };
  const checkOf = ({ definition: { group, resource } }: AdmissionRequest): Check | undefined => {
    const qualified = group === '' ? resource : `${resource}.${group}`;
    return Object.hasOwn(checks, qualified) ? checks[qualified] : undefined;
  };

  return {
    name: 'NodeRestriction',
    handles: ({ operation, identity }) => operation !== 'CONNECT' && NodeAccess.nodeOf(identity) !== undefined,
    admit(request) {
      const nodeName = NodeAccess.nodeOf(request.identity)!;
      if (nodeName === '') {
        throw forbid(request, `could not determine node from user ${JSON.stringify(request.identity.name)}`);
      }
      return checkOf(request)?.(nodeName, request);
    },
  };
}

const differs = (object: KubeObject, old: KubeObject, field: string) =>
  !semanticEqual(object['status']?.[field], old['status']?.[field]);

function withoutOwnStatus({ metadata, status, ...rest }: KubeObject): object {
  const { resourceVersion: _version, managedFields: _fields, clusterName: _tenant, ...kept } = metadata as any;
  const {
    capacity: _c,
    conditions: _o,
    allocatedResourceStatuses: _s,
    allocatedResources: _a,
    ...others
  } = status ?? {};
  return { ...rest, metadata: kept, status: others };
}

const lease: Check = (nodeName, request) => {
  if (request.namespace !== LEASE_NAMESPACE) {
    throw forbid(request, `can only access leases in the "${LEASE_NAMESPACE}" system namespace`);
  }
  if (namedBy(request) !== nodeName) {
    throw forbid(request, 'can only access node lease with the same name as the requesting node');
  }
};

const csiNode: Check = (nodeName, request) => {
  if (namedBy(request) === nodeName) return;
  throw forbid(request, 'can only access CSINode with the same name as the requesting node');
};

const namedBy = ({ operation, object, name }: AdmissionRequest) =>
  operation === 'CREATE' ? object!.metadata.name : name;

const resourceSlice: Check = (nodeName, request) => {
  const { operation, object, oldObject } = request;
  if (operation === 'UPDATE') return;
  const slice = operation === 'CREATE' ? object : oldObject;
  if (slice?.['spec']?.nodeName === nodeName) return;
  const verb = operation === 'CREATE' ? 'create' : 'delete';
  throw forbid(request, `can only ${verb} ResourceSlice with the same NodeName as the requesting node`);
};

const certificateRequest: Check = async (nodeName, request) => {
  if (request.operation !== 'CREATE') return;
  const { signerName, request: encoded } = request.object!['spec'] ?? {};
  if (signerName !== KUBELET_SERVING && signerName !== KUBELET_CLIENT) return;
  let commonName: string;
  try {
    ({ commonName } = await readCertificateRequest(Buffer.from(String(encoded ?? ''), 'base64').toString('latin1')));
  } catch (error) {
    throw forbid(request, `unable to parse csr: ${(error as Error).message}`);
  }
  const own = `system:node:${nodeName}`;
  if (commonName !== own) throw forbid(request, `can only create a node CSR with CN=${own}`);
};

/** What of the API a pod cannot be without; undefined: nothing. Source: HasAPIObjectReference of pkg/api/pod. */
function objectReference(pod: KubeObject): string | undefined {
  const { spec } = pod as any;
  if (spec.serviceAccountName) return 'serviceaccounts';
  if (secretsOf(pod as never).size > 0) return 'secrets';
  if (configMapsOf(pod as never).size > 0) return 'configmaps';
  if (spec.resourceClaims?.length > 0) return 'resourceclaims';
  for (const volume of spec.volumes ?? []) {
    if (volume.csi) return 'csidrivers (via CSI volumes)';
    if (volume.glusterfs) return 'endpoints (via glusterFS volumes)';
    if (volume.persistentVolumeClaim) return 'persistentvolumeclaims';
    if (volume.ephemeral) return 'persistentvolumeclaims (via ephemeral volumes)';
    if (volume.azureFile) return 'secrets (via azureFile volumes)';
    for (const source of volume.projected?.sources ?? []) {
      if (source.serviceAccountToken) return 'serviceaccounts (via projected volumes)';
    }
  }
  return undefined;
}
