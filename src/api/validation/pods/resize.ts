import { runAtOnce } from '../../../base/steps.ts';
import { semanticEqual } from '../../equality.ts';
import type { Container, Pod, PodSpec, ResourceRequirements } from '../../generated/core-v1.ts';
import { isMirrorPod } from '../../pods/mirror-pod.ts';
import { qosClassOf } from '../../strategies/qos-class.ts';
import type { Findings } from '../findings.ts';
import { validatePodCommon } from './pod.ts';

/** Writes to a pod's `resize`: only cpu and memory of its containers, and of the pod. Source: ValidatePodResize. */
export function validatePodResize(pod: Pod, old: Pod, findings: Findings): void {
  if (isMirrorPod(old)) {
    findings.forbidden('', 'static pods cannot be resized');
    return;
  }
  if (old.spec.os?.name === 'windows') {
    findings.forbidden('', 'windows pods cannot be resized');
    return;
  }
  const before = findings.list.length;
  runAtOnce(validatePodCommon(pod, findings));
  const qosClass = old.status?.qosClass ?? qosClassOf(old.spec);
  if (qosClass !== qosClassOf(pod.spec)) {
    findings.invalid('spec', pod.status?.qosClass, 'Pod QOS Class may not change as a result of resizing');
  }
  const running = old.status?.containerStatuses?.find(({ state }) => state?.running !== undefined);
  if (running !== undefined && running.resources === undefined) {
    findings.forbidden('spec', 'Pod running on node without support for resize');
  }
  refuseRemoved(pod.spec.resources, old.spec.resources, 'spec.resources', findings);
  if (!haveSameContainers(pod.spec, old.spec, findings)) return;
  for (const list of ['initContainers', 'containers'] as const) {
    old.spec[list]?.forEach((container, index) => {
      const next = pod.spec[list]![index]!;
      const path = `spec.${list}[${index}]`;
      refuseRemoved(next.resources, container.resources, `${path}.resources`, findings);
      const changed = !semanticEqual(next, container);
      const rest = { ...next, resources: withoutCompute(next.resources, container.resources) };
      if (!semanticEqual(withResources(rest), withResources(container))) {
        if (list === 'containers') findings.forbidden('spec', 'only cpu and memory resources are mutable');
        else findings.forbidden(path, 'only cpu and memory resources for init or sidecar containers are mutable');
      }
      const restarts = next.resizePolicy?.some(({ restartPolicy }) => restartPolicy === 'RestartContainer');
      if (list === 'initContainers' && changed && container.restartPolicy !== 'Always' && restarts) {
        findings.forbidden(
          path,
          'non-sidecar init containers with a resize policy of RestartContainer cannot be resized',
        );
      }
    });
  }
  if (findings.list.length > before) return;
  if (!semanticEqual(withoutSizes(pod.spec), withoutSizes(old.spec))) {
    findings.forbidden('spec', 'only cpu and memory resources are mutable');
  }
}

function haveSameContainers(spec: PodSpec, old: PodSpec, findings: Findings): boolean {
  let same = true;
  for (const list of ['containers', 'initContainers'] as const) {
    const before = old[list] ?? [];
    const after = spec[list] ?? [];
    if (after.length !== before.length) {
      findings.forbidden(`spec.${list}`, `${list} may not be added or removed on resize`);
      same = false;
      continue;
    }
    before.forEach(({ name }, index) => {
      if (after[index]!.name === name) return;
      findings.forbidden(`spec.${list}[${index}].name`, `${list} may not be renamed or reordered on resize`);
      same = false;
    });
  }
  return same;
}

function refuseRemoved(
  resources: ResourceRequirements | undefined,
  old: ResourceRequirements | undefined,
  path: string,
  findings: Findings,
): void {
  for (const kind of ['requests', 'limits'] as const) {
    if (Object.keys(old?.[kind] ?? {}).every((name) => resources?.[kind]?.[name] !== undefined)) continue;
    findings.forbidden(`${path}.${kind}`, `resource ${kind} cannot be removed`);
  }
}

/** The new resources with cpu and memory as they were. */
function withoutCompute(
  resources: ResourceRequirements | undefined,
  old: ResourceRequirements | undefined,
): ResourceRequirements {
  const munged: ResourceRequirements = { ...resources };
  for (const kind of ['requests', 'limits'] as const) {
    const { cpu: _cpu, memory: _memory, ...others } = resources?.[kind] ?? {};
    const { cpu, memory } = old?.[kind] ?? {};
    munged[kind] = { ...others, ...(cpu !== undefined && { cpu }), ...(memory !== undefined && { memory }) };
  }
  return munged;
}

const withResources = (container: Container): Container => ({
  ...container,
  resources: withoutCompute(container.resources, container.resources),
});

const withoutSizes = ({ containers: _c, initContainers: _i, resources, ...spec }: PodSpec) => ({
  ...spec,
  resources: resources === undefined ? undefined : { claims: resources.claims },
});
