import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelSelectorMatches } from '../snapshot/selector.ts';
import { placedPodOf, TenantSnapshot } from '../snapshot/tenant-snapshot.ts';
import { deviceClaims } from './device-claims.ts';
import { interPodAffinity } from './inter-pod-affinity.ts';
import { nodeAffinity } from './node-affinity.ts';
import { nodeResources } from './node-resources.ts';
import { nodeUnschedulable } from './node-unschedulable.ts';
import { taintToleration, tolerates } from './taint-toleration.ts';
import { topologySpread } from './topology-spread.ts';
import type { PodFilter, PodView } from './types.ts';
import { volumeClaims } from './volume-claims.ts';

const ZONE = 'topology.kubernetes.io/zone';

const pod = (spec: object = {}, labels: Record<string, string> = {}, namespace = 'shop'): any => ({
  metadata: { name: 'p', namespace, uid: `u${Math.random()}`, labels },
  spec: { containers: [{ name: 'main' }], ...spec },
});

interface NodeFacts {
  spec?: object;
  labels?: Record<string, string>;
  allocatable?: Record<string, string>;
}

/** Nodes a, b, c, each a zone of its own unless said otherwise. */
function world(nodes: Record<string, NodeFacts> = { a: {}, b: {}, c: {} }): PodView {
  const snapshot = new TenantSnapshot();
  for (const [name, facts] of Object.entries(nodes)) {
    snapshot.setNode({
      metadata: { name, labels: { [ZONE]: name, ...facts.labels } },
      spec: facts.spec ?? {},
      status: facts.allocatable === undefined ? {} : { allocatable: facts.allocatable },
    } as any);
  }
  const namespaces: Record<string, Record<string, string>> = { shop: { team: 'x' }, lab: { team: 'y' } };
  return {
    snapshot,
    namespacesMatching: (selector) =>
      Object.keys(namespaces).filter((name) => labelSelectorMatches(selector, namespaces[name]!)),
    claimState: (_namespace, name) => (['bound', 'unbound', 'deleting'] as const).find((state) => state === name),
    deviceClaimState: (_namespace, name) =>
      (['allocated', 'unallocated', 'deleting'] as const).find((state) => state === name),
  };
}

function place(view: PodView, nodeName: string, labels: Record<string, string>, spec: object = {}, namespace?: string) {
  const placed = placedPodOf(pod(spec, labels, namespace), nodeName);
  view.snapshot.setPod(placed);
  return placed;
}

/** Nodes that pass, or the one reason for all. */
function run(filter: PodFilter, subject: any, view: PodView): string[] | string {
  const check = filter.prepare(subject, view);
  if (typeof check === 'string') return check;
  return view.snapshot.targets.filter((target) => check?.(target) === undefined).map(({ name }) => name);
}

test('node selector and required node affinity', () => {
  const view = world({ a: { labels: { cpu: '4' } }, b: { labels: { cpu: '16', disk: 'ssd' } }, c: {} });
  const affinity = (...terms: object[]) => ({
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } },
  });
  const expression = (key: string, operator: string, ...values: string[]) => ({
    matchExpressions: [{ key, operator, values }],
  });
  const cases: [object, string[]][] = [
    [{}, ['a', 'b', 'c']],
    [{ nodeSelector: { disk: 'ssd' } }, ['b']],
    [affinity(expression('cpu', 'Gt', '4')), ['b']],
    [affinity(expression('cpu', 'Lt', '5')), ['a']],
    [affinity(expression('disk', 'DoesNotExist')), ['a', 'c']],
    [affinity(expression('disk', 'NotIn', 'ssd')), ['a', 'c']],
    [affinity(expression('disk', 'Exists'), expression('cpu', 'In', '4', '5')), ['a', 'b']],
    [affinity({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['c'] }] }), ['c']],
    [affinity({}), []],
    [{ ...affinity(expression('cpu', 'Exists')), nodeSelector: { disk: 'ssd' } }, ['b']],
  ];
  for (const [spec, expected] of cases) assert.deepEqual(run(nodeAffinity, pod(spec), view), expected);
});

