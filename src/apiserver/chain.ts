import type { Answer } from './answer.ts';
import type { RequestContext } from './request-context.ts';

export type Handler = (context: RequestContext) => Promise<Answer>;
export type Filter = (context: RequestContext, next: Handler) => Promise<Answer>;

export interface Filters {
  accessLog: Filter;
  panicRecovery: Filter;
  /** Leads clients elsewhere. */
  departure: Filter;
  requestDeadline: Filter;
  /** Only where several control planes share a store. */
  freshness?: Filter;
  /** Only with an audit policy. */
  audit?: { authentication: Filter; request: Filter };
  authentication: Filter;
  tenantResolution: Filter;
  impersonation: Filter;
  priorityAndFairness: Filter;
  /** The same for what components of this process do for tenants. */
  backgroundWork: Filter;
  authorization: Filter;
}

/**
 * The way of every request over HTTP. The body limit (413) and the parsing of the path (request-info.ts) come first,
 * while the request is turned into a context by `http/`; the body itself is only read by the verb that wants it.
 */
export function httpChain(filters: Filters, dispatch: Handler): Handler {
  return compose(
    [
      filters.accessLog,
      filters.panicRecovery,
      filters.departure,
      filters.requestDeadline,
      ...(filters.freshness === undefined ? [] : [filters.freshness]),
      ...(filters.audit === undefined ? [] : [filters.audit.authentication]),
      filters.authentication,
      filters.tenantResolution,
      ...(filters.audit === undefined ? [] : [filters.audit.request]),
      filters.impersonation,
      filters.priorityAndFairness,
      filters.authorization,
      // admission belongs to the writing verbs: it needs the decoded object. See admission/.
    ],
    dispatch,
  );
}

/** The way of requests from components of this process: they are who they are, and share objects instead of bytes. */
export function inProcessChain(filters: Filters, dispatch: Handler): Handler {
  return compose([filters.tenantResolution, filters.backgroundWork, filters.authorization], dispatch);
}

function compose(filters: Filter[], innermost: Handler): Handler {
  return filters.reduceRight<Handler>((next, filter) => (context) => filter(context, next), innermost);
}
