import { semanticEqual } from '../../api/equality.ts';
import type { Toleration } from '../../api/generated/core-v1.ts';
import type { RuntimeClass } from '../../api/generated/node-v1.ts';
import type { KubeObject } from '../../api/object.ts';
import { sameList } from '../../api/quota/resource-list.ts';
import { runInTurns, type Steps } from '../../base/steps.ts';
import type { Objects } from '../objects.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { forbid } from './forbid.ts';

const RUNTIME_CLASSES = { group: 'node.k8s.io', resource: 'runtimeclasses' };
const mismatch = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";

/** A pod's class must be there, and gives it its overhead and where it may run. Source: RuntimeClass upstream. */
export function runtimeClassAdmission(objects: Objects): AdmissionPlugin {
  async function classOf(request: AdmissionRequest): Promise<RuntimeClass | undefined> {
    const name: string | undefined = request.object!['spec']?.runtimeClassName;
    if (name === undefined || name === null) return undefined;
    const entry = await objects.get(RUNTIME_CLASSES, request.tenant, '', name);
    if (entry === undefined) throw forbid(request, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
    return entry.object as unknown as RuntimeClass;
  }
  return {
    name: 'RuntimeClass',
    handles: ({ operation, definition, subresource }) =>
      operation === 'CREATE' && subresource === '' && definition.group === '' && definition.resource === 'pods',
    async admit(request) {
      const runtimeClass = await classOf(request);
      if (runtimeClass === undefined) return;
      const { spec } = request.object!;
      const overhead = runtimeClass.overhead?.podFixed;
      if (runtimeClass.overhead !== undefined) {
        const isGiven = Object.keys(spec.overhead ?? {}).length > 0;
        if (isGiven && !sameList(spec.overhead, overhead)) throw forbid(request, mismatch);
        if (overhead !== undefined) spec.overhead = { ...overhead };
      }
      const { scheduling } = runtimeClass;
      if (scheduling !== undefined) await runInTurns(setScheduling(request, spec, scheduling), request.pace);
    },
    async validate(request) {
      const runtimeClass = await classOf(request);
      const { spec } = request.object!;
      if (runtimeClass?.overhead !== undefined) {
        if (!sameList(spec.overhead, runtimeClass.overhead.podFixed)) throw forbid(request, mismatch);
      } else if (spec.overhead !== undefined) {
        throw forbid(request, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead');
      }
    },
  };
}

function* setScheduling(
  request: AdmissionRequest,
  spec: KubeObject['spec'],
  { nodeSelector, tolerations }: NonNullable<RuntimeClass['scheduling']>,
): Steps<void> {
  for (const [key, value] of Object.entries(nodeSelector ?? {})) {
    const own = spec.nodeSelector?.[key];
    if (own === undefined || own === value) continue;
    throw forbid(
      request,
      `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`,
    );
  }
  if (nodeSelector !== undefined) spec.nodeSelector = { ...spec.nodeSelector, ...nodeSelector };
  const merged = yield* mergeTolerations(spec.tolerations ?? [], tolerations ?? []);
  if (merged.length > 0) spec.tolerations = merged;
}

/** Both lists without those that another one covers; of equal ones the first stays. */
function* mergeTolerations(first: Toleration[], second: Toleration[]): Steps<Toleration[]> {
  const all = [...first, ...second];
  const merged: Toleration[] = [];
  for (const [index, one] of all.entries()) {
    let isCovered = merged.some((other) => covers(other, one));
    for (let after = index + 1; after < all.length && !isCovered; after++) {
      const other = all[after]!;
      isCovered = covers(other, one) && !semanticEqual(one, other);
      if (after % 256 === 0) yield;
    }
    if (!isCovered) merged.push(one);
    if (index % 16 === 15 || merged.length > 500) yield;
  }
  return merged;
}

function covers(wide: Toleration, narrow: Toleration): boolean {
  if (semanticEqual(wide, narrow)) return true;
  const { key = '', operator = '', effect = '', value = '', tolerationSeconds } = wide;
  if ((narrow.key ?? '') !== key && (key !== '' || operator !== 'Exists')) return false;
  if ((narrow.effect ?? '') !== effect && effect !== '') return false;
  if (effect === 'NoExecute' && tolerationSeconds !== undefined) {
    if (narrow.tolerationSeconds === undefined || narrow.tolerationSeconds > tolerationSeconds) return false;
  }
  if (operator === 'Exists') return true;
  return (operator === '' || operator === 'Equal') && narrow.operator === 'Equal' && (narrow.value ?? '') === value;
}
