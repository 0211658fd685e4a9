import { eventually } from '../../../lib/eventually.ts';
import type { Side, Twin } from '../twin.ts';

/**
 * What every cluster starts with, role by role and binding by binding; then what each of their subjects may do with
 * each resource and path that is served, asked one by one.
 */
export async function roles(twin: Twin): Promise<void> {
  for (const resource of ['clusterroles', 'clusterrolebindings', 'roles', 'rolebindings']) {
    const lists = await twin.prepare({ path: `${group}/${resource}` });
    twin.compareValues(
      `names of ${resource}`,
      ...both(lists, ({ json }) => json.items.filter(isDefault).map(nameOf).sort()),
    );
    const [kubernetes, skypod] = both(lists, ({ json }) => json.items.filter(isDefault) as any[]);
    for (const theirs of kubernetes) {
      const ours = skypod.find((one) => nameOf(one) === nameOf(theirs));
      if (ours === undefined) continue;
      // Nobody aggregates where only kube-apiserver runs: its parts say what that would come to.
      const whole =
        theirs.aggregationRule === undefined ? theirs : { ...theirs, rules: aggregated(theirs, kubernetes) };
      twin.compareValues(`${resource} ${nameOf(theirs)}`, stable(whole), stable(ours));
    }
    twin.note(resource, lists, ({ json }) => json.items.filter(isDefault));
  }
  await aggregate(twin);
  const subjects = [...boundSubjects(twin.kubernetes), ...(await bindUnbound(twin))];
  const asks = await everyAccess(twin);
  for (const subject of subjects) await compareDecisions(twin, subject, asks);
}

const group = '/apis/rbac.authorization.k8s.io/v1';
const DEFAULTS = 'kubernetes.io/bootstrapping';
type Subject = { label: string; user?: string; groups?: string[] };
type Access = { shown: string; spec: object };

const isDefault = ({ metadata }: any) => metadata.labels?.[DEFAULTS] === 'rbac-defaults';
const nameOf = ({ metadata }: any) => (metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name);
const both = <T>({ kubernetes, skypod }: { kubernetes: any; skypod: any }, pick: (answer: any) => T): [T, T] => [
  pick(kubernetes),
  pick(skypod),
];

function stable({ metadata, ...object }: any): unknown {
  const { labels, annotations, name, namespace } = metadata;
  return { ...object, metadata: { labels, annotations, name, namespace } };
}

/** As the aggregation controller puts rules together. */
function aggregated(role: any, all: any[]): any[] {
  const rules = new Map<string, any>();
  for (const { matchLabels } of role.aggregationRule.clusterRoleSelectors) {
    const parts = all.filter(({ metadata }) =>
      Object.entries(matchLabels).every(([key, value]) => metadata.labels?.[key] === value),
    );
    for (const part of parts.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))) {
      const held = part.aggregationRule === undefined ? part.rules : aggregated(part, all);
      for (const rule of held ?? []) rules.set(JSON.stringify(rule), rule);
    }
  }
  return [...rules.values()];
}

/** kube-apiserver gets what its controller would write; Skypod has it. */
async function aggregate(twin: Twin): Promise<void> {
  const all: any[] = twin.kubernetes.notes['clusterroles'];
  for (const role of all.filter(({ aggregationRule }) => aggregationRule !== undefined)) {
    const answer = await twin.kubernetes.client.send({
      method: 'PATCH',
      path: `${group}/clusterroles/${role.metadata.name}`,
      type: 'application/merge-patch+json',
      body: { rules: aggregated(role, all) },
    });
    if (answer.status !== 200) throw new Error(`${role.metadata.name} cannot be aggregated: ${answer.text}`);
  }
}

/** Whom upstream's default bindings name, and two that no role reaches. */
function boundSubjects({ notes }: Side): Subject[] {
  const found = new Map<string, Subject>([
    ['nobody', { label: 'nobody', user: 'nobody' }],
    ['node', { label: 'a node', user: 'system:node:none', groups: ['system:nodes'] }],
  ]);
  for (const { subjects = [] } of [...notes['clusterrolebindings'], ...notes['rolebindings']]) {
    for (const { kind, name, namespace } of subjects) {
      const label = kind === 'ServiceAccount' ? `system:serviceaccount:${namespace}:${name}` : name;
      found.set(label, kind === 'Group' ? { label, groups: [name] } : { label, user: label });
    }
  }
  return [...found.values()];
}

/** A group of its own for each role that nobody has. */
async function bindUnbound(twin: Twin): Promise<Subject[]> {
  const { notes } = twin.kubernetes;
  const bound = new Set(notes['clusterrolebindings'].map(({ roleRef, subjects }: any) => subjects && roleRef.name));
  const unbound: string[] = notes['clusterroles'].map(nameOf).filter((name: string) => !bound.has(name));
  const subjects = unbound.map((name) => ({ label: `who is ${name}`, groups: [`${name}-${twin.run}`] }));
  for (const [index, name] of unbound.entries()) {
    await twin.prepare({
      method: 'POST',
      path: `${group}/clusterrolebindings`,
      body: {
        metadata: { name: `${name}-${twin.run}` },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: subjects[index]!.groups[0] }],
      },
    });
  }
  const spec = { resourceAttributes: { verb: 'get', resource: 'pods' }, groups: subjects.at(-1)!.groups };
  // kube-apiserver hears of bindings a moment later.
  await eventually('the last binding is heard of', async () =>
    (await decide(twin.kubernetes, spec)).startsWith('true'),
  );
  return subjects;
}

