import { eventually } from '../../../../lib/eventually.ts';
import type { Answer } from '../../client.ts';
import type { Twin } from '../../twin.ts';
import { configMap, makeNamespace } from '../objects.ts';

const root = '/apis/admissionregistration.k8s.io/v1';
const namespace = 'policies-heard';
const maps = `/api/v1/namespaces/${namespace}/configmaps`;

export type Sort = 'mutating' | 'validating';

/** Counts the markers of this process: a kube-apiserver that stays knows those of earlier runs. */
let markers = 0;

/**
 * Waits until both servers go by every policy, binding and ConfigMap written so far. A server hears of a kind's objects
 * in the order they were written, so that what was written before a marker that works is heard of too.
 */
export async function policiesHeard(twin: Twin, sort: Sort): Promise<void> {
  const name = `marker-${twin.run}-${++markers}`;
  await mark(twin, sort, name);
  await unmark(twin, sort, name);
}

/**
 * Keeps a policy with ConfigMaps for parameters. kube-apiserver watches those from the first such policy that is bound
 * until the last is gone, and never again: the informer is one of a shared factory, which starts none a second time
 * (`ensureParamsForPolicyLocked`), so that later ones would be judged by ConfigMaps of the time when it ended.
 */
export async function keepParameters(twin: Twin): Promise<void> {
  for (const sort of ['mutating', 'validating'] as const) await mark(twin, sort, 'kept');
}

async function mark(twin: Twin, sort: Sort, name: string): Promise<void> {
  await makeNamespace(twin, namespace);
  const expression = "Object{data: {'marker-' + params.metadata.name: 'seen'}}";
  const spec = {
    paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    matchConstraints: {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
      resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
    },
    matchConditions: [{ name: 'asked', expression: `object.metadata.name == 'ask-${name}'` }],
    ...(sort === 'mutating'
      ? {
          reinvocationPolicy: 'Never',
          mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }],
        }
      : { validations: [{ expression: 'false', messageExpression: "'marker-' + params.metadata.name" }] }),
  };
  const binding = {
    policyName: name,
    paramRef: { name, namespace, parameterNotFoundAction: 'Allow' },
    ...(sort === 'validating' && { validationActions: ['Deny'] }),
  };
  await twin.prepare({ method: 'POST', path: maps, body: configMap(name) });
  await twin.prepare({ method: 'POST', path: `${root}/${sort}admissionpolicies`, body: { metadata: { name }, spec } });
  const bindings = `${root}/${sort}admissionpolicybindings`;
  await twin.prepare({ method: 'POST', path: bindings, body: { metadata: { name }, spec: binding } });
  const works = ({ text }: Answer) => text.includes(`marker-${name}`);
  const ask = { method: 'POST', path: `${maps}?dryRun=All`, body: configMap(`ask-${name}`) };
  await eventually(`both servers go by ${sort} policy ${name}`, async () => {
    const { kubernetes, skypod } = await twin.prepare(ask, [201, 422]);
    return works(kubernetes) && works(skypod);
  });
}

async function unmark(twin: Twin, sort: Sort, name: string): Promise<void> {
  for (const resource of [`${sort}admissionpolicybindings`, `${sort}admissionpolicies`])
    await twin.prepare({ method: 'DELETE', path: `${root}/${resource}/${name}` });
  await twin.prepare({ method: 'DELETE', path: `${maps}/${name}` });
}
