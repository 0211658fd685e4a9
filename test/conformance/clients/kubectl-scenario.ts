import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../lib/eventually.ts';
import { runCommand } from '../../lib/run-command.ts';
import { type CheckResult, mustHave as has, takeSteps } from './steps.ts';

const manifest = (replicas: number) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: "example.test/app:1", ports: [{containerPort: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`;

/** What a person does with kubectl in their first hour, with the kubectl given; one result a step. */
export async function kubectlScenario(kubectl: string, kubeconfig: string, namespace: string): Promise<CheckResult[]> {
  // Discovery of other versions is not to be found in its cache.
  const home = mkdtempSync(join(tmpdir(), 'skypod-kubectl-'));
  const env = { PATH: process.env.PATH, HOME: home, KUBECONFIG: kubeconfig };
  const run = async (words: string[], options: { input?: string; code?: number } = {}): Promise<string> => {
    const { code, stdout, stderr } = await runCommand(kubectl, ['--namespace', namespace, ...words], {
      env,
      input: options.input,
    });
    if (code === (options.code ?? 0)) return stdout;
    throw new Error(`kubectl ${words.join(' ')} ended with ${code}: ${stderr}${stdout}`);
  };
  const steps: Record<string, () => Promise<void>> = {
    async 'create namespace, apply, apply again'() {
      await run(['create', 'namespace', namespace]);
      has(
        await run(['apply', '-f', '-'], { input: manifest(2) }),
        /deployment\.apps\/web created/,
        /service\/web created/,
      );
      has(await run(['apply', '-f', '-'], { input: manifest(2) }), /deployment\.apps\/web unchanged/);
    },
    async 'rollout status, wait'() {
      has(await run(['rollout', 'status', 'deployment/web', '--timeout=60s']), /successfully rolled out/);
      await run(['wait', '--for=condition=Available', 'deployment/web', '--timeout=60s']);
      await run(['wait', '--for=jsonpath={.status.phase}=Running', 'pod', '-l', 'app=web', '--timeout=60s']);
    },
    async 'get as table, wide, yaml, jsonpath, custom columns'() {
      has(await run(['get', 'deploy,svc,pods']), /deployment\.apps\/web\s+2\/2/, /service\/web\s+ClusterIP/);
      has(await run(['get', 'pods', '-o', 'wide']), /NODE/, /Running/);
      has(await run(['get', 'deploy', 'web', '-o', 'yaml']), /kind: Deployment/);
      has(await run(['get', 'pods', '-o', 'jsonpath={.items[*].status.phase}']), /Running Running/);
      has(await run(['get', 'pods', '-o', 'custom-columns=N:.metadata.name', '--sort-by=.metadata.name']), /web-/);
      has(await run(['get', 'all', '--show-labels', '--chunk-size=1']), /replicaset\.apps\/web/);
    },
    async 'get --watch sees changes'() {
      const child = spawn(kubectl, ['--namespace', namespace, 'get', 'deploy', 'web', '--watch'], { env });
      let output = '';
      child.stdout.on('data', (chunk) => (output += chunk));
      try {
        await eventually('the watch shows the deployment', () => /web\s+2\/2/.test(output));
        await run(['scale', 'deployment/web', '--replicas=3']);
        await eventually('the watch shows the change', () => /web\s+3\/3/.test(output));
      } finally {
        child.kill();
      }
    },
    async diff() {
      has(await run(['diff', '-f', '-'], { input: manifest(5), code: 1 }), /^\+\s+replicas: 5/m);
    },
    async 'apply --server-side, conflicts, --force-conflicts'() {
      await run(['apply', '--server-side', '--field-manager=other', '-f', '-'], { input: manifest(4), code: 1 });
      const forced = ['apply', '--server-side', '--force-conflicts', '--field-manager=other', '-f', '-'];
      has(await run(forced, { input: manifest(4) }), /serverside-applied/);
    },
    async 'patch, label, annotate, set image, edit'() {
      await run(['patch', 'deploy', 'web', '-p', '{"spec":{"replicas":1}}']);
      await run([
        'patch',
        'deploy',
        'web',
        '--type=json',
        '-p',
        '[{"op":"add","path":"/metadata/labels/a","value":"b"}]',
      ]);
      await run(['label', 'deploy', 'web', 'tier=front']);
      await run(['annotate', 'deploy', 'web', 'note=x', '--overwrite']);
      has(await run(['set', 'image', 'deploy/web', 'main=example.test/app:2']), /image updated/);
      await run(['rollout', 'status', 'deployment/web', '--timeout=60s']);
    },
    async 'rollout history, undo, restart'() {
      has(await run(['rollout', 'history', 'deployment/web']), /REVISION/);
      has(await run(['rollout', 'undo', 'deployment/web']), /rolled back/);
      await run(['rollout', 'restart', 'deployment/web']);
      await run(['rollout', 'status', 'deployment/web', '--timeout=60s']);
    },
    async 'describe, events'() {
      has(await run(['describe', 'deploy', 'web']), /RollingUpdateStrategy/, /ScalingReplicaSet/);
      has(await run(['describe', 'pods']), /Controlled By:\s+ReplicaSet/, /Scheduled/);
      has(await run(['events']), /ScalingReplicaSet/);
    },
    async 'explain, api-resources, api-versions'() {
      has(await run(['explain', 'pod.spec.containers.resources']), /limits/, /requests/);
      has(await run(['explain', 'deployment.spec.strategy', '--recursive']), /maxSurge/);
      has(await run(['api-resources', '-o', 'wide']), /deployments\s+deploy\s+apps\/v1/, /customresourcedefinitions/);
      has(await run(['api-versions']), /^batch\/v1$/m);
    },
    async 'auth can-i, can-i --list, whoami'() {
      has(await run(['auth', 'can-i', 'create', 'pods']), /yes/);
      has(await run(['auth', 'can-i', '--list']), /\*\.\*/);
      has(await run(['auth', 'whoami']), /Username/);
      await run(['auth', 'can-i', 'create', 'pods', '--as=nobody'], { code: 1 });
    },
    async 'create of many kinds, run, expose, autoscale'() {
      await run(['create', 'configmap', 'settings', '--from-literal=a=b']);
      await run(['create', 'secret', 'generic', 'password', '--from-literal=a=b']);
      await run(['create', 'job', 'once', '--image=example.test/app:1']);
      await run(['create', 'cronjob', 'tick', '--image=example.test/app:1', '--schedule=0 0 1 1 *']);
      await run(['create', 'role', 'reader', '--verb=get', '--resource=pods']);
      await run(['create', 'rolebinding', 'reader', '--role=reader', '--user=someone']);
      await run(['create', 'quota', 'limit', '--hard=pods=100']);
      await run(['create', 'token', 'default']);
      await run(['run', 'lone', '--image=example.test/app:1']);
      await run(['expose', 'deploy', 'web', '--name=again', '--port=80']);
      await run(['autoscale', 'deploy', 'web', '--min=1', '--max=3']);
    },
    async 'delete by label, wait for deletion'() {
      await run(['delete', 'pod', 'lone', '--wait=true', '--timeout=60s']);
      await run(['delete', 'deploy,svc', '-l', 'app=web', '--cascade=foreground', '--timeout=60s']);
      await run(['wait', '--for=delete', 'deployment/web', '--timeout=60s']);
    },
    async 'delete namespace takes everything with it'() {
      await run(['delete', 'namespace', namespace, '--timeout=120s']);
      has(await run(['get', 'namespaces', namespace, '--ignore-not-found']), /^$/);
    },
  };
  try {
    return await takeSteps(steps);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
