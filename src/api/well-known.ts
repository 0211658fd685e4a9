/**
 * Labels, annotations and types that several parts of Kubernetes agree on.
 * Source: https://kubernetes.io/docs/reference/labels-annotations-taints/.
 */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
export const HEADLESS_LABEL = 'service.kubernetes.io/headless';
/** Who keeps an EndpointSlice. */
export const SLICE_MANAGER_LABEL = 'endpointslice.kubernetes.io/managed-by';
/** When the change that endpoints follow from was made. */
export const TRIGGER_TIME_ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time';
export const ZONE_LABEL = 'topology.kubernetes.io/zone';

/** Type of the Secrets that hold tokens without an end. */
export const TOKEN_SECRET_TYPE = 'kubernetes.io/service-account-token';
/** Days, as 2026-05-15. */
export const TOKEN_LAST_USED_LABEL = 'kubernetes.io/legacy-token-last-used';
export const TOKEN_INVALID_SINCE_LABEL = 'kubernetes.io/legacy-token-invalid-since';