test('taints, tolerations and cordoned nodes', () => {
  const taint = { key: 'k', value: 'v', effect: 'NoSchedule' };
  assert.ok(tolerates({ operator: 'Exists' }, taint));
  assert.ok(tolerates({ key: 'k', value: 'v' }, taint));
  assert.ok(tolerates({ key: 'k', operator: 'Exists', effect: 'NoSchedule' }, taint));
  assert.ok(!tolerates({ key: 'k', value: 'w' }, taint));
  assert.ok(!tolerates({ key: 'k', operator: 'Exists', effect: 'NoExecute' }, taint));
  const view = world({
    a: { spec: { taints: [taint] } },
    b: { spec: { taints: [{ ...taint, effect: 'PreferNoSchedule' }] } },
    c: { spec: { unschedulable: true, taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] } },
  });
  assert.deepEqual(run(taintToleration, pod(), view), ['b']);
  assert.deepEqual(run(taintToleration, pod({ tolerations: [{ key: 'k', value: 'v' }] }), view), ['a', 'b']);
  assert.deepEqual(run(nodeUnschedulable, pod(), view), ['a', 'b']);
  assert.deepEqual(run(nodeUnschedulable, pod({ tolerations: [{ operator: 'Exists' }] }), view), ['a', 'b', 'c']);
});

test('a node that is limited after all takes no more than it has', () => {
  const view = world({ a: { allocatable: { cpu: '1', memory: '1Gi', pods: '2' } }, b: {} });
  const asking = (cpu: string) => pod({ containers: [{ name: 'main', resources: { requests: { cpu } } }] });
  assert.deepEqual(run(nodeResources, asking('1'), view), ['a', 'b']);
  const first = place(view, 'a', {}, asking('600m').spec);
  assert.deepEqual(run(nodeResources, asking('500m'), view), ['b']);
  assert.deepEqual(run(nodeResources, asking('400m'), view), ['a', 'b']);
  place(view, 'a', {});
  const [target] = view.snapshot.targets;
  const verdict = nodeResources.prepare(asking('2'), view) as any;
  assert.deepEqual(verdict(target), { reasons: ['Too many pods', 'Insufficient cpu'], resolvable: false });
  view.snapshot.removePod(first.uid);
  assert.deepEqual(run(nodeResources, asking('1'), view), ['a', 'b']);
});

test('pod affinity: with the matching pods, or the first of its kind anywhere', () => {
  const view = world();
  const near = (labels: object, more: object = {}) => ({
    affinity: {
      podAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: ZONE, labelSelector: { matchLabels: labels }, ...more },
        ],
      },
    },
  });
  assert.deepEqual(run(interPodAffinity, pod(near({ app: 'db' }), { app: 'web' }), view), []);
  assert.deepEqual(run(interPodAffinity, pod(near({ app: 'db' }), { app: 'db' }), view), ['a', 'b', 'c']);
  const db = place(view, 'b', { app: 'db' });
  assert.deepEqual(run(interPodAffinity, pod(near({ app: 'db' }), { app: 'db' }), view), ['b']);
  assert.deepEqual(run(interPodAffinity, pod(near({ app: 'db' }), {}, 'lab'), view), []);
  assert.deepEqual(run(interPodAffinity, pod(near({ app: 'db' }, { namespaces: ['shop'] }), {}, 'lab'), view), ['b']);
  const byTeam = { namespaceSelector: { matchLabels: { team: 'x' } } };
  assert.deepEqual(run(interPodAffinity, pod(near({ app: 'db' }, byTeam), {}, 'lab'), view), ['b']);
  view.snapshot.removePod(db.uid);
  assert.deepEqual(run(interPodAffinity, pod(near({ app: 'db' })), view), []);
});

test('pod anti-affinity counts both ways', () => {
  const view = world();
  const far = {
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: ZONE, labelSelector: { matchLabels: { app: 'db' } } },
        ],
      },
    },
  };
  place(view, 'a', { app: 'db' });
  assert.deepEqual(run(interPodAffinity, pod(far), view), ['b', 'c']);
  place(view, 'b', { app: 'hermit' }, far);
  assert.deepEqual(run(interPodAffinity, pod({}, { app: 'db' }), view), ['a', 'c']);
  assert.deepEqual(run(interPodAffinity, pod({}, { app: 'db' }, 'lab'), view), ['a', 'b', 'c']);
});

