import { timingSafeEqual } from 'node:crypto';
import type { KubeObject } from '../../api/object.ts';
import { SECRETS } from '../../api/resources.ts';
import { epochMsOf } from '../../api/time.ts';
import type { Clock } from '../../base/clock.ts';
import type { Objects } from '../objects.ts';
import type { Identity } from './identity.ts';

const tokenForm = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const defaultGroup = 'system:bootstrappers';
const extraGroupForm = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/**
 * Tokens kept as secrets `bootstrap-token-ID` in kube-system. They say nothing of their tenant, so they are good only
 * where the path names it. Source: "Authenticating with bootstrap tokens" in the Kubernetes reference.
 */
export async function bootstrapIdentity(
  objects: Objects,
  clock: Clock,
  tenant: string,
  token: string,
): Promise<Identity | undefined> {
  const [, id, secret] = tokenForm.exec(token) ?? [];
  if (id === undefined || secret === undefined) return undefined;
  const entry = await objects.get(SECRETS, tenant, 'kube-system', `bootstrap-token-${id}`);
  if (entry === undefined) return undefined;
  const groups = groupsOf(entry.object, id, secret, clock.now());
  if (groups === undefined) return undefined;
  return { name: `system:bootstrap:${id}`, groups: [...groups, 'system:authenticated'], kind: 'tenant', tenant };
}

/** Undefined when the secret does not stand for this token, now. */
function groupsOf(object: KubeObject, id: string, secret: string, nowMs: number): string[] | undefined {
  if (object.metadata.deletionTimestamp !== undefined || object['type'] !== 'bootstrap.kubernetes.io/token') {
    return undefined;
  }
  const data = (key: string) => Buffer.from(String(object['data']?.[key] ?? ''), 'base64').toString();
  const kept = Buffer.from(data('token-secret'));
  const given = Buffer.from(secret);
  if (kept.length !== given.length || !timingSafeEqual(kept, given) || data('token-id') !== id) return undefined;
  const expiration = data('expiration');
  // One that cannot be read counts as over.
  if (expiration !== '' && !(epochMsOf(expiration) > nowMs)) return undefined;
  if (data('usage-bootstrap-authentication') !== 'true') return undefined;
  const extra = data('auth-extra-groups');
  const groups = extra === '' ? [] : extra.split(',');
  if (!groups.every((group) => extraGroupForm.test(group))) return undefined;
  return [...new Set([defaultGroup, ...groups])].sort();
}
