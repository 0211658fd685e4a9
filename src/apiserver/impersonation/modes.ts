import { nameIsDnsLabel, nameIsDnsSubdomain } from '../../api/names.ts';
import type { StatusError } from '../../api/status.ts';
import { type Attributes, deniedError, resourceAttributes } from '../authorization/attributes.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import { type Identity, SYSTEM_MASTERS } from '../identity/identity.ts';
import { refusedExtra } from './extra-keys.ts';
import type { WantedUser } from './wanted-user.ts';

const authenticationGroup = 'authentication.k8s.io';
const anonymousName = 'system:anonymous';
const authenticated = 'system:authenticated';
const unauthenticated = 'system:unauthenticated';
/** As upstream's manyAuthorizationChecksInLoop. */
const manyChecks = 4;

/** A way in which someone may be impersonated. Source: KEP-5284, on by default since 1.36. */
interface Mode {
  /** `associated-node`, `arbitrary-node`, `serviceaccount` or `user-info`; '' the old way, where `impersonate` is all. */
  name: string;
  applies(wanted: WantedUser, requestor: Identity): boolean;
}

const onlyNamed = ({ uid, groups, extra }: WantedUser) =>
  uid === '' && groups.length === 0 && Object.keys(extra).length === 0;

/** In the order they are tried; what the first that applies has against it is what the asker hears. */
const modes: Mode[] = [
  {
    name: 'associated-node',
    applies(wanted, requestor) {
      const nodes = requestor.extra?.['authentication.kubernetes.io/node-name'] ?? [];
      const node = nodeOf(wanted.name);
      const isServiceAccount = serviceAccountOf(requestor.name) !== undefined;
      return onlyNamed(wanted) && isServiceAccount && node !== undefined && nodes.length === 1 && nodes[0] === node;
    },
  },
  { name: 'arbitrary-node', applies: (wanted) => onlyNamed(wanted) && nodeOf(wanted.name) !== undefined },
  { name: 'serviceaccount', applies: (wanted) => onlyNamed(wanted) && serviceAccountOf(wanted.name) !== undefined },
  {
    name: 'user-info',
    applies: ({ name }) => nodeOf(name) === undefined && serviceAccountOf(name) === undefined,
  },
  { name: '', applies: () => true },
];

/**
 * Who the requestor becomes for one request, if some mode allows it; throws 403 otherwise. The new identity is one of
 * the tenant whose API is asked, whoever asks: nobody reaches another tenant, or the platform, by a name.
 */
export async function impersonate(
  authorizer: Authorizer,
  requestor: Identity,
  wanted: WantedUser,
  attributes: Attributes,
): Promise<Identity> {
  let firstError: unknown;
  for (const mode of modes) {
    if (!mode.applies(wanted, requestor)) continue;
    const check = async (asked: Attributes): Promise<void> => {
      // What is checked for the node that one stands on is good for any node one may stand on.
      const judged = asked.verb === 'impersonate:associated-node' ? { ...asked, name: '*' } : asked;
      const decision = await authorizer.authorize(requestor, judged);
      if (!decision.allowed) throw deniedError(requestor, judged, decision.reason);
    };
    try {
      if (mode.name !== '') {
        await check({ ...attributes, verb: `impersonate-on:${mode.name}:${attributes.verb}` });
      }
      return await become(mode, requestor, wanted, attributes.tenant, check);
    } catch (error) {
      firstError ??= error;
    }
  }
  throw firstError;
}

async function become(
  { name: modeName }: Mode,
  requestor: Identity,
  wanted: WantedUser,
  tenant: string,
  check: (asked: Attributes) => Promise<void>,
): Promise<Identity> {
  const isConstrained = modeName !== '';
  const verb = isConstrained ? `impersonate:${modeName}` : 'impersonate';
  const group = isConstrained ? authenticationGroup : '';
  const refuse = (asked: Attributes, why: string): StatusError => deniedError(requestor, asked, why);
  /** Where there are many, who may impersonate any is asked about none of them. */
  const checkAll = async (many: Attributes[], any: Attributes) => {
    if (isConstrained && many.length >= manyChecks && (await isAllowed(check, any))) return;
    for (const one of many) await check(one);
  };

  let { groups } = wanted;
  const account = serviceAccountOf(wanted.name);
  const node = isConstrained ? nodeOf(wanted.name) : undefined;
  if (account !== undefined) {
    await check(resourceAttributes(tenant, { verb, group, resource: 'serviceaccounts', ...account }));
    if (groups.length === 0) groups = ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`];
  } else if (node !== undefined) {
    await check(resourceAttributes(tenant, { verb, group, resource: 'nodes', name: node }));
    groups = ['system:nodes'];
  } else {
    await check(resourceAttributes(tenant, { verb, group, resource: 'users', name: wanted.name }));
  }
  if (wanted.uid !== '') {
    await check(resourceAttributes(tenant, { verb, group: authenticationGroup, resource: 'uids', name: wanted.uid }));
  }
  const groupNamed = (name: string) => resourceAttributes(tenant, { verb, group, resource: 'groups', name });
  const extraNamed = (subresource: string, name: string) =>
    resourceAttributes(tenant, { verb, group: authenticationGroup, resource: 'userextras', subresource, name });
  const values = Object.entries(wanted.extra).flatMap(([key, list]) => list.map((value) => extraNamed(key, value)));
  if (isConstrained && wanted.groups.includes('')) {
    throw refuse(groupNamed(''), 'impersonating the empty string group is not allowed');
  }
  if (isConstrained && wanted.groups.includes(SYSTEM_MASTERS)) {
    throw refuse(groupNamed(SYSTEM_MASTERS), 'impersonating the system:masters group is not allowed');
  }
  await checkAll(wanted.groups.map(groupNamed), groupNamed('*'));
  const refusal = isConstrained ? refusedExtra(wanted.extra) : undefined;
  if (refusal !== undefined) throw refuse(extraNamed('', ''), refusal);
  await checkAll(values, extraNamed('*', '*'));

  const everyone = wanted.name === anonymousName ? unauthenticated : authenticated;
  const isComplete = groups.includes(everyone) || groups.includes(unauthenticated);
  return {
    name: wanted.name,
    ...(wanted.uid !== '' && { uid: wanted.uid }),
    groups: isComplete ? [...groups] : [...groups, everyone],
    ...(Object.keys(wanted.extra).length > 0 && { extra: wanted.extra }),
    kind: 'tenant',
    tenant,
  };
}

async function isAllowed(check: (asked: Attributes) => Promise<void>, asked: Attributes): Promise<boolean> {
  try {
    await check(asked);
    return true;
  } catch {
    return false;
  }
}

/** Source: apiserver's serviceaccount.SplitUsername: a name that none can have is that of a user. */
function serviceAccountOf(name: string): { namespace: string; name: string } | undefined {
  const match = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name);
  if (match === null) return undefined;
  const [, namespace = '', account = ''] = match;
  const isOne = nameIsDnsLabel(namespace, false).length === 0 && nameIsDnsSubdomain(account, false).length === 0;
  return isOne ? { namespace, name: account } : undefined;
}

const nodePrefix = 'system:node:';
function nodeOf(name: string): string | undefined {
  if (!name.startsWith(nodePrefix)) return undefined;
  const node = name.slice(nodePrefix.length);
  return nameIsDnsSubdomain(node, false).length === 0 ? node : undefined;
}
