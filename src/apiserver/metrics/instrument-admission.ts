import type { Admission, AdmissionRequest } from '../admission/admission.ts';
import type { ApiMetrics } from './api-metrics.ts';

/** Lets the metrics hear how long admission takes. */
export function instrumentAdmission(admission: Admission, metrics: ApiMetrics): void {
  const timed = (type: 'admit' | 'validate', work: (request: AdmissionRequest) => Promise<void>) => {
    return async (request: AdmissionRequest) => {
      const startedMs = performance.now();
      let rejected = true;
      try {
        await work(request);
        rejected = false;
      } finally {
        metrics.admitted(type, request.operation, rejected, performance.now() - startedMs);
      }
    };
  };
  admission.mutate = timed('admit', admission.mutate.bind(admission));
  admission.validate = timed('validate', admission.validate.bind(admission));
}
