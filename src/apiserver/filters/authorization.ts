import { attributesOf, deniedError } from '../authorization/attributes.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { Filter } from '../chain.ts';

export function authorizationFilter(authorizer: Authorizer): Filter {
  return async (context, next) => {
    const { identity } = context;
    if (identity.kind === 'platform') return next(context);
    const attributes = attributesOf(context);
    const pending = authorizer.authorize(identity, attributes);
    const decision = pending instanceof Promise ? await pending : pending;
    if (!decision.allowed) throw deniedError(identity, attributes, decision.reason);
    return next(context);
  };
}
