import { StatusError } from '../../api/status.ts';
import { attributesOf, deniedError } from '../authorization/attributes.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { Decision } from '../authorization/decision.ts';
import type { Filter } from '../chain.ts';
import type { Identity } from '../identity/identity.ts';
import { paceOf } from '../pace.ts';
import type { RequestContext } from '../request-context.ts';

/** Hears whether requests may go on, for the metrics. */
export interface AuthorizationObserver {
  authorized(result: 'allowed' | 'no-opinion' | 'error', identity: Identity, durationMs: number): void;
}

export function authorizationFilter(authorizer: Authorizer, observer?: AuthorizationObserver): Filter {
  const authorize: Filter = async (context, next) => {
    const { identity } = context;
    const startedMs = performance.now();
    const attributes = attributesOf(context);
    let decision: Decision | undefined;
    try {
      const pending = authorizer.authorize(identity, attributes, paceOf(context));
      decision = pending instanceof Promise ? await pending : pending;
    } finally {
      const result = decision === undefined ? 'error' : decision.allowed ? 'allowed' : 'no-opinion';
      observer?.authorized(result, identity, performance.now() - startedMs);
    }
    annotate(context, decision.allowed ? 'allow' : 'forbid', decision.reason);
    if (!decision.allowed && decision.error !== undefined) {
      if (context.auditAnnotations !== undefined) {
        context.auditAnnotations['authorization.k8s.io/reason'] = 'internal error';
      }
      throw new StatusError(
        500,
        'InternalError',
        `Internal Server Error: ${JSON.stringify(context.info.path)}: ${decision.error}`,
      );
    }
    if (!decision.allowed) {
      context.responseHeaders = { ...context.responseHeaders, 'x-content-type-options': 'nosniff' };
      throw deniedError(identity, attributes, decision.reason);
    }
    return next(context);
  };
  return (context, next) => {
    const { identity } = context;
    if (identity.kind !== 'platform') return authorize(context, next);
    if (!context.inProcess) observer?.authorized('allowed', identity, 0);
    annotate(context, 'allow', '');
    return next(context);
  };
}

function annotate({ auditAnnotations }: RequestContext, decision: string, reason: string): void {
  if (auditAnnotations === undefined) return;
  auditAnnotations['authorization.k8s.io/decision'] = decision;
  auditAnnotations['authorization.k8s.io/reason'] = reason;
}
