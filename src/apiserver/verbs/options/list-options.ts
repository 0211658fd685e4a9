import type { RequestContext } from '../../request-context.ts';
import { checkInteger } from './delete-options.ts';
import { type Freshness, freshnessOf } from './resource-version.ts';

export interface ListOptions {
  /** 0: all of them. */
  limit: number;
  /** '' at the first page. */
  continueToken: string;
  freshness: Freshness;
}

/** What a list, or the deletion of one, asks of the list; throws 400 and 422 in upstream's words. */
export function readListOptions(context: RequestContext): ListOptions {
  const limitText = context.query.get('limit') ?? '0';
  checkInteger(limitText);
  const limit = Math.max(0, Number(limitText));
  const continueToken = context.query.get('continue') ?? '';
  const freshness = freshnessOf(context, {
    limited: limit > 0,
    continued: continueToken !== '',
    isList: true,
    continueToken,
  });
  return { limit, continueToken, freshness };
}
