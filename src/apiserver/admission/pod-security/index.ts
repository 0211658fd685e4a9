import { deepEqual } from '../../../api/equality.ts';
import type { Container } from '../../../api/generated/core-v1.ts';
import type { KubeObject } from '../../../api/object.ts';
import { NAMESPACES, PODS } from '../../../api/resources.ts';
import { invalid } from '../../../api/status.ts';
import type { Objects } from '../../objects.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../admission.ts';
import { forbid } from '../forbid.ts';
import { type CheckedPod, containersOf, type Violation } from './containers.ts';
import { printDetails, printReasons, violations } from './evaluate.ts';
import { type LevelVersion, policyOf, printLevel, strictness } from './policy.ts';

/** Who is not held to it. Source: PodSecurityConfiguration's exemptions. */
export interface PodSecurityExemptions {
  namespaces?: string[];
  usernames?: string[];
  runtimeClasses?: string[];
}

/** Hears what came of holding pods to levels, for the metrics. Audits and warnings are only told of when there are some. */
export interface PodSecurityObserver {
  podSecurityEvaluated(
    decision: 'allow' | 'deny',
    level: LevelVersion,
    mode: 'enforce' | 'audit' | 'warn',
    request: AdmissionRequest,
  ): void;
}

/** So many pods are looked at when a namespace becomes stricter. */
const maximumPods = 3000;
const templateResources = new Set([
  '/replicationcontrollers',
  '/podtemplates',
  'apps/replicasets',
  'apps/deployments',
  'apps/statefulsets',
  'apps/daemonsets',
  'batch/jobs',
  'batch/cronjobs',
]);
const ignoredSubresources = new Set(['exec', 'attach', 'binding', 'eviction', 'log', 'portforward', 'proxy', 'status']);

