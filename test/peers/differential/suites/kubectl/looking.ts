import { goldenBases } from '../../../../../src/apiserver/testing/golden.ts';
import type { Twin } from '../../twin.ts';
import { plain } from '../objects.ts';
import type { Kubectl } from './runner.ts';

/** get, describe and explain of every kind, and what tells of the server. */
export async function looking(kubectl: Kubectl, twin: Twin): Promise<void> {
  for (const line of [
    'api-resources',
    'api-resources -o wide',
    'api-resources --namespaced=false --verbs=list,create',
    'api-resources --api-group=apps --no-headers',
    'api-resources --categories=all',
    'api-versions',
    'get --raw /version/none',
    'get --raw /readyz',
    'get --raw /none',
    'get --raw /apis/apps',
    'cluster-info',
    'auth can-i create pods',
    'auth can-i create nothings',
    'auth can-i get /metrics',
    'auth can-i create pods --as=nobody',
    'auth can-i create pods/exec --as=nobody -q',
    'auth can-i --list --as=nobody',
    'auth whoami',
    'auth whoami -o yaml',
    'auth whoami --as=x --as-group=y --as-uid=z',
    'get all',
    'get pods,none',
    'get none',
    'get pods none',
    'get pods --field-selector=status.phase=Running',
    'get pods --field-selector=x=y',
    'get pods -l a=b,c!=d -o wide --show-labels',
    'get pods -l a=b=c',
    'get cm,secrets,sa,roles,rolebindings,svc,ing,quota,pdb,hpa --no-headers',
    'get cm -o name --sort-by=.metadata.name',
    'get cm -o go-template={{len.items}} --template={{.kind}}',
    'get cm -L a',
    'get pods -A --chunk-size=1 -o name --field-selector=metadata.name=none',
    'get events',
    'events',
    'get namespaces none',
    'get deployment.v1.apps',
    'get deployment.v1beta1.apps',
    'get pods.v1.',
    'logs none',
    'logs deployment/none',
    'exec none -- ls',
    'port-forward none 80',
    'cp none:/x /tmp/none-x',
    'cordon none',
    'drain none --dry-run=server',
    'taint node none a=b:NoSchedule',
    'certificate approve none',
    'debug none --image=x',
    'explain pods',
    'explain none',
    'explain pods.none',
    'explain pods.spec.containers.env.valueFrom',
    'explain hpa --api-version=autoscaling/v1',
    'explain hpa --api-version=autoscaling/v9',
    'explain pods --output=plaintext-openapiv2',
    'explain pods --output=other',
  ])
    await kubectl.run(line, {
      sorted: line.startsWith('api-') || line.includes('--list'),
      ...(line.startsWith('explain') && withoutTexts),
    });
  await documents(kubectl, twin);
  await descriptions(kubectl, twin);
}

/** Texts come from the client library, which has none of a field where its type has one, and no ends of lines. */
const withoutTexts = { only: /\t<|^(KIND|VERSION|GROUP|FIELD|error|the server)/ };

/** explain of everything that is served. */
async function documents(kubectl: Kubectl, twin: Twin): Promise<void> {
  const { kubernetes } = await twin.prepare({ path: '/apis' });
  const groups = [
    'v1',
    ...kubernetes.json.groups.flatMap((group: any) => group.versions.map((one: any) => one.groupVersion)),
  ];
  for (const version of groups) {
    const path = version === 'v1' ? '/api/v1' : `/apis/${version}`;
    const { kubernetes: list } = await twin.prepare({ path });
    for (const { name } of list.json.resources) {
      if (name.includes('/')) continue;
      await kubectl.run(`explain ${name} --api-version=${version} --recursive`, withoutTexts);
    }
  }
}

/** describe, and get -o wide, of an object of each kind with something in every field. */
async function descriptions(kubectl: Kubectl, twin: Twin): Promise<void> {
  for (const { path: collection, object } of goldenBases()) {
    const path = collection.replace('/namespaces/default/', `/namespaces/${kubectl.namespace}/`);
    const body = plain(object, kubectl.namespace);
    const { status } = body;
    const created = await twin.prepare({ method: 'POST', path, body }, [200, 201, 409, 422, 403, 404]);
    if (created.kubernetes.status !== 201) continue;
    const one = `${path}/${body.metadata.name}`;
    if (status !== undefined)
      await twin.prepare(
        (side) => ({ method: 'PUT', path: `${one}/status`, body: { ...created[side.name].json, status } }),
        [200, 404, 422, 405],
      );
    const [group, version] = object.apiVersion.includes('/') ? object.apiVersion.split('/') : ['', object.apiVersion];
    const resource = `${path.split('/').at(-1)}.${version}.${group}`;
    await kubectl.run(`describe ${resource} ${body.metadata.name}`);
    await kubectl.run(`get ${resource} ${body.metadata.name} -o wide --show-kind --show-labels`);
    await kubectl.run(`delete ${resource} ${body.metadata.name} --grace-period=1 --wait=false`);
    await twin.prepare(
      { method: 'PATCH', path: one, type: 'application/merge-patch+json', body: { metadata: { finalizers: null } } },
      [200, 404, 422],
    );
  }
}