test('topology spread: skew over the domains the pod may go to', () => {
  const view = world({ a: {}, b: {}, c: { labels: { disk: 'ssd' } } });
  const spread = (more: object = {}, rest: object = {}) =>
    pod(
      {
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: ZONE,
            whenUnsatisfiable: 'DoNotSchedule',
            labelSelector: { matchLabels: { app: 'web' } },
            ...more,
          },
        ],
        ...rest,
      },
      { app: 'web', hash: 'new' },
    );
  place(view, 'a', { app: 'web', hash: 'old' });
  assert.deepEqual(run(topologySpread, spread(), view), ['b', 'c']);
  assert.deepEqual(run(topologySpread, spread({ maxSkew: 2 }), view), ['a', 'b', 'c']);
  assert.deepEqual(run(topologySpread, spread({ matchLabelKeys: ['hash'] }), view), ['a', 'b', 'c']);
  assert.deepEqual(run(topologySpread, spread({ topologyKey: 'disk' }), view), ['c']);
  place(view, 'b', { app: 'web' });
  // Only a and b count when the pod cannot go to c: they are level.
  const notC = {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'disk', operator: 'DoesNotExist' }] }],
        },
      },
    },
  };
  assert.deepEqual(run(topologySpread, spread(), view), ['c']);
  assert.deepEqual(run(topologySpread, spread({}, notC), view), ['a', 'b', 'c']);
  assert.deepEqual(run(topologySpread, spread({ nodeAffinityPolicy: 'Ignore' }, notC), view), ['c']);
  // Fewer domains than asked for: the lowest count is taken as none.
  assert.deepEqual(run(topologySpread, spread({ minDomains: 4 }), view), ['c']);
});

test('a pod waits for its claims', () => {
  const claims = (name: string) => pod({ volumes: [{ name: 'v', persistentVolumeClaim: { claimName: name } }] });
  assert.deepEqual(run(volumeClaims, claims('bound'), world()), ['a', 'b', 'c']);
  assert.equal(run(volumeClaims, claims('unbound'), world()), 'pod has unbound immediate PersistentVolumeClaims');
  assert.equal(run(volumeClaims, claims('deleting'), world()), 'persistentvolumeclaim "deleting" is being deleted');
  assert.equal(run(volumeClaims, claims('gone'), world()), 'persistentvolumeclaim "gone" not found');
});

test('counts follow pods as they come, change and go', () => {
  const view = world();
  const selector = { matchLabels: { app: 'web' } };
  const placed = place(view, 'a', { app: 'web' });
  const counts = view.snapshot.matches(['shop'], selector);
  assert.equal(counts.total, 1);
  view.snapshot.setPod({ ...placed, labels: { app: 'other' } });
  assert.equal(counts.total, 0);
  view.snapshot.setPod({ ...placed, terminating: true });
  assert.deepEqual([counts.all.get('a'), counts.live.get('a')], [1, undefined]);
  view.snapshot.removePod(placed.uid);
  assert.equal(counts.total, 0);
});

test('a pod that claims devices waits for them', () => {
  const view = world({ a: {} });
  const why = (claim: object, statuses?: object[]) => {
    const claiming = pod({ resourceClaims: [{ name: 'gpu', ...claim }] });
    const verdict = deviceClaims.prepare({ ...claiming, status: { resourceClaimStatuses: statuses } } as any, view);
    return typeof verdict === 'function' ? verdict(view.snapshot.targets[0]!)?.reasons[0] : verdict;
  };
  assert.equal(deviceClaims.prepare(pod(), view), undefined);
  assert.match(why({ resourceClaimTemplateName: 't' })!, /: ResourceClaim not created yet$/);
  assert.equal(why({ resourceClaimTemplateName: 't' }, [{ name: 'gpu' }]), undefined, 'none was needed');
  assert.equal(why({ resourceClaimName: 'none' }), 'resourceclaim.resource.k8s.io "none" not found');
  assert.equal(why({ resourceClaimName: 'deleting' }), 'resourceclaim "deleting" is being deleted');
  assert.equal(why({ resourceClaimName: 'unallocated' }), 'cannot allocate all claims');
  const made = [{ name: 'gpu', resourceClaimName: 'allocated' }];
  assert.equal(why({ resourceClaimTemplateName: 't' }, made), 'resourceclaim not available on the node');
});

test('of very many less important pods preemption looks at the least important alone', () => {
  const view = world({ a: {} });
  const { snapshot } = view;
  const placed = place(view, 'a', {});
  snapshot.removePod(placed.uid);
  for (let index = 0; index < 3000; index++)
    snapshot.setPod({ ...placed, uid: `u${index}`, priority: index % 10, since: index });
  assert.equal(snapshot.lowerOn('a', 5).length, 1500);
  for (let index = 0; index < 99; index++) snapshot.matches(['shop'], { matchLabels: { app: `${index}` } });
  const few = snapshot.lowerOn('a', 5);
  assert.equal(few.length, 500);
  assert.ok(few.every(({ priority }) => priority <= 1));
});
