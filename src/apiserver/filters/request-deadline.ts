import { durationOf } from '../../api/cel/times.ts';
import { badRequest, StatusError } from '../../api/status.ts';
import type { Filter } from '../chain.ts';
import type { RequestInfo } from '../request-info.ts';

/** As upstream's --request-timeout: longer wishes, and 0, are none. */
export const requestTimeoutMs = 60_000;
const longRunningSubresources = new Set(['attach', 'exec', 'log', 'portforward', 'proxy']);

/**
 * `?timeout=5s`: the caller's own limit for a request that is not long-running; 504 when it has passed. What was begun is
 * not undone. Source: apiserver's WithRequestDeadline.
 */
export function requestDeadlineFilter(): Filter {
  return async (context, next) => {
    const text = context.query.get('timeout');
    if (text === null || text === '' || isLongRunning(context.info)) return next(context);
    const nanos = durationOf(text);
    if (nanos === undefined) {
      throw badRequest(
        `invalid timeout specified in the request URL - time: ${complaint(text)} ${JSON.stringify(text)}`,
      );
    }
    const timeoutMs = Number(nanos) / 1e6;
    if (timeoutMs <= 0 || timeoutMs >= requestTimeoutMs) return next(context);
    const work = next(context);
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(tooLate()), timeoutMs);
    });
    // Nobody hears what the work says when it is late.
    work.catch(() => {});
    try {
      return await Promise.race([work, deadline]);
    } finally {
      clearTimeout(timer);
    }
  };
}

/** What may take as long as it likes. */
export function isLongRunning({ verb, subresource }: RequestInfo): boolean {
  return verb === 'watch' || verb === 'proxy' || longRunningSubresources.has(subresource);
}

/** Go's words for what is no duration. */
function complaint(text: string): string {
  const match = /^[+-]?(?:\d+\.?\d*|\.\d+)([^\d.]*)/.exec(text);
  if (match === null) return 'invalid duration';
  if (match[1] === '') return 'missing unit in duration';
  const known = /^(?:ns|us|µs|μs|ms|s|m|h)$/.test(match[1]!);
  return known ? 'invalid duration' : `unknown unit ${JSON.stringify(match[1])} in duration`;
}

export function tooLate(): StatusError {
  return new StatusError(504, 'Timeout', 'Timeout: request did not complete within the allotted timeout');
}
