import { semanticEqual } from '../equality.ts';
import type { Event } from '../generated/core-v1.ts';
import { isDns1123Subdomain, isQualifiedName } from '../names.ts';
import type { ObjectMeta } from '../object.ts';
import { FIELD_IS_IMMUTABLE, type Findings } from './findings.ts';
import { validateMetadata } from './metadata.ts';

const MAX_CHARACTERS = 128;
const MAX_MESSAGE = 1024;

/**
 * Events as events.k8s.io/v1 takes them are held to more than those of the core group. Both are core events here.
 * Source: pkg/apis/core/validation/events.go.
 */
export function validateEvent(event: Event, findings: Findings): void {
  validateLegacy(event, 'reportingComponent', findings);
}

export function validateStrictEvent(event: Event, findings: Findings): void {
  validateLegacy(event, 'reportingController', findings);
  validateMetadata({ namespaced: true, group: '' }, event.metadata as ObjectMeta, findings);
  validateSeries(event, findings);
  if (!event.eventTime) findings.required('eventTime');
  if (event.type !== 'Normal' && event.type !== 'Warning') {
    findings.invalid('type', '', `has invalid value: ${event.type ?? ''}`);
  }
  const unset = 'needs to be unset';
  if (event.firstTimestamp) findings.invalid('firstTimestamp', '', unset);
  if (event.lastTimestamp) findings.invalid('lastTimestamp', '', unset);
  if (event.count) findings.invalid('count', '', unset);
  if (event.source?.component || event.source?.host) findings.invalid('source', '', unset);
}

const fixed = [
  'involvedObject',
  'reason',
  'message',
  'source',
  'firstTimestamp',
  'lastTimestamp',
  'count',
  'reason',
  'type',
  'eventTime',
  'action',
  'related',
] as const;

/** All that may change is how often it happened. */
export function validateStrictEventUpdate(event: Event, old: Event, findings: Findings): void {
  validateLegacy(event, 'reportingController', findings);
  if (!semanticEqual(event.series, old.series)) validateSeries(event, findings);
  for (const field of fixed) {
    if (semanticEqual(event[field] ?? '', old[field] ?? '')) continue;
    const empty = structs.has(field) ? {} : times.has(field) ? null : '';
    findings.invalid(field, event[field] ?? empty, FIELD_IS_IMMUTABLE);
  }
  for (const [field, coreField] of [
    ['reportingController', 'reportingComponent'],
    ['reportingInstance', 'reportingInstance'],
  ] as const) {
    const value = event[coreField] ?? '';
    if (value !== (old[coreField] ?? '')) findings.invalid(field, value, FIELD_IS_IMMUTABLE);
  }
}

const structs = new Set<string>(['involvedObject', 'source', 'related']);
const times = new Set<string>(['eventTime', 'firstTimestamp', 'lastTimestamp']);

function validateSeries({ series }: Event, findings: Findings): void {
  if (series === undefined || series === null) return;
  if ((series.count ?? 0) < 2) findings.invalid('series.count', '', 'should be at least 2');
  if (!series.lastObservedTime) findings.required('series.lastObservedTime');
}

/** An event lies where what it tells of lies. */
function validateLegacy(event: Event, controllerField: string, findings: Findings): void {
  const { metadata, involvedObject } = event;
  const about = involvedObject?.namespace ?? '';
  const namespace = metadata.namespace ?? '';
  findings.invalidEach('namespace', namespace, isDns1123Subdomain(namespace));
  const mismatch = () => findings.invalid('involvedObject.namespace', about, 'does not match event.namespace');
  if (!event.eventTime) {
    if (about === '' ? namespace !== '' && namespace !== 'default' : namespace !== about) mismatch();
    return;
  }
  if (about === '' && namespace !== 'default' && namespace !== 'kube-system') mismatch();
  const controller = event.reportingComponent ?? '';
  if (controller === '') findings.required(controllerField);
  findings.invalidEach(controllerField, controller, isQualifiedName(controller));
  for (const field of ['reportingInstance', 'action', 'reason'] as const) {
    const value = event[field] ?? '';
    if (value === '') findings.required(field);
    if (value.length > MAX_CHARACTERS) findings.invalid(field, '', `can have at most ${MAX_CHARACTERS} characters`);
  }
  if ((event.message ?? '').length > MAX_MESSAGE) {
    findings.invalid('message', '', `can have at most ${MAX_MESSAGE} characters`);
  }
}
