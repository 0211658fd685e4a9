import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runCommand } from '../../lib/run-command.ts';
import { type CheckResult, mustHave as has, takeSteps } from './steps.ts';

/** A chart with what Helm's own starter lacks: a definition, an object of it, hooks, lookups and capabilities. */
const chart: Record<string, string> = {
  'Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 0.1.0\nappVersion: "1"\nkubeVersion: ">=1.30.0-0"\n',
  'values.yaml': 'color: blue\nreplicas: 1\n',
  'crds/lamp.yaml': `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lamps.helm.example.test}
spec:
  group: helm.example.test
  scope: Namespaced
  names: {plural: lamps, singular: lamp, kind: Lamp}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: {spec: {type: object, properties: {color: {type: string, enum: [blue, green]}}}}
`,
  'templates/lamp.yaml': `
apiVersion: helm.example.test/v1
kind: Lamp
metadata: {name: "{{ .Release.Name }}"}
spec: {color: "{{ .Values.color }}"}
`,
  'templates/work.yaml': `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: "{{ .Release.Name }}"}
spec:
  serviceName: "{{ .Release.Name }}"
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}, annotations: {color: "{{ .Values.color }}"}}
    spec: {containers: [{name: main, image: "example.test/app:1", ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}"}
spec: {clusterIP: None, selector: {app: "{{ .Release.Name }}"}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-facts"}
data:
  namespace: '{{ (lookup "v1" "Namespace" "" "kube-system").metadata.name }}'
  cronjobs: '{{ .Capabilities.APIVersions.Has "batch/v1/CronJob" }}'
`,
  'templates/hooks.yaml': `
{{- range $hook := list "pre-install" "post-upgrade" "test" }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: "{{ $.Release.Name }}-{{ $hook }}"
  annotations: {helm.sh/hook: "{{ $hook }}", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"}
spec:
  template:
    metadata: {annotations: {skypod.io/simulate: "after=100ms exit=0"}}
    spec: {restartPolicy: Never, containers: [{name: main, image: "example.test/app:1"}]}
{{- end }}
`,
};

