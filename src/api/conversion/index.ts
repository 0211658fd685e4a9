import type { GroupVersionKind, GroupVersionResource, KubeObject } from '../object.ts';
import { eventFromCore, eventToCore } from './events.ts';
import { autoscalerFromV2, autoscalerToV2 } from './horizontal-pod-autoscaler.ts';

/** One API's view of objects that are kept in another's form. */
export interface StoredForm extends GroupVersionResource, GroupVersionKind {
  /** Fresh objects both ways; what is given is not changed. */
  toStored(object: KubeObject): KubeObject;
  fromStored(object: KubeObject): KubeObject;
}

/** By `group/version/resource` of the view. */
export const storedForms: Record<string, StoredForm> = {
  'events.k8s.io/v1/events': {
    group: '',
    version: 'v1',
    resource: 'events',
    kind: 'Event',
    toStored: eventToCore,
    fromStored: eventFromCore,
  },
  'autoscaling/v1/horizontalpodautoscalers': {
    group: 'autoscaling',
    version: 'v2',
    resource: 'horizontalpodautoscalers',
    kind: 'HorizontalPodAutoscaler',
    toStored: autoscalerToV2,
    fromStored: autoscalerFromV2,
  },
};
