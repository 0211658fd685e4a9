import { createHash } from 'node:crypto';
import type { Identity } from '../identity/identity.ts';
import type { RequestInfo } from '../request-info.ts';

/** A FlowSchema as far as matching goes. Its `spec` is what the API holds: nothing in it is taken for granted. */
export interface FlowSchema {
  name: string;
  uid: string;
  /** Name of its priority level. */
  level: string;
  precedence: number;
  distinguisher: 'ByUser' | 'ByNamespace' | undefined;
  rules: any[];
}

/** The order schemas are tried in: by precedence, then by name. */
export function byPrecedence(a: FlowSchema, b: FlowSchema): number {
  return a.precedence - b.precedence || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

/** Source: apiserver/pkg/util/flowcontrol/rule.go. */
export function matchesSchema(schema: FlowSchema, identity: Identity, info: RequestInfo): boolean {
  for (const rule of schema.rules) {
    if (!rule?.subjects?.some((subject: any) => matchesSubject(subject, identity))) continue;
    const matched = info.isResourceRequest
      ? rule.resourceRules?.some((one: any) => matchesResourceRule(one, info))
      : rule.nonResourceRules?.some((one: any) => matchesPathRule(one, info));
    if (matched) return true;
  }
  return false;
}

function matchesSubject(subject: any, identity: Identity): boolean {
  switch (subject?.kind) {
    case 'User':
      return subject.user?.name === '*' || subject.user?.name === identity.name;
    case 'Group':
      return subject.group?.name === '*' || identity.groups.includes(subject.group?.name);
    case 'ServiceAccount': {
      const { namespace, name } = subject.serviceAccount ?? {};
      const prefix = `system:serviceaccount:${namespace}:`;
      return name === '*' ? identity.name.startsWith(prefix) : identity.name === `${prefix}${name}`;
    }
    default:
      return false;
  }
}

function matchesResourceRule(rule: any, info: RequestInfo): boolean {
  const resource = info.subresource === '' ? info.resource : `${info.resource}/${info.subresource}`;
  return (
    holds(rule?.verbs, info.verb) &&
    holds(rule.resources, resource) &&
    holds(rule.apiGroups, info.group) &&
    (info.namespace === '' ? rule.clusterScope === true : holds(rule.namespaces, info.namespace))
  );
}

function matchesPathRule(rule: any, info: RequestInfo): boolean {
  if (!holds(rule?.verbs, info.verb)) return false;
  return (rule.nonResourceURLs ?? []).some((url: any) => {
    if (url === '*' || url === info.path) return true;
    let prefix = String(url).replace(/\*$/, '');
    if (!prefix.endsWith('/')) prefix += '/';
    return info.path.startsWith(prefix);
  });
}

function holds(list: unknown, value: string): boolean {
  return Array.isArray(list) && ((list.length === 1 && list[0] === '*') || list.includes(value));
}

/** What tells flows of one schema apart. */
export function flowDistinguisher(schema: FlowSchema, identity: Identity, info: RequestInfo): string {
  switch (schema.distinguisher) {
    case 'ByUser':
      return identity.name;
    case 'ByNamespace':
      return info.namespace;
    default:
      return '';
  }
}

/**
 * The hand of queues a flow may use: shuffle sharding, so that a heavy flow meets a light one in all of its queues
 * only by rare chance. Source: apiserver/pkg/util/shufflesharding.
 */
export function dealHand(flow: string, queues: number, handSize: number): number[] {
  let hash = createHash('sha256').update(flow).digest().readBigUInt64LE(0);
  const hand: number[] = [];
  for (let index = 0; index < Math.min(handSize, queues); index++) {
    const left = BigInt(queues - index);
    let card = Number(hash % left);
    hash /= left;
    // Cards dealt before are no more in the deck: count past them, in ascending order.
    for (const dealt of [...hand].sort((a, b) => a - b)) if (dealt <= card) card++;
    hand.push(card);
  }
  return hand;
}
