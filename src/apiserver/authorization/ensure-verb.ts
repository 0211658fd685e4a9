import { StatusError } from '../../api/status.ts';
import { paceOf } from '../pace.ts';
import type { RequestContext } from '../request-context.ts';
import { attributesOf } from './attributes.ts';
import type { Authorizer } from './authorizer.ts';

/**
 * Throws 403 unless whoever asks may do the same by another verb too: who opens a WebSocket by GET runs commands as by
 * POST. Source: pkg/registry/core/pod/rest/authorize.go upstream (AuthorizePodWebsocketUpgradeCreatePermission).
 */
export async function ensureAuthorizedForVerb(
  authorizer: Authorizer,
  context: RequestContext,
  verb: string,
): Promise<void> {
  if (context.info.verb === verb || context.identity.kind === 'platform') return;
  const attributes = { ...attributesOf(context), verb };
  const { allowed, reason, error } = await authorizer.authorize(context.identity, attributes, paceOf(context));
  if (allowed) return;
  if (error !== undefined) throw new StatusError(500, 'InternalError', error);
  const { group, resource, name } = attributes;
  const what = group === '' ? resource : `${resource}.${group}`;
  throw new StatusError(403, 'Forbidden', `${what} ${JSON.stringify(name)} is forbidden: ${reason}`, {
    name,
    ...(group !== '' && { group }),
    kind: resource,
  });
}
