import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import { formatTime } from '../../api/object.ts';

export const API_SERVICES = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' };
/** On APIServices that the server itself keeps. Source: kube-aggregator's autoregister controller. */
export const MANAGED_LABEL = 'kube-aggregator.kubernetes.io/automanaged';

/** `v1.apps`, `v1.` for the core group. */
export const apiServiceName = (group: string, version: string) => `${version}.${group}`;

export interface Priorities {
  group: number;
  version: number;
}

/** What custom resources' groups get. Source: kube-aggregator's crdregistration controller. */
export const customPriorities: Priorities = { group: 1000, version: 100 };
/** Above every other: nobody's names hide those of the registry itself. */
const registryPriorities: Priorities = { group: 20_001, version: 15 };

/** [group, its priority, version -> priority]. Source: DefaultGenericAPIServicePriorities, kube-apiserver's additions. */
const builtin: [string, number, Record<string, number>][] = [
  ['', 18_000, { v1: 1 }],
  ['apps', 17_800, { v1: 15 }],
  ['events.k8s.io', 17_750, { v1: 15 }],
  ['authentication.k8s.io', 17_700, { v1: 15 }],
  ['authorization.k8s.io', 17_600, { v1: 15 }],
  ['autoscaling', 17_500, { v1: 15, v2: 30 }],
  ['batch', 17_400, { v1: 15 }],
  ['certificates.k8s.io', 17_300, { v1: 15 }],
  ['networking.k8s.io', 17_200, { v1: 15 }],
  ['policy', 17_100, { v1: 15 }],
  ['rbac.authorization.k8s.io', 17_000, { v1: 15 }],
  ['storage.k8s.io', 16_800, { v1: 15 }],
  ['apiextensions.k8s.io', 16_700, { v1: 15 }],
  ['admissionregistration.k8s.io', 16_700, { v1: 15 }],
  ['scheduling.k8s.io', 16_600, { v1: 15 }],
  ['coordination.k8s.io', 16_500, { v1: 15 }],
  ['node.k8s.io', 16_300, { v1: 15 }],
  ['discovery.k8s.io', 16_200, { v1: 15 }],
  ['resource.k8s.io', 16_200, { v1: 21 }],
  ['flowcontrol.apiserver.k8s.io', 16_100, { v1: 21 }],
  // As metrics-server registers itself.
  ['metrics.k8s.io', 100, { v1beta1: 100 }],
];
const builtinPriorities = new Map<string, Priorities>([
  [apiServiceName(API_SERVICES.group, API_SERVICES.version), registryPriorities],
  ...builtin.flatMap(([name, group, versions]) =>
    Object.entries(versions).map(([version, priority]): [string, Priorities] => [
      apiServiceName(name, version),
      { group, version: priority },
    ]),
  ),
]);

/** Where a group and version stand in discovery when no APIService says otherwise. */
export const prioritiesOf = (group: string, version: string): Priorities =>
  builtinPriorities.get(apiServiceName(group, version)) ?? customPriorities;

export interface AvailableCondition {
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
}

export const localCondition: AvailableCondition = {
  status: 'True',
  reason: 'Local',
  message: 'Local APIServices are always available',
};

/** The conditions with another state of `Available`; its time is that of the last change of status. */
export function withAvailable(service: APIService, state: AvailableCondition, nowMs: number) {
  const conditions = service.status?.conditions ?? [];
  const known = conditions.find(({ type }) => type === 'Available');
  const lastTransitionTime = known?.status === state.status ? known.lastTransitionTime : formatTime(nowMs);
  const next = {
    type: 'Available',
    status: state.status,
    lastTransitionTime,
    reason: state.reason,
    message: state.message,
  };
  return known === undefined ? [...conditions, next] : conditions.map((one) => (one === known ? next : one));
}

export const isAvailable = (service: APIService): boolean =>
  service.status?.conditions?.some(({ type, status }) => type === 'Available' && status === 'True') ?? false;
