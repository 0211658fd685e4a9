import { StatusError } from '../../api/status.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Filter } from '../chain.ts';

/** One line a request, at debug level (errors of ours at warn): who asked what, the answer's code, how long it took. */
export function accessLogFilter(logger: Logger, clock: Clock): Filter {
  return async (context, next) => {
    const startMs = clock.now();
    const log = (code: number) => {
      const fields = {
        id: context.id,
        user: context.identity.name,
        tenant: context.tenant,
        verb: context.info.verb,
        path: context.info.path,
        code,
        durationMs: clock.now() - startMs,
      };
      if (code >= 500) logger.warn(fields, 'request failed');
      else logger.debug(fields, 'request');
    };
    try {
      const answer = await next(context);
      log('code' in answer ? answer.code : 200);
      return answer;
    } catch (error) {
      log(error instanceof StatusError ? error.code : 500);
      throw error;
    }
  };
}
