import { StatusError } from '../../api/status.ts';
import { type Authorizer, attributesOf, denial } from '../authorizer.ts';
import type { Filter } from '../chain.ts';

const open = new Set(['/version', '/healthz', '/livez', '/readyz']);

export function authorizationFilter(authorizer: Authorizer): Filter {
  return async (context, next) => {
    const { info, identity } = context;
    if (identity.kind === 'platform') return next(context);
    if (!info.isResourceRequest && open.has(`/${info.path.split('/', 2)[1]}`)) return next(context);
    const attributes = attributesOf(context);
    const decision = await authorizer.authorize(identity, attributes);
    if (!decision.allowed) {
      throw new StatusError(403, 'Forbidden', denial(identity, attributes, decision.reason), {
        ...(attributes.name !== '' && { name: attributes.name }),
        ...(attributes.group !== '' && { group: attributes.group }),
        ...(attributes.resource !== '' && { kind: attributes.resource }),
      });
    }
    return next(context);
  };
}
