import { badRequest, StatusError } from '../status.ts';

/** The patch document itself is wrong: 400. */
export const badPatch = (message: string): StatusError => badRequest(message);

/** The patch is sound and does not apply to this object: 422 in the form Kubernetes gives it. */
export function patchDoesNotApply(message: string): StatusError {
  return new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request', {
    causes: [{ reason: 'UnexpectedServerResponse', message }],
  });
}
