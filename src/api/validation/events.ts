import type { Event } from '../generated/core-v1.ts';
import { isQualifiedName } from '../names.ts';
import type { Findings } from './findings.ts';

const MAX_CHARACTERS = 128;
const MAX_MESSAGE = 1024;

/** An event lies where what it tells of lies. Source: legacyValidateEvent of pkg/apis/core/validation. */
export function validateEvent(event: Event, findings: Findings): void {
  const { metadata, involvedObject } = event;
  const about = involvedObject?.namespace ?? '';
  const namespace = metadata.namespace ?? '';
  const mismatch = () => findings.invalid('involvedObject.namespace', about, 'does not match event.namespace');
  if (!event.eventTime) {
    if (about === '' ? namespace !== '' && namespace !== 'default' : namespace !== about) mismatch();
    return;
  }
  if (about === '' && namespace !== 'default' && namespace !== 'kube-system') mismatch();
  const controller = event.reportingComponent ?? '';
  if (controller === '') findings.required('reportingComponent');
  findings.invalidEach('reportingComponent', controller, isQualifiedName(controller));
  for (const field of ['reportingInstance', 'action', 'reason'] as const) {
    const value = event[field] ?? '';
    if (value === '') findings.required(field);
    if (value.length > MAX_CHARACTERS) findings.invalid(field, '', `can have at most ${MAX_CHARACTERS} characters`);
  }
  if ((event.message ?? '').length > MAX_MESSAGE) {
    findings.invalid('message', '', `can have at most ${MAX_MESSAGE} characters`);
  }
}
