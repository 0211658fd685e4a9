import { semanticEqual } from '../equality.ts';
import type { KubeObject } from '../object.ts';

const PREFIX = 'container.apparmor.security.beta.kubernetes.io/';

interface Profile {
  type: string;
  localhostProfile?: string;
}

/** What an AppArmor annotation says in a field's words; undefined: nothing sound. */
function profileOf(annotation: string): Profile | undefined {
  if (annotation === 'unconfined') return { type: 'Unconfined' };
  if (annotation === 'runtime/default') return { type: 'RuntimeDefault' };
  const local = annotation.startsWith('localhost/') ? annotation.slice('localhost/'.length) : '';
  return local === '' || local !== local.trim() ? undefined : { type: 'Localhost', localhostProfile: local };
}

/**
 * Annotations were the way before there were fields: a new pod's become fields. Gives the annotations for which
 * someone should write the field. Source: applyAppArmorVersionSkew of pkg/registry/core/pod.
 */
export function appArmorFromAnnotations(pod: KubeObject, dry = false): string[] {
  const { annotations } = pod.metadata;
  const { spec } = pod;
  const outdated: string[] = [];
  if (annotations === undefined || spec.os?.name === 'windows') return outdated;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    const key = `${PREFIX}${container.name}`;
    const annotation = annotations[key];
    if (annotation === undefined || container.securityContext?.appArmorProfile) continue;
    const profile = profileOf(annotation);
    if (profile !== undefined && semanticEqual(profile, spec.securityContext?.appArmorProfile)) continue;
    outdated.push(key);
    if (profile === undefined || dry) continue;
    container.securityContext = { ...container.securityContext, appArmorProfile: profile };
  }
  return outdated;
}
