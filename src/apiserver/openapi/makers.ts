/** All that makes documents, loaded together when the first one is asked for: an idle control plane never is. */
export { openApi2 } from './documents.ts';
export { documentsOf } from './documents-of.ts';
export { encodeOpenApi2 } from './serving/encode-v2.ts';
export { encodeOpenApi3 } from './serving/encode-v3.ts';
export { fingerprint } from './serving/fingerprint.ts';
export { jsonOf } from './serving/json-steps.ts';
