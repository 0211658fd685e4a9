import { generateName } from '../../api/generate-name.ts';
import type { Pod, ServiceAccount } from '../../api/generated/core-v1.ts';
import type { KubeObject } from '../../api/object.ts';
import { isMirrorPod } from '../../api/pods/mirror-pod.ts';
import { SERVICE_ACCOUNTS } from '../../api/resources.ts';
import type { Objects } from '../objects.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { forbid } from './forbid.ts';
import { limitsSecrets, refusalOfMirror, refusalOfSecrets, refusalOfVariables } from './service-account-limits.ts';

const tokenMountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const volumeNamePrefix = 'kube-api-access-';
/** Seconds; as upstream's extended tokens: the volume is renewed long before. */
const tokenExpirationSeconds = 3607;

/**
 * A pod runs as a service account that exists, finds its token mounted, and names secrets that the account does where
 * that is asked for. Source: ServiceAccount upstream.
 */
export function serviceAccountAdmission(objects: Objects): AdmissionPlugin {
  async function accountOf(request: AdmissionRequest, name: string): Promise<ServiceAccount> {
    const { tenant, namespace } = request;
    const entry = await objects.get(SERVICE_ACCOUNTS, tenant, namespace, name);
    if (entry !== undefined) return entry.object as unknown as ServiceAccount;
    throw forbid(
      request,
      `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
    );
  }

  return {
    name: 'ServiceAccount',
    handles: ({ operation, definition, subresource }) =>
      definition.resource === 'pods' &&
      definition.group === '' &&
      ((operation === 'CREATE' && subresource === '') ||
        (operation === 'UPDATE' && subresource === 'ephemeralcontainers')),
    async admit(request) {
      const pod = request.object!;
      const { spec } = pod;
      if (request.operation !== 'CREATE') return;
      // Its spec stays as it is; what it may not name is said before other plug-ins say it.
      if (isMirrorPod(pod)) {
        const why = refusalOfMirror(pod as unknown as Pod);
        if (why !== undefined) throw forbid(request, why);
        return;
      }
      if (!spec.serviceAccountName) spec.serviceAccountName = 'default';
      // The deprecated twin is kept equal, as conversion does upstream.
      spec.serviceAccount = spec.serviceAccountName;
      const account = await accountOf(request, spec.serviceAccountName);
      if (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) mountToken(pod);
      if ((spec.imagePullSecrets ?? []).length === 0 && (account.imagePullSecrets ?? []).length > 0) {
        spec.imagePullSecrets = account.imagePullSecrets!.map(({ name }) => ({ name }));
      }
    },
    async validate(request) {
      const pod = request.object as unknown as Pod;
      const refuse = (why: string | undefined) => {
        if (why !== undefined) throw forbid(request, why);
      };
      if (request.operation === 'CREATE' && isMirrorPod(request.object!)) return refuse(refusalOfMirror(pod));
      const name = pod.spec?.serviceAccountName;
      if (!name) return refuse(`no service account specified for pod ${request.namespace}/${request.name}`);
      const account = await accountOf(request, name);
      if (!limitsSecrets(account)) return;
      refuse(
        request.operation === 'CREATE'
          ? refusalOfSecrets(account, pod)
          : refusalOfVariables(account, 'ephemeral container', pod.spec?.ephemeralContainers),
      );
    },
  };
}

function mountToken({ spec }: KubeObject): void {
  const volumes: { name: string }[] = spec.volumes ?? [];
  const existing = volumes.find(({ name }) => name.startsWith(volumeNamePrefix));
  const volumeName = existing?.name ?? generateName(volumeNamePrefix);
  let mounted = false;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    const mounts: { mountPath: string }[] = container.volumeMounts ?? [];
    if (mounts.some(({ mountPath }) => mountPath === tokenMountPath)) continue;
    container.volumeMounts = [...mounts, { name: volumeName, readOnly: true, mountPath: tokenMountPath }];
    mounted = true;
  }
  if (existing !== undefined || !mounted) return;
  spec.volumes = [
    ...volumes,
    {
      name: volumeName,
      projected: {
        sources: [
          { serviceAccountToken: { expirationSeconds: tokenExpirationSeconds, path: 'token' } },
          { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
          {
            downwardAPI: {
              items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
            },
          },
        ],
        defaultMode: 0o644,
      },
    },
  ];
}
