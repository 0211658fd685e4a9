import type { KubeObject } from '../../api/object.ts';
import { SERVICE_ACCOUNTS } from '../../api/resources.ts';
import type { Objects } from '../objects.ts';
import { generateName } from '../verbs/metadata.ts';
import type { AdmissionPlugin } from './admission.ts';
import { forbid } from './forbid.ts';

const tokenMountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const volumeNamePrefix = 'kube-api-access-';
/** Seconds; as upstream's extended tokens: the volume is renewed long before. */
const tokenExpirationSeconds = 3607;

/** A pod runs as a service account that exists, and finds its token mounted. Source: ServiceAccount upstream. */
export function serviceAccountAdmission(objects: Objects): AdmissionPlugin {
  return {
    name: 'ServiceAccount',
    handles: ({ operation, definition, subresource }) =>
      operation === 'CREATE' && subresource === '' && definition.resource === 'pods' && definition.group === '',
    async admit(request) {
      const pod = request.object!;
      const { spec } = pod;
      if (!spec.serviceAccountName) spec.serviceAccountName = 'default';
      // The deprecated twin is kept equal, as conversion does upstream.
      spec.serviceAccount = spec.serviceAccountName;
      const { tenant, namespace } = request;
      const name: string = spec.serviceAccountName;
      const entry = await objects.get(SERVICE_ACCOUNTS, tenant, namespace, name);
      if (entry === undefined) {
        throw forbid(
          request,
          `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
        );
      }
      const account = entry.object;
      if (spec.automountServiceAccountToken ?? account['automountServiceAccountToken'] ?? true) mountToken(pod);
      if ((spec.imagePullSecrets ?? []).length === 0 && (account['imagePullSecrets'] ?? []).length > 0) {
        spec.imagePullSecrets = account['imagePullSecrets'].map((secret: { name: string }) => ({ name: secret.name }));
      }
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
