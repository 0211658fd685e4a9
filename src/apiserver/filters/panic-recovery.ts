import { badRequest, StatusError } from '../../api/status.ts';
import type { Logger } from '../../base/log.ts';
import { StoreFullError, UnavailableError, UnknownOutcomeError, ValueTooLargeError } from '../../store/store.ts';
import type { Filter } from '../chain.ts';

/** Whatever a verb throws becomes a metav1.Status: a fault of one request never ends the server. */
export function panicRecoveryFilter(logger: Logger): Filter {
  return async (context, next) => {
    try {
      return await next(context);
    } catch (error) {
      throw asStatusError(error, (unexpected) =>
        logger.error(
          { id: context.id, verb: context.info.verb, path: context.info.path, error: unexpected },
          'unexpected error while serving a request',
        ),
      );
    }
  };
}

export function asStatusError(error: unknown, report: (unexpected: unknown) => void): StatusError {
  if (error instanceof StatusError) return error;
  if (error instanceof StoreFullError) {
    return new StatusError(507, 'InsufficientStorage', `Internal error occurred: ${error.message}`);
  }
  if (error instanceof ValueTooLargeError) {
    return new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: ${error.message}`);
  }
  if (error instanceof UnavailableError) {
    return new StatusError(503, 'ServiceUnavailable', error.message, { retryAfterSeconds: 1 });
  }
  if (error instanceof UnknownOutcomeError) {
    return new StatusError(
      504,
      'Timeout',
      `Timeout: request did not complete within the allotted timeout: ${error.message}`,
    );
  }
  // Brought about by what was sent, and nothing is half done: writes happen as a whole.
  if (error instanceof RangeError && error.message.startsWith('Maximum call stack')) {
    return badRequest('the request cannot be read: exceeded max depth');
  }
  // Names of some kinds may be anything, but not anything can be a key.
  if (error instanceof RangeError && error.message.startsWith('a key must')) {
    return badRequest(
      'the name cannot be stored: it must not contain NUL, and no more than 1024 bytes with its namespace',
    );
  }
  report(error);
  return new StatusError(500, 'InternalError', `Internal error occurred: ${(error as Error)?.message ?? error}`, {
    causes: [{ message: String((error as Error)?.message ?? error) }],
  });
}
