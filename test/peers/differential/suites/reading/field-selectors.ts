import type { Twin } from '../../twin.ts';
import { Several } from '../several.ts';

/** Which fields each kind can be selected by. */
export async function fieldSelectors(twin: Twin, namespace: string): Promise<void> {
  const several = new Several();
  // A peer that stays may know definitions of earlier runs.
  const groups = (await twin.prepare({ path: '/apis' })).kubernetes.json.groups.filter(
    (group: any) => !group.name.endsWith('.example.com'),
  );
  const roots = [
    '/api/v1',
    ...groups.flatMap((group: any) => group.versions.map((one: any) => `/apis/${one.groupVersion}`)),
  ];
  const fields = [
    'metadata.name',
    'metadata.namespace',
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.podIPs',
    'status.nominatedNodeName',
    'status.replicas',
    'status.successful',
    'type',
    'reason',
    'reportingComponent',
    'source',
    'involvedObject.kind',
    'involvedObject.uid',
    'regarding.kind',
    'spec.unschedulable',
    'name',
    'spec.signerName',
    'spec.clusterIP',
    'spec.type',
    'spec.driver',
    'spec.podName',
    'spec.ipAddress',
    'metadata.uid',
    'immutable',
    'action',
    'reportingController',
    'reportingInstance',
    'note',
  ];
  for (const root of roots) {
    const resources = (await twin.prepare({ path: root })).kubernetes.json.resources.filter((one: any) =>
      one.verbs.includes('list'),
    );
    for (const resource of resources) {
      const collection = resource.namespaced
        ? `${root}/namespaces/${namespace}/${resource.name}`
        : `${root}/${resource.name}`;
      for (const field of fields) {
        await several.start(
          twin.ask(
            `${root}/${resource.name} by ${field}`,
            { path: `${collection}?fieldSelector=${field}%3Dnone-of-these` },
            { reduce: ({ json }) => (json?.kind === 'Status' ? json : json?.kind) },
          ),
        );
      }
    }
  }
  await several.end();
}
