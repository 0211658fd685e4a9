import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resourceAttributes } from '../authorization/attributes.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { Identity } from '../identity/identity.ts';
import { impersonate } from './modes.ts';
import type { WantedUser } from './wanted-user.ts';

const bob: Identity = { name: 'bob', groups: [], kind: 'tenant', tenant: 'a' };
const listed = resourceAttributes('a', { verb: 'list', group: '', resource: 'pods', namespace: 'dev' });
const constrained = /^impersonate(-on)?:/;

/** Allows the constrained ways, and of their groups and extras only those named; whoever has no names may not be asked for. */
function allowing(...names: string[]): Authorizer {
  return {
    authorize(_: Identity, { verb, resource, name }: any) {
      const isNamed = resource === 'groups' || resource === 'userextras';
      return { allowed: constrained.test(verb) && (!isNamed || names.includes(name)), reason: '' };
    },
    rules: () => ({ rules: [], errors: [] }),
  } as unknown as Authorizer;
}

const become = (wanted: Partial<WantedUser>, authorizer = allowing('why', 'devs')) =>
  impersonate(authorizer, bob, { name: 'jane', uid: '', groups: [], extra: {}, ...wanted }, listed);
/** What stands against it, without who asks for what. */
const refusal = async (wanted: Partial<WantedUser>, authorizer?: Authorizer): Promise<string> => {
  const { message } = await become(wanted, authorizer).then(
    () => ({ message: 'at the cluster scope: ' }),
    (error) => error as Error,
  );
  return message.replace(/.* (resource "\S+") in API group "\S+" at the cluster scope(?:: )?/, '$1 ');
};

test('extras that are no domain-prefixed paths are impersonated the old way only', async () => {
  assert.deepEqual((await become({ extra: { 'acme.io/reason': ['why'] } })).extra, { 'acme.io/reason': ['why'] });
  const prefix = 'resource "userextras" ';
  const invalid = `${prefix}impersonating an invalid key in extra is not allowed: extra.key: Invalid value: `;
  const path = 'must be a domain-prefixed path (such as "acme.io/foo")';
  for (const [key, why] of [
    ['reason', `${invalid}"reason": ${path}`],
    ['acme.io/', `${invalid}"acme.io/": ${path}`],
    ['/x', `${invalid}"/x": ${path}`],
    ['acme.io/^', `${invalid}"^": Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')`],
    ['acme.io/uP', `${prefix}impersonating a non-lowercase key in extra is not allowed: "acme.io/uP"`],
    ['', `${prefix}impersonating the empty string key in extra is not allowed`],
  ] as const) {
    assert.equal(await refusal({ extra: { [key]: ['why'] } }), why);
  }
  assert.match(await refusal({ extra: { '_a/x': ['why'] } }), /Invalid value: "_a": a lowercase RFC 1123 subdomain/);
  const empty = `${prefix}impersonating the empty string value in extra is not allowed`;
  assert.equal(await refusal({ extra: { 'acme.io/reason': [''] } }), empty);
  const old = {
    ...allowing(),
    authorize: (_: Identity, { verb }: any) => ({ allowed: verb === 'impersonate', reason: '' }),
  };
  assert.deepEqual((await become({ extra: { reason: ['why'] } }, old as Authorizer)).extra, { reason: ['why'] });
});

test('who may impersonate any of many is asked about none of them', async () => {
  const groups = ['a', 'b', 'c', 'd'];
  assert.deepEqual((await become({ groups }, allowing('*'))).groups, [...groups, 'system:authenticated']);
  assert.equal(await refusal({ groups: groups.slice(1) }, allowing('*')), 'resource "groups" ');
  const extra = { 'acme.io/a': ['1', '2'], 'acme.io/b': ['3', '4'] };
  assert.deepEqual((await become({ extra }, allowing('*'))).extra, extra);
  assert.equal(await refusal({ groups }), 'resource "groups" ');
});

test('what nobody may be is looked at before anything is asked', async () => {
  const masters = 'resource "groups" impersonating the system:masters group is not allowed';
  assert.equal(await refusal({ groups: ['ops', 'system:masters'] }), masters);
  assert.equal(
    await refusal({ groups: ['ops', ''] }),
    'resource "groups" impersonating the empty string group is not allowed',
  );
});

test('a name that no service account can have is that of a user', async () => {
  const robot = await become({ name: 'system:serviceaccount:dev:robot.x' });
  assert.deepEqual(robot.groups, ['system:serviceaccounts', 'system:serviceaccounts:dev', 'system:authenticated']);
  for (const name of ['system:serviceaccount:Bad:x', 'system:serviceaccount:a.b:x', 'system:serviceaccount:a:X']) {
    assert.deepEqual((await become({ name })).groups, ['system:authenticated'], name);
  }
});
