import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../lib/eventually.ts';
import { runCommand } from '../lib/run-command.ts';
import { type Skypod, startSkypod } from '../lib/skypod.ts';

/** The whole path without processes: what a laptop without root shows. */
describe('skypod up --runtime simulated', () => {
  let skypod: Skypod;
  before(async () => {
    skypod = await startSkypod({ runtime: 'simulated', zones: ['zone-a', 'zone-b'] });
  });
  after(async () => {
    await skypod?.destroy();
  });

  it('shows one virtual node a zone', async () => {
    const nodes = await skypod.kubectl.json('get', 'nodes');
    assert.deepEqual(nodes.items.map((node: any) => node.metadata.labels['topology.kubernetes.io/zone']).sort(), [
      'zone-a',
      'zone-b',
    ]);
    for (const node of nodes.items) {
      assert.match(node.status.nodeInfo.kubeletVersion, /^v1\.36\.\d+\+skypod$/);
      assert.ok(Number(node.status.capacity.pods) >= 100_000, `capacity of pods: ${node.status.capacity.pods}`);
    }
    const table = await skypod.kubectl('get', 'nodes');
    assert.match(table, /^NAME +STATUS +ROLES +AGE +VERSION\n/);
    assert.match(table, / Ready +\S*[a-z]\S* +\S+ +v1\.36\.\d+\+skypod/);
  });

  it('runs a deployment through create, scale, update, undo and delete', async () => {
    const { kubectl } = skypod;
    assert.equal(
      await kubectl('create', 'deployment', 'web', '--image=example.test/web:1', '--replicas=3'),
      'deployment.apps/web created\n',
    );
    assert.match(await kubectl('rollout', 'status', 'deployment/web'), /deployment "web" successfully rolled out/);
    assert.match(
      await kubectl('get', 'deployment', 'web'),
      /NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +3\/3 +3 +3 /,
    );
    assert.match(await kubectl('scale', 'deployment/web', '--replicas=5'), /scaled/);
    await eventually(
      'five are ready',
      async () => (await kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.status.readyReplicas}')) === '5',
    );
    await kubectl('set', 'image', 'deployment/web', 'web=example.test/web:2');
    await kubectl('rollout', 'status', 'deployment/web');
    // Pods of the old revision are still Running while they terminate.
    await eventually('only pods of the new image are left', async () => {
      const { items } = await kubectl.json('get', 'pods', '-l', 'app=web');
      return items.length === 5 && items.every(({ spec }: any) => spec.containers[0].image === 'example.test/web:2');
    });
    assert.match(await kubectl('rollout', 'history', 'deployment/web'), /1 .*\n2 /);
    await kubectl('rollout', 'undo', 'deployment/web');
    await kubectl('rollout', 'status', 'deployment/web');
    assert.equal(
      await kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.spec.template.spec.containers[0].image}'),
      'example.test/web:1',
    );
    await kubectl('delete', 'deployment', 'web');
    await eventually(
      'all pods of the deployment are gone',
      async () => (await kubectl('get', 'pods', '-l', 'app=web', '-o', 'name')) === '',
    );
  });

  it('tells true events in describe', async () => {
    const { kubectl } = skypod;
    await kubectl('run', 'told', '--image=example.test/told:1');
    await kubectl('wait', '--for=condition=Ready', 'pod/told', '--timeout=120s');
    const text = await eventually('describe shows Started', async () => {
      const description = await kubectl('describe', 'pod', 'told');
      return description.includes('Started') && description;
    });
    assert.match(text, /Normal +Scheduled +\S+ +default-scheduler +Successfully assigned default\/told to /);
    assert.match(text, /Node: +\S*zone-[ab]/);
    await kubectl('delete', 'pod', 'told', '--now');
  });

  it('says in Kubernetes words why a pod cannot be scheduled', async () => {
    const { kubectl } = skypod;
    const overrides = JSON.stringify({ apiVersion: 'v1', spec: { nodeSelector: { nowhere: 'true' } } });
    await kubectl('run', 'nowhere', '--image=example.test/x', `--overrides=${overrides}`);
    const condition = await eventually('the pod is told unschedulable', async () => {
      const pod = await kubectl.json('get', 'pod', 'nowhere');
      return pod.status.conditions?.find((entry: any) => entry.type === 'PodScheduled' && entry.status === 'False');
    });
    assert.equal(condition.reason, 'Unschedulable');
    assert.match(
      condition.message,
      /^0\/2 nodes are available: 2 node\(s\) didn't match Pod's node affinity\/selector\./,
    );
    assert.match(
      await kubectl('describe', 'pod', 'nowhere'),
      /Warning +FailedScheduling +\S+ +default-scheduler +0\/2 nodes are available/,
    );
    await kubectl('delete', 'pod', 'nowhere');
  });

  it('ends a namespace with everything in it', async () => {
    const { kubectl } = skypod;
    await kubectl('create', 'namespace', 'short');
    await kubectl('-n', 'short', 'create', 'deployment', 'a', '--image=example.test/a', '--replicas=2');
    await kubectl('-n', 'short', 'rollout', 'status', 'deployment/a');
    await kubectl('-n', 'short', 'create', 'configmap', 'c', '--from-literal=k=v');
    await kubectl('delete', 'namespace', 'short', '--timeout=120s');
    const gone = await kubectl.try('get', 'namespace', 'short');
    assert.match(gone.stderr, /Error from server \(NotFound\): namespaces "short" not found/);
  });

  it('apply, diff, label, annotate, patch and replace work as on any cluster', async () => {
    const { kubectl } = skypod;
    const manifest = (value: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: applied\ndata:\n  key: ${value}\n`;
    assert.match(await kubectl.input(manifest('one'), 'apply', '-f', '-'), /configmap\/applied created/);
    assert.match(await kubectl.input(manifest('one'), 'apply', '-f', '-'), /configmap\/applied unchanged/);
    const difference = await kubectl.tryInput(manifest('two'), 'diff', '-f', '-');
    assert.equal(difference.code, 1, difference.stderr);
    assert.match(difference.stdout, /-\s+key: one\n\+\s+key: two/);
    assert.match(await kubectl.input(manifest('two'), 'apply', '-f', '-'), /configmap\/applied configured/);
    await kubectl('label', 'configmap', 'applied', 'a=b');
    await kubectl('annotate', 'configmap', 'applied', 'c=d');
    await kubectl(
      'patch',
      'configmap',
      'applied',
      '--type=json',
      '-p',
      '[{"op":"replace","path":"/data/key","value":"three"}]',
    );
    assert.equal(await kubectl('get', 'cm', '-l', 'a=b', '-o', 'jsonpath={.items[0].data.key}'), 'three');
    await kubectl('delete', 'configmap', 'applied');
  });

  it('answers bad input with the right error and loses nothing', async () => {
    const { kubectl } = skypod;
    const cases: [string, string, RegExp][] = [
      ['an unknown field', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndat: {}\n', /unknown field "dat"/],
      [
        'a wrong type',
        '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"bad"},"spec":{"replicas":"many"}}',
        /cannot unmarshal string into Go struct field DeploymentSpec\.spec\.replicas of type int32/,
      ],
      [
        'missing required fields',
        '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"bad"},"spec":{}}',
        /spec\.containers: Required value/,
      ],
      [
        'a bad name',
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Bad_Name}\n',
        /metadata\.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of/,
      ],
      [
        'an unknown kind',
        'apiVersion: v1\nkind: Nothing\nmetadata: {name: bad}\n',
        /no matches for kind "Nothing" in version "v1"/,
      ],
    ];
    for (const [what, manifest, message] of cases) {
      // Old kubectls check types and required fields themselves unless told not to; the server's words are the test.
      const validate = what === 'an unknown field' ? '--validate=true' : '--validate=false';
      const result = await kubectl.tryInput(manifest, 'create', validate, '-f', '-');
      assert.notEqual(result.code, 0, what);
      assert.match(result.stderr, message, what);
    }
    await kubectl('create', 'configmap', 'stale', '--from-literal=a=1');
    const stale = await kubectl.json('get', 'configmap', 'stale');
    await kubectl('patch', 'configmap', 'stale', '-p', '{"data":{"a":"2"}}');
    const conflict = await kubectl.tryInput(JSON.stringify(stale), 'replace', '-f', '-');
    assert.match(conflict.stderr, /Operation cannot be fulfilled on configmaps "stale": the object has been modified/);
    assert.equal(await kubectl('get', 'configmap', 'stale', '-o', 'jsonpath={.data.a}'), '2');
  });

  it('keeps tenants apart', async () => {
    assert.match((await skypod.run('tenant', 'create', 'red')).stdout, /tenant red created/);
    assert.match((await skypod.run('tenant', 'create', 'blue')).stdout, /tenant blue created/);
    const red = skypod.kubectlOf('red');
    const blue = skypod.kubectlOf('blue');
    for (const [kubectl, value] of [
      [red, 'red'],
      [blue, 'blue'],
    ] as const) {
      await kubectl('create', 'configmap', 'same', `--from-literal=who=${value}`);
      await kubectl('create', 'deployment', 'same', `--image=example.test/${value}`);
      await kubectl('rollout', 'status', 'deployment/same');
    }
    assert.equal(await red('get', 'cm', 'same', '-o', 'jsonpath={.data.who}'), 'red');
    assert.equal(await blue('get', 'cm', 'same', '-o', 'jsonpath={.data.who}'), 'blue');
    for (const path of [
      '/clusters/blue/api/v1/pods',
      '/clusters/*/api/v1/pods',
      '/clusters/system/apis/pool.skypod.io/v1alpha1/containerinstances',
      '/clusters/system/apis/pool.skypod.io/v1alpha1/hosts',
    ]) {
      const refused = await red.try('get', '--raw', path);
      assert.notEqual(refused.code, 0, path);
      assert.match(refused.stderr, /Forbidden|Unauthorized/, path);
    }
    const listed = await skypod.run('tenant', 'list');
    assert.match(listed.stdout, /red/);
    assert.match(listed.stdout, /blue/);
    assert.match((await skypod.run('tenant', 'delete', 'blue')).stdout, /tenant blue deleted/);
    assert.doesNotMatch((await skypod.run('tenant', 'list')).stdout, /blue/);
    assert.notEqual((await blue.try('get', 'pods')).code, 0);
    assert.equal(await red('get', 'cm', 'same', '-o', 'jsonpath={.data.who}'), 'red');
  });

  it('prints usage by tenant', async () => {
    const usage = await eventually('usage of tenant red', async () => {
      const rows = JSON.parse((await skypod.run('usage', '--tenant', 'red', '-o', 'json')).stdout);
      return JSON.stringify(rows).includes('"red"') && rows;
    });
    assert.ok(JSON.stringify(usage).includes('vcpuSeconds'), JSON.stringify(usage));
    assert.match((await skypod.run('usage', '-o', 'csv')).stdout, /^tenant,/i);
    assert.match((await skypod.run('usage')).stdout, /^TENANT /);
    assert.match((await skypod.run('status')).stdout, /control plane/i);
  });

  it('refuses a second start on the same data and a taken port, in a line', async () => {
    const second = await skypod.run('up', '--runtime', 'simulated', '--listen', '127.0.0.1:1');
    assert.notEqual(second.code, 0);
    assert.match(second.stderr, /^skypod: the data directory .* is in use by process \d+: .*\n$/);
    const taken = await runCommand(join(import.meta.dirname, '../../skypod'), [
      'up',
      '--runtime',
      'simulated',
      '--data-dir',
      join(skypod.dataDir, 'other'),
      '--listen',
      `127.0.0.1:${skypod.port}`,
    ]);
    assert.notEqual(taken.code, 0);
    assert.match(taken.stderr, /^skypod: port \d+ on 127\.0\.0\.1 is in use: .*\n$/);
  });

  it('has all objects and keeps all pods over a restart', async () => {
    const { kubectl } = skypod;
    await kubectl('create', 'deployment', 'kept', '--image=example.test/kept', '--replicas=2');
    await kubectl('rollout', 'status', 'deployment/kept');
    const before = await kubectl(
      'get',
      'pods',
      '-l',
      'app=kept',
      '-o',
      'jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].containerID}{"\\n"}{end}',
    );
    await skypod.stop();
    assert.match(skypod.output(), /stopping/);
    const { dataDir, port } = skypod;
    skypod = await startSkypod({ runtime: 'simulated', zones: ['zone-a', 'zone-b'], dataDir, port });
    assert.ok(readFileSync(join(dataDir, 'kubeconfig'), 'utf8').includes(`${port}`));
    await skypod.kubectl('rollout', 'status', 'deployment/kept');
    await skypod.kubectl('wait', '--for=condition=Ready', 'pod', '-l', 'app=kept', '--timeout=120s');
    const afterRestart = await skypod.kubectl(
      'get',
      'pods',
      '-l',
      'app=kept',
      '-o',
      'jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].containerID}{"\\n"}{end}',
    );
    assert.equal(afterRestart, before);
  });
});
