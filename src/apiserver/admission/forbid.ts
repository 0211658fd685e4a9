import { forbidden, type StatusError } from '../../api/status.ts';
import type { AdmissionRequest } from './admission.ts';

/** 403 for the object at hand; one without a name yet goes by its generateName, as upstream. */
export function forbid(request: AdmissionRequest, why: string): StatusError {
  const metadata = request.object?.metadata;
  const name = request.name || metadata?.name || metadata?.generateName || 'Unknown';
  return forbidden(request.definition, name, why);
}
