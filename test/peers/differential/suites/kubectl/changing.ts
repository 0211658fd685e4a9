import type { Kubectl } from './runner.ts';

const deployment = (more: string, name = 'web') => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, labels: {app: ${name}, group: g}}
spec:
  ${more}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      containers: [{name: main, image: "x:1", ports: [{containerPort: 80}], env: [{name: A, value: b}]}, {name: side, image: "y:1"}]
`;
const service = `
apiVersion: v1
kind: Service
metadata: {name: web, labels: {group: g}}
spec: {selector: {app: web}, ports: [{port: 80}]}
`;
const map = (data: string, more = '') => `
apiVersion: v1
kind: ConfigMap
metadata: {name: conf, labels: {group: g}${more}}
data: {${data}}
`;

/** apply in all its forms, diff, prune, patches, set, label, scale, rollouts, replace and delete. */
export async function changing(kubectl: Kubectl): Promise<void> {
  const apply = (input: string, more = '') => kubectl.run(`apply -f -${more === '' ? '' : ` ${more}`}`, { input });
  await kubectl.run('diff -f -', { input: deployment('replicas: 1'), replace: diffNames });
  await apply(`${deployment('replicas: 1')}---${service}---${map('a: b')}`);
  await apply(`${deployment('replicas: 1')}---${service}---${map('a: b')}`);
  await kubectl.run('diff -f -', { input: `${deployment('replicas: 3')}---${map('a: c, d: e')}`, replace: diffNames });
  await kubectl.run('diff --server-side -f -', { input: map('a: c, d: e'), replace: diffNames });
  await kubectl.run('diff --server-side --force-conflicts -f -', { input: map('a: c, d: e'), replace: diffNames });
  await apply(deployment('replicas: 2'), '--dry-run=server');
  await apply(deployment('replicas: 2'), '--dry-run=server -o yaml');
  await apply(deployment('replicas: 2'), '--dry-run=client -o yaml');
  await apply(deployment('replicas: 2'), '-o yaml');
  await apply(deployment('replicas: two'));
  await apply(deployment('replicas: 2\n  other: 1'));
  await apply(deployment('replicas: 2\n  other: 1'), '--validate=warn');
  await apply(deployment('replicas: 2\n  other: 1'), '--validate=ignore');
  await apply(deployment('replicas: 2\n  replicas: 3'));
  await apply(deployment('replicas: 2\n  replicas: 3'), '--validate=strict');
  await apply(deployment('paused: true').replaceAll('matchLabels: {app: web}', 'matchLabels: {app: web2}'));
  await apply(map('a: z').replace('conf', 'conf').replace('metadata:', 'metadata:\n ').replace('\n  {', ' {'));
  await apply(map('a: 1'));
  await apply('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: missing}\n');
  await apply('apiVersion: v1\nkind: Thing\nmetadata: {name: x}\n');
  await apply('apiVersion: v9\nkind: ConfigMap\nmetadata: {name: x}\n');
  await apply('kind: ConfigMap\nmetadata: {name: x}\n');
  await apply('not an object');
  await apply('');
  await apply(map('a: b'), '--server-side');
  await kubectl.run('get cm conf -o yaml --show-managed-fields');
  await apply(map('a: c'), '--server-side --field-manager=other');
  await apply(map('a: c'), '--server-side --field-manager=other --force-conflicts');
  await apply(map('a: d'), '--server-side');
  await apply(map('a: d'));
  await kubectl.run('get cm conf -o yaml --show-managed-fields');
  await apply(deployment('replicas: 5'), '--server-side');
  await apply(deployment('replicas: 5'), '--server-side --dry-run=server --field-manager=third');
  await kubectl.run('get deployment web -o yaml --show-managed-fields');
  await kubectl.run('apply view-last-applied deployment/web');
  await kubectl.run('apply set-last-applied -f -', { input: deployment('replicas: 7') });
  await kubectl.run('apply set-last-applied --create-annotation -f -', { input: service });
  await apply(`${map('a: d')}`, '--prune -l group=g --dry-run=server');
  await apply(
    `${map('a: d')}`,
    '--prune -l group=g --prune-allowlist=core/v1/Service --prune-allowlist=core/v1/ConfigMap',
  );
  await apply(`${map('a: d')}`, '--prune --all --prune-allowlist=core/v1/Nothing');
  await apply(service);
  for (const [type, patch] of [
    ['strategic', '{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"x:2"}]}}}}'],
    ['strategic', '{"spec":{"template":{"spec":{"containers":[{"image":"x:2"}]}}}}'],
    ['strategic', '{"spec":{"nothing":{"a":1}}}'],
    ['strategic', '{"spec":{"nothing":1}}'],
    ['merge', '{"spec":{"replicas":4}}'],
    ['merge', '{"spec":{"replicas":4}}'],
    ['json', '[{"op":"replace","path":"/spec/replicas","value":5}]'],
    ['json', '[{"op":"test","path":"/spec/replicas","value":9}]'],
    ['json', '[{"op":"remove","path":"/spec/nothing"}]'],
    ['merge', '{"spec":'],
    ['merge', '{"spec":{"replicas":"x"}}'],
    ['merge', '{"spec":{"nothing":1}}'],
  ] as const)
    await kubectl.runWords(['patch', 'deployment', 'web', `--type=${type}`, '-p', patch]);
  await kubectl.runWords([
    'patch',
    'deployment',
    'web',
    '--subresource=scale',
    '--type=merge',
    '-p',
    '{"spec":{"replicas":2}}',
  ]);
  await kubectl.runWords([
    'patch',
    'deployment',
    'web',
    '--subresource=status',
    '--type=merge',
    '-p',
    '{"status":{"replicas":2,"observedGeneration":1}}',
  ]);
  await kubectl.runWords(['patch', 'deployment', 'web', '--subresource=other', '--type=merge', '-p', '{}']);
  await kubectl.runWords(['patch', 'deployment', 'none', '-p', '{}']);
  for (const line of [
    'get deployment web --subresource=scale',
    'get deployment web --subresource=status',
    'get deployment web --subresource=scale -o yaml',
    'get pods --subresource=resize',
    'label deployment web a=b',
    'label deployment web a=c',
    'label deployment web a=c --overwrite',
    'label deployment web a-',
    'label deployment web none-',
    'label deployment web bad_=',
    'label deployment --all x=y --dry-run=server',
    'label deployment web --list',
    'label deployment web a=b --resource-version=1',
    'annotate deployment web a=b',
    'annotate deployment web a=c',
    'annotate deployment web a-',
    'annotate service,cm -l group=g x=y',
    'scale deployment web --replicas=3',
    'scale deployment web --replicas=3 --current-replicas=9',
    'scale deployment none --replicas=3',
    'scale service web --replicas=3',
    'scale deployment web --replicas=-1',
    'scale --replicas=2 deployment/web deployment/d',
    'set image deployment/web main=z:1',
    'set image deployment/web none=z:1',
    'set image deployment/web *=z:2 --dry-run=server',
    'set env deployment/web C=D A-',
    'set env deployment/web --list',
    'set env deployment/web --from=configmap/conf',
    'set env deployment/web --from=secret/none',
    'set resources deployment web --limits=cpu=200m,memory=512Mi --requests=cpu=100m',
    'set resources deployment web --limits=cpu=x',
    'set resources deployment web --limits=cpu=1m --requests=cpu=100m',
    'set selector service web app=other',
    'set serviceaccount deployment web sa',
    'set subject rolebinding rb --user=new',
    'set subject clusterrolebinding none --user=new',
    'rollout status deployment/web --watch=false',
    'rollout history deployment/web',
    'rollout history deployment/web --revision=9',
    'rollout undo deployment/web',
    'rollout pause deployment/web',
    'rollout pause deployment/web',
    'rollout restart deployment/web',
    'rollout resume deployment/web',
    'rollout resume deployment/web',
    'rollout status service/web',
    'rollout restart configmap/conf',
    'wait --for=condition=Available deployment/web --timeout=1s',
    'wait --for=delete deployment/none --timeout=1s',
    'wait --for=jsonpath={.spec.replicas}=2 deployment/web --timeout=2s',
    'wait --for=create cm/conf --timeout=1s',
    'wait --for=condition=x cm/none --timeout=1s',
  ])
    await kubectl.run(line, { replace: restarted, sorted: line.endsWith('--list') });
  const now = { replace: restarted };
  await kubectl.run('replace -f -', { input: map('r: s'), ...now });
  await kubectl.run('replace -f -', { input: map('r: s').replace('conf', 'none'), ...now });
  await kubectl.run('replace --force -f -', { input: map('r: t'), ...now });
  await kubectl.run('replace --force -f -', { input: map('r: t').replace('conf', 'fresh'), ...now });
  await kubectl.run('replace -f -', { input: map('r: s', ', resourceVersion: "1"'), ...now });
  await kubectl.run('create -f -', { input: map('r: t'), ...now });
  await kubectl.run('create -f - --edit=false --save-config', { input: map('r: t').replace('conf', 'saved'), ...now });
  for (const line of [
    'get cm saved -o yaml',
    'delete cm saved --dry-run=server',
    'delete cm saved --dry-run=client',
    'delete cm saved --cascade=foreground --wait=false',
    'get cm saved -o jsonpath={.metadata.finalizers}',
    'patch cm saved --type=merge -p {"metadata":{"finalizers":null}}',
    'delete cm saved --ignore-not-found',
    'delete cm saved',
    'delete cm fresh --cascade=orphan --wait=false',
    'delete cm fresh --cascade=other',
    'delete pod p --grace-period=0',
    'delete pod q --now',
    'delete pod e --force --grace-period=0',
    'delete deployment d two -o name',
    'delete cm -l none=none',
    'delete cm --all --dry-run=server',
    'delete cm --field-selector=metadata.name=conf',
    'delete cm --field-selector=data.a=b',
    'delete thing x',
    'delete deployment/web service/web cm/none',
    'delete --raw /api/v1/namespaces/NS/configmaps/hashless',
  ])
    await kubectl.run(line.replace('NS', kubectl.namespace), { sorted: true });
}

const diffNames: [RegExp, string][] = [
  [/LIVE-\d+/g, 'LIVE'],
  [/MERGED-\d+/g, 'MERGED'],
  [/(---|\+\+\+) (\S+)\t.*/g, '$1 $2'],
];
const restarted: [RegExp, string][] = [[/restartedAt: .*/g, 'restartedAt: <time>']];
