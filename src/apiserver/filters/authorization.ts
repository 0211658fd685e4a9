import { attributesOf, deniedError } from '../authorization/attributes.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { Filter } from '../chain.ts';
import type { RequestContext } from '../request-context.ts';

export function authorizationFilter(authorizer: Authorizer): Filter {
  return async (context, next) => {
    const { identity } = context;
    if (identity.kind === 'platform') {
      annotate(context, 'allow', '');
      return next(context);
    }
    const attributes = attributesOf(context);
    const pending = authorizer.authorize(identity, attributes);
    const decision = pending instanceof Promise ? await pending : pending;
    annotate(context, decision.allowed ? 'allow' : 'forbid', decision.reason);
    if (!decision.allowed) throw deniedError(identity, attributes, decision.reason);
    return next(context);
  };
}

function annotate({ auditAnnotations }: RequestContext, decision: string, reason: string): void {
  if (auditAnnotations === undefined) return;
  auditAnnotations['authorization.k8s.io/decision'] = decision;
  auditAnnotations['authorization.k8s.io/reason'] = reason;
}