const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'];
/** Verbs that mean something for one resource alone. */
const ownVerbs: Record<string, string[]> = {
  'clusterroles.rbac.authorization.k8s.io': ['bind', 'escalate'],
  'roles.rbac.authorization.k8s.io': ['bind', 'escalate'],
  serviceaccounts: ['impersonate'],
  users: ['impersonate'],
  groups: ['impersonate'],
  'uids.authentication.k8s.io': ['impersonate'],
  'userextras/scopes.authentication.k8s.io': ['impersonate'],
  'clustertrustbundles.certificates.k8s.io': ['attest'],
  nodes: ['proxy'],
};
const signers = [
  'kubernetes.io/kube-apiserver-client',
  'kubernetes.io/kube-apiserver-client-kubelet',
  'kubernetes.io/kubelet-serving',
  'kubernetes.io/legacy-unknown',
  'example.com/own',
];
const paths = [
  '/',
  '/api',
  '/api/v1',
  '/apis',
  '/apis/apps',
  '/openapi/v2',
  '/openapi/v3/api/v1',
  '/version',
  '/version/',
  '/healthz',
  '/healthz/ping',
  '/livez',
  '/livez/ping',
  '/readyz',
  '/readyz/ping',
  '/metrics',
  '/metrics/slis',
  '/flagz',
  '/statusz',
  '/debug/pprof/',
  '/logs/',
  '/.well-known/openid-configuration',
  '/openid/v1/jwks',
  '/nothing',
];

/** Every verb on every resource and subresource that kube-apiserver serves, and on paths. */
async function everyAccess(twin: Twin): Promise<Access[]> {
  const { json: core } = await twin.kubernetes.client.send({ path: '/api/v1' });
  const { json: groups } = await twin.kubernetes.client.send({ path: '/apis' });
  const lists = [{ group: '', list: core }];
  for (const { name, preferredVersion } of groups.groups) {
    const { json } = await twin.kubernetes.client.send({ path: `/apis/${preferredVersion.groupVersion}` });
    lists.push({ group: name, list: json });
  }
  const found = new Map<string, Access>();
  const add = (verb: string, qualified: string, namespace: string, name = '') => {
    const [whole, ...rest] = qualified.split('.') as [string, ...string[]];
    const [resource, subresource = ''] = whole.split('/') as [string, string?];
    const shown = `${verb} ${qualified}${name && ` ${name}`}${namespace && ` in ${namespace}`}`;
    const attributes = { verb, group: rest.join('.'), version: '*', resource, subresource, namespace, name };
    found.set(shown, { shown, spec: { resourceAttributes: attributes } });
  };
  for (const { group: apiGroup, list } of lists) {
    for (const { name, namespaced } of list.resources) {
      const qualified = apiGroup === '' ? name : `${name}.${apiGroup}`;
      for (const verb of verbs) add(verb, qualified, namespaced ? 'kube-system' : '');
    }
  }
  for (const [qualified, list] of Object.entries(ownVerbs)) for (const verb of list) add(verb, qualified, '');
  for (const name of signers)
    for (const verb of ['approve', 'sign']) add(verb, 'signers.certificates.k8s.io', '', name);
  for (const name of ['kube-scheduler', 'kube-controller-manager', 'other']) {
    for (const verb of ['get', 'update', 'create']) add(verb, 'leases.coordination.k8s.io', 'kube-system', name);
  }
  for (const name of ['extension-apiserver-authentication', 'cluster-info', 'other']) {
    for (const namespace of ['kube-system', 'kube-public']) add('get', 'configmaps', namespace, name);
  }
  for (const namespace of ['kube-public', 'default']) {
    for (const verb of verbs) for (const name of ['configmaps', 'secrets', 'pods']) add(verb, name, namespace);
  }
  for (const path of paths) {
    for (const verb of ['get', 'post']) {
      found.set(`${verb} ${path}`, { shown: `${verb} ${path}`, spec: { nonResourceAttributes: { path, verb } } });
    }
  }
  return [...found.values()];
}

/** What a review says in short: whether, and why. */
async function decide(side: Side, spec: object): Promise<string> {
  const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
  const { json, text } = await side.client.send({ method: 'POST', path, body: { spec } });
  const { allowed, denied, evaluationError } = json?.status ?? {};
  return allowed === undefined ? text : `${allowed} ${denied ?? ''} ${evaluationError ?? ''}`.trim();
}

const atOnce = 24;

async function compareDecisions(twin: Twin, { label, user, groups }: Subject, asks: Access[]): Promise<void> {
  const whom = { ...(user !== undefined && { user }), ...(groups !== undefined && { groups }) };
  const [kubernetes, skypod] = await Promise.all(
    twin.sides.map(async (side) => {
      const left = asks[Symbol.iterator]();
      const decisions: Record<string, string> = {};
      const worker = async () => {
        for (const { shown, spec } of left) decisions[shown] = await decide(side, { ...spec, ...whom });
      };
      await Promise.all(Array.from({ length: atOnce }, worker));
      return decisions;
    }),
  );
  twin.compareValues(`what ${label} may do`, kubernetes, skypod);
}
