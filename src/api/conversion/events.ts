import type { KubeObject } from '../object.ts';

/** events.k8s.io/v1 name -> core/v1 name; all other fields are called alike. Source: pkg/apis/events/v1/conversion.go. */
const names: [newName: string, coreName: string][] = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['reportingController', 'reportingComponent'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
];
const toCore = new Map(names);
const fromCore = new Map(names.map(([newName, coreName]) => [coreName, newName]));

const renamed = (event: KubeObject, apiVersion: string, map: Map<string, string>): KubeObject => {
  const result: KubeObject = { metadata: event.metadata };
  for (const field of Object.keys(event)) result[map.get(field) ?? field] = event[field];
  result.apiVersion = apiVersion;
  return result;
};

/** Written always by the one API and only when set by the other. */
const optional = ['reportingController', 'reportingInstance'];

export const eventToCore = (event: KubeObject): KubeObject => ({
  ...renamed(event, 'v1', toCore),
  reportingComponent: event['reportingController'] ?? '',
  reportingInstance: event['reportingInstance'] ?? '',
});

export function eventFromCore(event: KubeObject): KubeObject {
  const result = renamed(event, 'events.k8s.io/v1', fromCore);
  for (const field of optional) if (result[field] === '') delete result[field];
  return result;
}