/** A release's life with the Helm given, against pods of the simulated runtime; one result a step. */
export async function helmScenario(
  helm: string,
  kubectl: string,
  kubeconfig: string,
  namespace: string,
): Promise<CheckResult[]> {
  const home = mkdtempSync(join(tmpdir(), 'skypod-helm-'));
  const env = { PATH: process.env.PATH, HOME: home, KUBECONFIG: kubeconfig };
  const call = async (file: string, words: string[], code = 0): Promise<string> => {
    const result = await runCommand(file, ['--namespace', namespace, ...words], { env });
    if (result.code === code) return result.stdout + result.stderr;
    throw new Error(`${file} ${words.join(' ')} ended with ${result.code}: ${result.stderr}${result.stdout}`);
  };
  const run = (words: string[], code = 0) => call(helm, words, code);
  const get = (...words: string[]) => call(kubectl, ['get', ...words]);
  const shop = join(home, 'shop');
  for (const [name, text] of Object.entries(chart)) {
    mkdirSync(dirname(join(shop, name)), { recursive: true });
    writeFileSync(join(shop, name), text);
  }
  const starter = join(home, 'web');
  // Nothing answers probes in a simulated pod.
  const quiet = ['--set-json', 'livenessProbe=null', '--set-json', 'readinessProbe=null'];
  const waiting = ['--wait', '--timeout', '60s'];
  const steps: Record<string, () => Promise<void>> = {
    async "create and install Helm's starter chart, waiting"() {
      await run(['create', starter]);
      has(await run(['install', 'web', starter, '--create-namespace', ...quiet, ...waiting]), /STATUS: deployed/);
      has(await get('deploy,svc,sa', '-l', 'app.kubernetes.io/instance=web'), /deployment\.apps\/web\s+1\/1/);
    },
    async 'upgrade, history, rollback'() {
      const more = ['--set', 'replicaCount=3', '--set', 'autoscaling.enabled=false'];
      has(await run(['upgrade', 'web', starter, ...quiet, ...more, ...waiting]), /REVISION: 2/);
      has(await get('deploy', 'web'), /web\s+3\/3/);
      await run(['rollback', 'web', '1', ...waiting]);
      has(await get('deploy', 'web'), /web\s+1\/1/);
      has(await run(['history', 'web']), /Rollback to 1/);
    },
    async 'a dry run on the server changes nothing'() {
      const dry = ['--set', 'replicaCount=5', '--dry-run=server'];
      has(await run(['upgrade', 'web', starter, ...quiet, ...dry]), /replicas: 5/);
      has(await get('deploy', 'web', '-o', 'jsonpath={.spec.replicas}'), /^1$/);
      has(await run(['history', 'web']), /^3\s.*deployed/m);
    },
    async 'autoscaling, ingress and the like from values'() {
      const all = ['--set', 'autoscaling.enabled=true,ingress.enabled=true,serviceAccount.annotations.a=b'];
      has(await run(['upgrade', 'web', starter, ...quiet, ...all]), /STATUS: deployed/);
      has(
        await get('hpa,ingress,sa'),
        /horizontalpodautoscaler\.autoscaling\/web/,
        /ingress\.networking\.k8s\.io\/web/,
      );
    },
    async 'install a chart with a definition, its object, hooks, lookups and capabilities'() {
      has(await run(['upgrade', '--install', 'shop', shop, ...waiting]), /STATUS: deployed/);
      has(await get('lamp', 'shop', '-o', 'jsonpath={.spec.color}'), /^blue$/);
      has(await get('configmap', 'shop-facts', '-o', 'jsonpath={.data}'), /kube-system/, /"cronjobs":"true"/);
      has(await get('job', 'shop-pre-install', '--ignore-not-found'), /^$/);
    },
    async "helm test runs the chart's test"() {
      has(await run(['test', 'shop', '--timeout', '60s']), /Succeeded/);
    },
    async "an upgrade that breaks the schema fails in upstream's words, and --atomic goes back"() {
      has(await run(['upgrade', 'shop', shop, '--set', 'color=red'], 1), /Unsupported value: "red"/);
      has(await run(['upgrade', 'shop', shop, '--set', 'color=red', '--atomic', '--timeout', '60s'], 1), /rolled back/);
      has(await get('lamp', 'shop', '-o', 'jsonpath={.spec.color}'), /^blue$/);
    },
    async 'reuse of values, get values, manifest and notes'() {
      await run(['upgrade', 'shop', shop, '--reuse-values', '--set', 'color=green,replicas=2', ...waiting]);
      has(await run(['get', 'values', 'shop']), /color: green/);
      has(await run(['get', 'manifest', 'shop']), /kind: StatefulSet/);
      has(await get('statefulset', 'shop'), /shop\s+2\/2/);
      has(await run(['status', 'shop']), /STATUS: deployed/);
    },
    async 'somebody else’s object is not taken over'() {
      await call(kubectl, ['create', 'configmap', 'other-facts']);
      has(await run(['install', 'other', shop, '--skip-crds'], 1), /invalid ownership metadata/);
    },
    async 'list, uninstall waiting, nothing is left'() {
      has(await run(['list', '-A']), /^shop\s+/m, /^web\s+/m);
      for (const release of ['shop', 'web']) has(await run(['uninstall', release, ...waiting]), /uninstalled/);
      has(await get('deploy,statefulset,lamp,ingress,hpa', '-o', 'name'), /^(No resources found.*\s*)?$/);
      await call(kubectl, ['delete', 'namespace', namespace, '--timeout=60s']);
      await call(kubectl, ['delete', 'crd', 'lamps.helm.example.test', '--timeout=60s']);
    },
  };
  try {
    return await takeSteps(steps);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
