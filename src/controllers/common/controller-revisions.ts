import { safeEncode } from '../../api/generate-name.ts';
import type { ControllerRevision } from '../../api/generated/apps-v1.ts';
import type { Container, PodTemplateSpec } from '../../api/generated/core-v1.ts';
import type { KubeObject } from '../../api/object.ts';
import { CONTROLLER_REVISIONS } from '../../api/resources.ts';
import { isAlreadyExists, isNotFound } from '../../api/status.ts';
import type { Client } from '../../client/client.ts';
import { canonical, isSame } from './canonical.ts';
import { fnv32a } from './hash.ts';
import { controllerReference } from './owner.ts';

export interface RevisionOwner {
  object: KubeObject;
  apiVersion: string;
  kind: string;
  template: PodTemplateSpec;
  collisionCount: number | undefined;
}

/**
 * What a revision holds: a patch that puts the template back, as kubectl rollout undo applies it. Clients look for the
 * present revision by comparing bytes with what Go writes, so keys are sorted and fields stand that Go never leaves out.
 */
function dataOf(template: PodTemplateSpec): { spec: { template: PodTemplateSpec } } {
  const sized = (containers: Container[] | undefined) =>
    containers?.map((container) => ({ ...container, resources: container.resources ?? {} }));
  const { containers, initContainers, ...spec } = template.spec ?? { containers: [] };
  const written = {
    ...template,
    $patch: 'replace',
    metadata: template.metadata ?? {},
    spec: { ...spec, containers: sized(containers), initContainers: sized(initContainers) },
  };
  return JSON.parse(canonical({ spec: { template: written } }));
}

/** Revisions written before may leave out what `dataOf` does not. */
const isRevisionOf = (revision: ControllerRevision, data: object): boolean =>
  isSame(dataOf(templateOf(revision)), data);

export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const { $patch: _, ...template } = revision.data?.spec?.template ?? {};
  return template;
}

export const sortRevisions = (revisions: ControllerRevision[]): ControllerRevision[] =>
  [...revisions].sort(
    (a, b) =>
      a.revision - b.revision ||
      Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp) ||
      (a.metadata.name < b.metadata.name ? -1 : 1),
  );

/**
 * The revision of the owner's present template, which becomes the newest: the one that is newest already, an older equal
 * one under a new number (a rollback), or a new one. `revisions` are the owner's, sorted.
 */
export async function currentTemplateRevision(
  client: Client,
  owner: RevisionOwner,
  revisions: ControllerRevision[],
  labelHashKey: 'controller.kubernetes.io/hash' | 'controller-revision-hash',
): Promise<{ revision: ControllerRevision; collisionCount: number | undefined }> {
  const data = dataOf(owner.template);
  const newest = revisions.at(-1);
  const equal = revisions.filter((revision) => isRevisionOf(revision, data)).at(-1);
  const { clusterName, namespace, name: ownerName } = owner.object.metadata;
  const revisionClient = client.resource<ControllerRevision>(clusterName!, CONTROLLER_REVISIONS, namespace);
  let { collisionCount } = owner;
  if (equal !== undefined && equal === newest) return { revision: equal, collisionCount };
  const number = (newest?.revision ?? 0) + 1;
  if (equal !== undefined) {
    const body = { ...equal, apiVersion: 'apps/v1', kind: 'ControllerRevision', revision: number };
    return { revision: await revisionClient.update(body), collisionCount };
  }
  for (;;) {
    const hash = safeEncode(String(fnv32a(`${canonical(data)}${collisionCount ?? 0}`)));
    const name = `${ownerName.slice(0, 223)}-${hash}`;
    try {
      const revision = await revisionClient.create({
        apiVersion: 'apps/v1',
        kind: 'ControllerRevision',
        metadata: {
          name,
          namespace: namespace!,
          labels: { ...owner.template.metadata?.labels, [labelHashKey]: hash },
          ...(owner.object.metadata.annotations !== undefined && { annotations: owner.object.metadata.annotations }),
          ownerReferences: [controllerReference(owner.object, owner.apiVersion, owner.kind)],
        },
        data,
        revision: number,
      });
      return { revision, collisionCount };
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const existing = await revisionClient.get(name);
      if (isRevisionOf(existing, data)) return { revision: existing, collisionCount };
      collisionCount = (collisionCount ?? 0) + 1;
    }
  }
}

/** Deletes the oldest revisions that nothing uses, beyond the history limit. */
export async function truncateRevisions(
  client: Client,
  revisions: ControllerRevision[],
  live: Set<string>,
  limit: number,
): Promise<void> {
  const unused = revisions.filter((revision) => !live.has(revision.metadata.name));
  for (const revision of unused.slice(0, Math.max(0, unused.length - limit))) {
    try {
      await client.for(CONTROLLER_REVISIONS, revision).delete(revision.metadata.name);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}