/** Pods keep to what their namespace's labels ask for; their makers are warned. Source: upstream's PodSecurity. */
export function podSecurity(
  objects: Objects,
  exempt: PodSecurityExemptions = {},
  observer?: PodSecurityObserver,
): AdmissionPlugin {
  const isExempt = ({ namespace, identity }: AdmissionRequest): boolean =>
    exempt.namespaces?.includes(namespace) === true || exempt.usernames?.includes(identity.name) === true;

  async function judge(request: AdmissionRequest, pod: CheckedPod, enforces: boolean): Promise<void> {
    if (isExempt(request)) return;
    const entry = await objects.get(NAMESPACES, request.tenant, '', request.namespace);
    const { policy } = policyOf(entry?.object.metadata.labels);
    if (exempt.runtimeClasses?.includes(pod.spec.runtimeClassName ?? '') === true) return;
    const known = new Map<string, Violation[]>();
    const against = (level: LevelVersion): Violation[] => {
      const key = printLevel(level);
      if (!known.has(key)) known.set(key, violations(level, pod));
      return known.get(key)!;
    };
    const tell = (mode: 'audit' | 'warn', say: (text: string) => void) => {
      const level = policy[mode];
      const found = against(level);
      if (found.length === 0) return;
      observer?.podSecurityEvaluated('deny', level, mode, request);
      say(`would violate PodSecurity "${printLevel(level)}": ${printDetails(found)}`);
    };
    const tellAudit = () => tell('audit', (text) => annotate(request, 'audit-violations', text));
    if (enforces) {
      annotate(request, 'enforce-policy', printLevel(policy.enforce));
      const found = against(policy.enforce);
      observer?.podSecurityEvaluated(found.length > 0 ? 'deny' : 'allow', policy.enforce, 'enforce', request);
      if (found.length > 0) {
        tellAudit();
        throw forbid(request, `violates PodSecurity "${printLevel(policy.enforce)}": ${printDetails(found)}`);
      }
    }
    tellAudit();
    tell('warn', (text) => request.warnings.push(text));
  }

  async function judgeNamespace(request: AdmissionRequest): Promise<void> {
    const { object, oldObject, definition, operation, warnings } = request;
    const { policy, errors } = policyOf(object!.metadata.labels);
    const before = policyOf(oldObject?.metadata.labels);
    if (errors.length > 0 && (operation === 'CREATE' || !deepEqual(errors, before.errors))) {
      throw invalid(definition, object!.metadata.name, errors);
    }
    if (operation === 'CREATE') return;
    const [now, then] = [policy.enforce, before.policy.enforce];
    if (deepEqual(now, then) || now.level === 'privileged') return;
    if (now.minor === then.minor && strictness(now) <= strictness(then)) return;
    if (exempt.namespaces?.includes(request.name) === true) return;
    warnings.push(...(await warningsForNamespace(request, now)));
  }

  async function warningsForNamespace({ tenant, name }: AdmissionRequest, level: LevelVersion): Promise<string[]> {
    const entries = await objects.entries(PODS, { tenant, namespace: name });
    const pods = oneOfEachControllerFirst(
      entries
        .map(({ object }) => object)
        .filter(({ spec }) => exempt.runtimeClasses?.includes(spec.runtimeClassName ?? '') !== true),
    );
    const names = new Map<string, string[]>();
    for (const pod of pods.slice(0, maximumPods)) {
      const found = violations(level, pod as unknown as CheckedPod);
      if (found.length === 0) continue;
      const reasons = printReasons(found);
      names.set(reasons, [...(names.get(reasons) ?? []), pod.metadata.name]);
    }
    const warnings: string[] = [];
    if (pods.length > maximumPods) {
      warnings.push(
        `new PodSecurity enforce level only checked against the first ${maximumPods} of ${pods.length} existing pods`,
      );
    }
    if (names.size === 0) return warnings;
    warnings.push(
      `existing pods in namespace ${JSON.stringify(name)} violate the new PodSecurity enforce level "${printLevel(level)}"`,
    );
    const lines = [...names].map(([reasons, bad]) => {
      const first = bad.sort()[0]!;
      const others = bad.length - 1;
      const more = others === 0 ? '' : others === 1 ? ' (and 1 other pod)' : ` (and ${others} other pods)`;
      return `${first}${more}: ${reasons}`;
    });
    return [...warnings, ...lines.sort()];
  }

  return {
    name: 'PodSecurity',
    handles: ({ operation, definition: { group, resource }, subresource }) =>
      (operation === 'CREATE' || operation === 'UPDATE') &&
      (group === '' && resource === 'pods'
        ? !ignoredSubresources.has(subresource)
        : subresource === '' &&
          ((group === '' && resource === 'namespaces') || templateResources.has(`${group}/${resource}`))),
    async validate(request) {
      const { definition, object, oldObject, operation } = request;
      if (definition.group === '' && definition.resource === 'namespaces') return judgeNamespace(request);
      if (definition.group === '' && definition.resource === 'pods') {
        const pod = object as unknown as CheckedPod;
        if (operation === 'UPDATE' && !matters(pod, oldObject as unknown as CheckedPod)) return;
        return judge(request, pod, true);
      }
      const template = templateOf(object!);
      if (template?.spec !== undefined) {
        return judge(request, { metadata: template.metadata ?? {}, spec: template.spec }, false);
      }
    },
  };
}

function annotate(request: AdmissionRequest, key: string, value: string): void {
  request.auditAnnotations ??= {};
  request.auditAnnotations[`pod-security.kubernetes.io/${key}`] = value;
}

const templateOf = (object: KubeObject) =>
  object['template'] ?? object['spec']?.template ?? object['spec']?.jobTemplate?.spec?.template;

/** Of what may change in a pod only images and new containers could be against a rule. */
function matters(pod: CheckedPod, old: CheckedPod): boolean {
  if (pod.spec.containers.length !== old.spec.containers.length) return true;
  if ((pod.spec.initContainers ?? []).length !== (old.spec.initContainers ?? []).length) return true;
  const before = new Map<string, Container>(containersOf(old).map((one) => [one.name, one]));
  return containersOf(pod).some(({ name, image }) => before.get(name)?.image !== image);
}

/** Pods of one controller are alike: one of each goes first. */
function oneOfEachControllerFirst(pods: KubeObject[]): KubeObject[] {
  const seen = new Set<string>();
  const rest: KubeObject[] = [];
  const first = pods.filter((pod) => {
    const uid = pod.metadata.ownerReferences?.find(({ controller }) => controller === true)?.uid;
    if (uid === undefined) return true;
    if (seen.has(uid)) {
      rest.push(pod);
      return false;
    }
    seen.add(uid);
    return true;
  });
  return [...first, ...rest];
}
