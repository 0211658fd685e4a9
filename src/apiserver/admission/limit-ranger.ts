import type { Container, LimitRange, LimitRangeItem, Pod } from '../../api/generated/core-v1.ts';
import type { KubeObject } from '../../api/object.ts';
import { podResourceList } from '../../api/pods/pod-resource-lists.ts';
import { canonicalQuantity, compareQuantities, quantityNumber } from '../../api/quantity.ts';
import type { ResourceList } from '../../api/quota/resource-list.ts';
import { LIMIT_RANGES } from '../../api/resources.ts';
import { StatusError } from '../../api/status.ts';
import { runInTurns, type Steps } from '../../base/steps.ts';
import type { Objects } from '../objects.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { forbid } from './forbid.ts';

/** What containers may have and have when they say nothing, by the namespace's LimitRanges. Source: upstream's LimitRanger. */
export function limitRanger(objects: Objects): AdmissionPlugin {
  const rangesOf = async ({ tenant, namespace }: AdmissionRequest): Promise<LimitRange[]> =>
    (await objects.entries(LIMIT_RANGES, { tenant, namespace })).map(({ object }) => object as unknown as LimitRange);
  const hasNone = ({ tenant, namespace }: AdmissionRequest) => objects.hasNone(LIMIT_RANGES, tenant, namespace);
  const isPod = ({ definition }: AdmissionRequest) => definition.group === '' && definition.resource === 'pods';
  const isClaim = ({ definition }: AdmissionRequest) =>
    definition.group === '' && definition.resource === 'persistentvolumeclaims';
  const setAllDefaults = async (request: AdmissionRequest): Promise<void> => {
    const added = { names: 0 };
    for (const range of await rangesOf(request)) {
      await runInTurns(setDefaults(request.object!, range, added), request.pace);
    }
  };
  const judgeAll = async (request: AdmissionRequest): Promise<void> => {
    const judge = isPod(request) ? podFindings : claimFindings;
    for (const range of await rangesOf(request)) {
      const findings = await runInTurns(judge(request.object!, range.spec?.limits ?? []), request.pace);
      if (findings.length > 0) throw forbid(request, aggregate(findings));
    }
  };
  return {
    name: 'LimitRanger',
    handles(request) {
      const { operation, subresource, oldObject } = request;
      if (operation !== 'CREATE' && operation !== 'UPDATE') return false;
      if (oldObject?.metadata.deletionTimestamp !== undefined) return false;
      if (isPod(request)) return operation === 'CREATE' ? subresource === '' : subresource === 'resize';
      return isClaim(request) && subresource === '';
    },
    admit(request) {
      return hasNone(request) || !isPod(request) ? undefined : setAllDefaults(request);
    },
    validate(request) {
      return hasNone(request) ? undefined : judgeAll(request);
    },
  };
}

/** As upstream's aggregate prints errors. */
export function aggregate(messages: string[]): string {
  const unique = [...new Set(messages)];
  return unique.length === 1 ? unique[0]! : `[${unique.join(', ')}]`;
}

/** What limit ranges may add to a pod: names in all its containers together. A pod of the largest kind has as many. */
const mostNamesAdded = 100_000;
/** Nobody reads more of what a pod does wrong. */
const findingsKept = 1000;

