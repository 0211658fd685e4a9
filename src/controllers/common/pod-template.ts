import type { Pod, PodTemplateSpec } from '../../api/generated/core-v1.ts';
import type { Draft, KubeObject, OwnerReference } from '../../api/object.ts';
import { StatusError } from '../../api/status.ts';

const longestNamePrefix = 253;

/** A pod of a template, named after its owner. */
export function podFromTemplate(template: PodTemplateSpec, owner: KubeObject, reference: OwnerReference): Draft<Pod> {
  const prefix = `${owner.metadata.name}-`;
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: prefix.length > longestNamePrefix ? owner.metadata.name : prefix,
      ...(labels !== undefined && { labels }),
      ...(annotations !== undefined && { annotations }),
      ...(finalizers !== undefined && { finalizers }),
      ownerReferences: [reference],
    },
    spec: template.spec!,
  };
}

/** Creating anything in a namespace on its way out fails with this cause; controllers let it be. */
export function isNamespaceTerminating(error: unknown): boolean {
  return (
    error instanceof StatusError &&
    (error.details?.causes?.some((cause) => cause.reason === 'NamespaceTerminating') ?? false)
  );
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
