import type { StatusError } from '../../api/status.ts';
import type { Identity } from '../identity/identity.ts';
import type { AuditLevel, AuditStage } from './policy.ts';

/** Says nothing of who could not say who they are. */
export interface AuditUser {
  username?: string;
  uid?: string;
  groups?: string[];
  extra?: Record<string, string[]>;
}

/** audit.k8s.io/v1 Event. */
export interface AuditEvent {
  kind: 'Event';
  apiVersion: 'audit.k8s.io/v1';
  level: AuditLevel;
  auditID: string;
  stage: AuditStage;
  requestURI: string;
  verb: string;
  user: AuditUser;
  impersonatedUser?: AuditUser;
  sourceIPs: string[];
  userAgent?: string;
  objectRef?: {
    resource?: string;
    namespace?: string;
    name?: string;
    uid?: string;
    resourceVersion?: string;
    apiGroup?: string;
    apiVersion?: string;
    subresource?: string;
  };
  responseStatus?: object;
  requestObject?: unknown;
  responseObject?: unknown;
  requestReceivedTimestamp: string;
  stageTimestamp: string;
  annotations: Record<string, string>;
}

export function userOf({ name, uid, groups, extra }: Identity): AuditUser {
  return { username: name, ...(uid !== undefined && { uid }), groups, ...(extra !== undefined && { extra }) };
}

export function statusOf(error: StatusError): object {
  const { kind: _kind, apiVersion: _apiVersion, ...status } = error.toStatus();
  return status;
}

/** metav1.MicroTime. `ms` since the epoch, with fractions. */
export function microTime(ms: number): string {
  const micros = Math.floor((ms - Math.floor(ms)) * 1000);
  return `${new Date(Math.floor(ms)).toISOString().slice(0, -1)}${String(micros).padStart(3, '0')}Z`;
}

/** An object, a list or a Table without what managed fields say. */
export function withoutManagedFields(value: any): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { metadata } = value;
  const copy = { ...value };
  if (metadata?.managedFields !== undefined) {
    const { managedFields: _managedFields, ...rest } = metadata;
    copy.metadata = rest;
  }
  if (Array.isArray(value.items)) copy.items = value.items.map(withoutManagedFields);
  if (Array.isArray(value.rows) && value.kind === 'Table') {
    copy.rows = value.rows.map((row: { object: unknown }) => ({ ...row, object: withoutManagedFields(row.object) }));
  }
  return copy;
}
