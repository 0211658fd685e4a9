import { badRequest, StatusError } from '../status.ts';

/** The patch document itself is wrong: 400. */
export const badPatch = (message: string): StatusError => badRequest(message);

/** The patch is sound and does not apply to this object: 422. Upstream tells nobody why; `cause` knows. */
export function patchDoesNotApply(why: string): StatusError {
  const message = 'the server rejected our request due to an error in our request';
  const error = new StatusError(422, 'Invalid', message, {});
  error.cause = why;
  return error;
}

/** What stands in the way of a patch, for those who put it into a message of their own. */
export function whyPatchFailed(error: unknown): string {
  const { cause, message } = error as Error;
  return typeof cause === 'string' ? cause : message;
}
