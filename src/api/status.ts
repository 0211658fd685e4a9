import type { GroupResource } from './object.ts';

/**
 * The catalog of API errors: each is a metav1.Status with Kubernetes' own code, reason and message.
 * Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/ and apimachinery's api/errors.
 */
export interface StatusCause {
  /** FieldValueRequired, FieldValueInvalid, FieldValueNotSupported, FieldValueDuplicate, FieldValueForbidden, ... */
  reason?: string;
  message?: string;
  /** Path as Kubernetes prints it: `spec.containers[0].image`. */
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

export interface Status {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: Record<string, unknown>;
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: StatusDetails;
  code: number;
}

/** The one error class of the API: thrown by the API server's verbs, rejected by clients. */
export class StatusError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details?: StatusDetails;
  /** Where an expired list may go on, inconsistently: `metadata.continue` of the status. */
  continue?: string;
  /** Said over HTTP in place of the Status: what upstream's router answers where no API is. */
  plainText?: string;

  constructor(code: number, reason: string, message: string, details?: StatusDetails) {
    super(message);
    this.name = 'StatusError';
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  toStatus(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.continue === undefined ? {} : { continue: this.continue },
      status: 'Failure',
      message: this.message,
      ...(this.reason !== '' && { reason: this.reason }),
      ...(this.details !== undefined && { details: this.details }),
      code: this.code,
    };
  }

  static fromStatus(status: Partial<Status>): StatusError {
    return new StatusError(
      status.code ?? 500,
      status.reason ?? '',
      status.message ?? 'the server gave no message',
      status.details,
    );
  }
}

/** `pods`, `deployments.apps`: how Kubernetes names a resource in messages. */
export function qualifiedResource(resource: GroupResource): string {
  return resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`;
}

const detailsOf = (resource: GroupResource, name: string): StatusDetails => ({
  ...(name !== '' && { name }),
  ...(resource.group !== '' && { group: resource.group }),
  kind: resource.resource,
});

export const notFound = (resource: GroupResource, name: string) =>
  new StatusError(
    404,
    'NotFound',
    `${qualifiedResource(resource)} ${JSON.stringify(name)} not found`,
    detailsOf(resource, name),
  );

/** No such path or resource. */
export const pathNotFound = () =>
  new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});

/** No API has this path. */
export function pageNotFound(): StatusError {
  const error = pathNotFound();
  error.plainText = '404 page not found\n';
  return error;
}

export const alreadyExists = (resource: GroupResource, name: string) =>
  new StatusError(
    409,
    'AlreadyExists',
    `${qualifiedResource(resource)} ${JSON.stringify(name)} already exists`,
    detailsOf(resource, name),
  );

export const conflict = (resource: GroupResource, name: string, why: string) =>
  new StatusError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualifiedResource(resource)} ${JSON.stringify(name)}: ${why}`,
    detailsOf(resource, name),
  );

export const objectModified = (resource: GroupResource, name: string) =>
  conflict(
    resource,
    name,
    'the object has been modified; please apply your changes to the latest version and try again',
  );

export const badRequest = (message: string) => new StatusError(400, 'BadRequest', message);
export const unauthorized = (message = 'Unauthorized') => new StatusError(401, 'Unauthorized', message);

/** `why` is the tail after the first colon: `User "x" cannot list resource "pods" in API group "" ...`. */
export const forbidden = (resource: GroupResource, name: string, why: string) =>
  new StatusError(
    403,
    'Forbidden',
    name === ''
      ? `${qualifiedResource(resource)} is forbidden: ${why}`
      : `${qualifiedResource(resource)} ${JSON.stringify(name)} is forbidden: ${why}`,
    detailsOf(resource, name),
  );

export const methodNotAllowed = (resource: GroupResource, action: string) =>
  new StatusError(
    405,
    'MethodNotAllowed',
    `${action} is not supported on resources of kind "${qualifiedResource(resource)}"`,
    detailsOf(resource, ''),
  );

/** The resourceVersion asked for is compacted. */
export const expired = (message = 'The resourceVersion for the provided watch is too old.') =>
  new StatusError(410, 'Expired', message);
export const requestEntityTooLarge = (limitBytes: number) =>
  new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${limitBytes}`);
export const unsupportedMediaType = (message: string) => new StatusError(415, 'UnsupportedMediaType', message);
export const notAcceptable = (message: string, details?: StatusDetails) =>
  new StatusError(406, 'NotAcceptable', message, details);
export const tooManyRequests = (message: string, retryAfterSeconds = 1) =>
  new StatusError(429, 'TooManyRequests', message, { retryAfterSeconds });
export const internalError = (message: string) =>
  new StatusError(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] });
export const serviceUnavailable = (message: string) => new StatusError(503, 'ServiceUnavailable', message);
export const serverTimeout = (message: string, retryAfterSeconds = 1) =>
  new StatusError(504, 'Timeout', message, { retryAfterSeconds });

/** One finding of validation, as apimachinery's field.Error. `field` is the path, `message` the whole cause text. */
export interface FieldError {
  reason:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueNotSupported'
    | 'FieldValueDuplicate'
    | 'FieldValueForbidden'
    | 'FieldValueNotFound'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany'
    | 'FieldValueTypeInvalid'
    | 'InternalError';
  /** Was so before too: told to the writer, who is not refused. */
  isWarning?: true;
  field: string;
  /** For example `Required value`, `Invalid value: "A": a lowercase RFC 1123 label must ...`. */
  message: string;
}

/** What is wrong with an object of three megabytes may fill a hundred. */
const findingsShown = 1000;
/** Many times what any may have. */
const nameShown = 64 * 1024;

/** 422 with every finding as a cause, its message joined as upstream's aggregate prints it. */
export function invalid(kind: { group: string; kind: string }, given: string, found: FieldError[]): StatusError {
  const name = given.slice(0, nameShown);
  const errors = found.length > findingsShown ? found.slice(0, findingsShown) : found;
  const lines = errors.map((error) => `${error.field}: ${error.message}`);
  const unique = [...new Set(lines)];
  const joined = unique.length === 1 ? unique[0] : `[${unique.join(', ')}]`;
  const qualified = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  return new StatusError(422, 'Invalid', `${qualified} ${JSON.stringify(name)} is invalid: ${joined}`, {
    ...(name !== '' && { name }),
    ...(kind.group !== '' && { group: kind.group }),
    ...(kind.kind !== '' && { kind: kind.kind }),
    causes: errors.map((error) => ({ reason: error.reason, message: error.message, field: error.field })),
  });
}

export const isStatus = (error: unknown, reason: string): error is StatusError =>
  error instanceof StatusError && error.reason === reason;
export const isNotFound = (error: unknown): error is StatusError => isStatus(error, 'NotFound');
export const isConflict = (error: unknown): error is StatusError => isStatus(error, 'Conflict');
export const isAlreadyExists = (error: unknown): error is StatusError => isStatus(error, 'AlreadyExists');
export const isExpired = (error: unknown): error is StatusError => error instanceof StatusError && error.code === 410;