/** Containers get what they do not say, and the pod an annotation of what they got. */
function* setDefaults(pod: KubeObject, range: LimitRange, added: { names: number }): Steps<void> {
  const requests: Record<string, string> = {};
  const limits: Record<string, string> = {};
  for (const limit of range.spec?.limits ?? []) {
    if (limit.type !== 'Container') continue;
    Object.assign(requests, limit.defaultRequest);
    Object.assign(limits, limit.default);
  }
  const notes: string[] = [];
  const fill = (container: Container, what: string) => {
    const { resources = {} } = container;
    const missingRequests = Object.keys(requests).filter((name) => resources.requests?.[name] === undefined);
    const missingLimits = Object.keys(limits).filter((name) => resources.limits?.[name] === undefined);
    if (missingRequests.length === 0 && missingLimits.length === 0) return;
    added.names += missingRequests.length + missingLimits.length;
    if (added.names > mostNamesAdded) {
      const why = `limit ranges add more than ${mostNamesAdded} resources to the pod`;
      throw new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: ${why}`);
    }
    container.resources = { ...resources };
    if (missingRequests.length > 0) {
      container.resources.requests = { ...requests, ...resources.requests };
      notes.push(`${missingRequests.sort().join(', ')} request for ${what} ${container.name}`);
    }
    if (missingLimits.length > 0) {
      container.resources.limits = { ...limits, ...resources.limits };
      notes.push(`${missingLimits.sort().join(', ')} limit for ${what} ${container.name}`);
    }
  };
  for (const [list, what] of [
    ['containers', 'container'],
    ['initContainers', 'init container'],
  ] as const) {
    for (const container of pod['spec'][list] ?? []) {
      fill(container, what);
      yield;
    }
  }
  if (notes.length === 0) return;
  pod.metadata.annotations = {
    ...pod.metadata.annotations,
    'kubernetes.io/limit-ranger': `LimitRanger plugin set: ${notes.join('; ')}`,
  };
}

function* podFindings(pod: KubeObject, limits: LimitRangeItem[]): Steps<string[]> {
  const { spec } = pod as unknown as Pod & { spec: NonNullable<Pod['spec']> };
  const found: string[] = [];
  const options = { withoutOverhead: true };
  const ofPod = limits.some(({ type }) => type === 'Pod')
    ? ([podResourceList({ spec }, 'requests', options), podResourceList({ spec }, 'limits', options)] as const)
    : undefined;
  for (const limit of limits) {
    yield;
    if (limit.type === 'Pod') found.push(...findings(limit, ...ofPod!));
    if (limit.type !== 'Container') continue;
    for (const list of [spec.containers, spec.initContainers ?? []]) {
      for (const { resources } of list) {
        for (const one of findings(limit, resources?.requests ?? {}, resources?.limits ?? {})) found.push(one);
        if (found.length >= findingsKept) return found.slice(0, findingsKept);
        yield;
      }
    }
  }
  return found;
}

function* claimFindings(claim: KubeObject, limits: LimitRangeItem[]): Steps<string[]> {
  yield;
  const requests: ResourceList = claim['spec'].resources?.requests ?? {};
  return limits
    .filter(({ type }) => type === 'PersistentVolumeClaim')
    .flatMap((limit) => [
      ...each(limit.min, (name, amount) => tooLittle('PersistentVolumeClaim', name, amount, requests, {})),
      ...each(limit.max, (name, amount) => requestTooMuch('PersistentVolumeClaim', name, amount, requests)),
    ]);
}

function findings(limit: LimitRangeItem, requests: ResourceList, limits: ResourceList): string[] {
  const { type } = limit;
  return [
    ...each(limit.min, (name, amount) => tooLittle(type, name, amount, requests, limits)),
    ...each(limit.max, (name, amount) => tooMuch(type, name, amount, requests, limits)),
    ...each(limit.maxLimitRequestRatio, (name, amount) => tooFarApart(type, name, amount, requests, limits)),
  ];
}

function each(
  amounts: ResourceList | undefined,
  judge: (name: string, amount: string) => string | undefined,
): string[] {
  return Object.keys(amounts ?? {})
    .sort()
    .flatMap((name) => judge(name, canonicalQuantity(amounts![name]!)) ?? []);
}

const print = (amount: string): string => canonicalQuantity(amount);

function tooLittle(type: string, name: string, amount: string, requests: ResourceList, limits: ResourceList) {
  const rule = `minimum ${name} usage per ${type} is ${amount}`;
  const request = requests[name];
  const limit = limits[name];
  if (request === undefined) return `${rule}.  No request is specified`;
  if (compareQuantities(request, amount) < 0) return `${rule}, but request is ${print(request)}`;
  if (limit !== undefined && compareQuantities(limit, amount) < 0) return `${rule}, but limit is ${print(limit)}`;
  return undefined;
}

function tooMuch(type: string, name: string, amount: string, requests: ResourceList, limits: ResourceList) {
  const rule = `maximum ${name} usage per ${type} is ${amount}`;
  const request = requests[name];
  const limit = limits[name];
  if (limit === undefined) return `${rule}.  No limit is specified`;
  if (compareQuantities(limit, amount) > 0) return `${rule}, but limit is ${print(limit)}`;
  if (request !== undefined && compareQuantities(request, amount) > 0)
    return `${rule}, but request is ${print(request)}`;
  return undefined;
}

function requestTooMuch(type: string, name: string, amount: string, requests: ResourceList) {
  const rule = `maximum ${name} usage per ${type} is ${amount}`;
  const request = requests[name];
  if (request === undefined) return `${rule}.  No request is specified`;
  return compareQuantities(request, amount) > 0 ? `${rule}, but request is ${print(request)}` : undefined;
}

function tooFarApart(type: string, name: string, amount: string, requests: ResourceList, limits: ResourceList) {
  const rule = `${name} max limit to request ratio per ${type} is ${amount}`;
  const request = quantityNumber(requests[name] ?? 0);
  const limit = quantityNumber(limits[name] ?? 0);
  if (request === 0) return `${rule}, but no request is specified or request is 0`;
  if (limit === 0) return `${rule}, but no limit is specified or limit is 0`;
  const ratio = limit / request;
  return ratio > quantityNumber(amount) ? `${rule}, but provided ratio is ${ratio.toFixed(6)}` : undefined;
}
