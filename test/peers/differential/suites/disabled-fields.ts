import type { Twin } from '../twin.ts';
import { MERGE, makeNamespace, pod } from './objects.ts';

/** Fields, kinds and versions of the API whose feature gates are off. */
export async function disabledFields(twin: Twin): Promise<void> {
  const namespace = `disabled-${twin.run}`;
  await makeNamespace(twin, namespace);
  const core = `/api/v1/namespaces/${namespace}`;
  const source = {
    clusterTrustBundle: { name: 'x', path: 'ca.pem' },
    podCertificate: { signerName: 'a.b/c', keyType: 'ED25519', credentialBundlePath: 'bundle.pem' },
  };
  const specs: Record<string, object> = {
    'trust bundle': {
      volumes: [{ name: 'v', projected: { sources: [{ clusterTrustBundle: source.clusterTrustBundle }] } }],
    },
    'trust bundle by signer': {
      volumes: [{ name: 'v', projected: { sources: [{ clusterTrustBundle: { signerName: 'a.b/c', path: 'x' } }] } }],
    },
    'pod certificate': {
      volumes: [{ name: 'v', projected: { sources: [{ podCertificate: source.podCertificate }] } }],
    },
    'both in one source': { volumes: [{ name: 'v', projected: { sources: [source] } }] },
    'beside another': {
      volumes: [
        { name: 'v', projected: { sources: [{ podCertificate: source.podCertificate, secret: { name: 's' } }] } },
      ],
    },
    'wrong pod certificate': {
      volumes: [{ name: 'v', projected: { sources: [{ podCertificate: { keyType: 'x' } }] } }],
    },
    'scheduling group': { schedulingGroup: { podGroupName: 'g' } },
    'stop signal': {
      containers: [{ name: 'c', image: 'i', lifecycle: { stopSignal: 'SIGUSR1' } }],
      os: { name: 'linux' },
    },
    'stop signal without os': { containers: [{ name: 'c', image: 'i', lifecycle: { stopSignal: 'SIGUSR1' } }] },
    'stop signal and hook': {
      containers: [{ name: 'c', image: 'i', lifecycle: { stopSignal: 'SIGUSR1', preStop: { sleep: { seconds: 1 } } } }],
    },
  };
  let index = 0;
  for (const [label, more] of Object.entries(specs)) {
    const { spec } = pod('x') as any;
    const podSpec = { ...spec, ...more };
    const name = `p-${index++}`;
    const body = { ...(pod(name) as any), spec: podSpec };
    await twin.ask(`pod with ${label}`, { method: 'POST', path: `${core}/pods`, body });
    const labels = { app: name };
    const template = { metadata: { labels }, spec: podSpec };
    const metadata = { name };
    await twin.ask(`pod template with ${label}`, {
      method: 'POST',
      path: `${core}/podtemplates`,
      body: { metadata, template },
    });
    await twin.ask(`deployment with ${label}`, {
      method: 'POST',
      path: `/apis/apps/v1/namespaces/${namespace}/deployments`,
      body: { metadata, spec: { replicas: 0, selector: { matchLabels: labels }, template } },
    });
    await twin.ask(`cron job with ${label}`, {
      method: 'POST',
      path: `/apis/batch/v1/namespaces/${namespace}/cronjobs`,
      body: {
        metadata,
        spec: {
          schedule: '0 0 1 1 *',
          jobTemplate: { spec: { template: { spec: { ...podSpec, restartPolicy: 'Never' } } } },
        },
      },
    });
    await twin.ask(`deployment patched with ${label}`, {
      method: 'PATCH',
      type: MERGE,
      path: `/apis/apps/v1/namespaces/${namespace}/deployments/p-${index - 1}`,
      body: { spec: { template: { spec: more } } },
    });
  }
  await twin.ask('status of features that are off', {
    method: 'PATCH',
    type: MERGE,
    path: `${core}/pods/p-0/status`,
    body: {
      status: {
        nodeAllocatableResourceClaimStatuses: [
          { resourceClaimName: 'c', containers: ['main'], resources: { cpu: '1' } },
        ],
        containerStatuses: [
          {
            name: 'main',
            image: 'registry.example/image:1',
            imageID: '',
            ready: false,
            restartCount: 0,
            volumeMounts: [{ name: 'v', mountPath: '/v', volumeStatus: { image: { imageRef: 'x@sha256:0' } } }],
          },
        ],
      },
    },
  });
  for (const version of ['v1alpha1', 'v1beta1']) {
    const group = `/apis/certificates.k8s.io/${version}`;
    await twin.ask(`certificates ${version}`, { path: group });
    await twin.ask(`pod certificate requests ${version}`, { path: `${group}/podcertificaterequests` });
    await twin.ask(`trust bundles ${version}`, { path: `${group}/clustertrustbundles` });
    await twin.ask(`create trust bundle ${version}`, {
      method: 'POST',
      path: `${group}/clustertrustbundles`,
      body: {},
    });
  }
}
