import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runAtOnce } from '../../../base/steps.ts';
import { type Attributes, denial, resourceAttributes } from '../attributes.ts';
import { describeRules, missingRules } from './cover.ts';
import { type PolicyRule, ruleAllows } from './rules.ts';
import { rulesAbout } from './rules-by-thing.ts';

const pods = (more: Partial<Attributes> = {}): Attributes => ({
  ...resourceAttributes('a', { verb: 'get', group: '', resource: 'pods', namespace: 'dev', name: 'web' }),
  ...more,
});
const path = (url: string, verb = 'get'): Attributes => ({ ...pods({ verb }), isResourceRequest: false, path: url });
const rule = (verbs: string, groups: string, resources: string, names?: string): PolicyRule => ({
  verbs: verbs.split(','),
  apiGroups: groups.split(','),
  resources: resources.split(','),
  ...(names !== undefined && { resourceNames: names.split(',') }),
});
const urls = (verbs: string, list: string): PolicyRule => ({
  verbs: verbs.split(','),
  nonResourceURLs: list.split(','),
});

describe('what a rule allows', () => {
  const table: [string, PolicyRule, Attributes, boolean][] = [
    ['the very thing', rule('get', '', 'pods'), pods(), true],
    ['another verb', rule('list', '', 'pods'), pods(), false],
    ['any verb', rule('*', '', 'pods'), pods(), true],
    ['another group', rule('get', 'apps', 'pods'), pods(), false],
    ['any group', rule('get', '*', 'pods'), pods({ group: 'apps' }), true],
    ['any resource', rule('get', '', '*'), pods({ subresource: 'log' }), true],
    ['the resource says nothing of its parts', rule('get', '', 'pods'), pods({ subresource: 'log' }), false],
    ['one part', rule('get', '', 'pods/log'), pods({ subresource: 'log' }), true],
    ['that part of anything', rule('get', '', '*/log'), pods({ subresource: 'log' }), true],
    ['parts of anything are not the thing', rule('get', '', '*/log'), pods(), false],
    ['one by name', rule('get', '', 'pods', 'web,db'), pods(), true],
    ['another name', rule('get', '', 'pods', 'db'), pods(), false],
    ['a collection has no name', rule('list', '', 'pods', 'web'), pods({ verb: 'list', name: '' }), false],
    ['a path is not a resource', urls('*', '*'), pods(), false],
    ['a resource is not a path', rule('*', '*', '*'), path('/metrics'), false],
    ['a path', urls('get', '/metrics'), path('/metrics'), true],
    ['a path below', urls('get', '/metrics'), path('/metrics/x'), false],
    ['paths below', urls('get', '/apis/*'), path('/apis/apps'), true],
    ['paths below are not the path', urls('get', '/apis/*'), path('/apis'), false],
    ['another verb on a path', urls('get', '*'), path('/metrics', 'post'), false],
  ];
  for (const [name, given, attributes, expected] of table) {
    it(name, () => assert.equal(ruleAllows(given, attributes), expected));
  }
});

describe('what is missing to give rules away', () => {
  const table: [string, PolicyRule[], PolicyRule[], string][] = [
    ['nothing of what is held', [rule('get,list', '', 'pods')], [rule('list', '', 'pods')], ''],
    [
      'a verb',
      [rule('get', '', 'pods')],
      [rule('get,list', '', 'pods')],
      '{APIGroups:[""], Resources:["pods"], Verbs:["list"]}',
    ],
    [
      'verbs of one thing are told together',
      [],
      [rule('get,list', '', 'pods')],
      '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}',
    ],
    [
      'all names, with one held',
      [rule('get', '', 'pods', 'a')],
      [rule('get', '', 'pods')],
      '{APIGroups:[""], Resources:["pods"], Verbs:["get"]}',
    ],
    ['a name, with all held', [rule('get', '', 'pods')], [rule('get', '', 'pods', 'a')], ''],
    ['a part by its kind', [rule('get', '', '*/log')], [rule('get', '', 'pods/log')], ''],
    [
      'everything, with much held',
      [rule('*', '', '*')],
      [rule('*', '*', '*')],
      '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}',
    ],
    ['from several rules', [rule('get', '', 'pods'), rule('list', '', 'pods')], [rule('get,list', '', 'pods')], ''],
    [
      'paths',
      [urls('get', '/apis/*')],
      [urls('get', '/apis/apps,/metrics')],
      '{NonResourceURLs:["/metrics"], Verbs:["get"]}',
    ],
  ];
  for (const [name, held, wanted, expected] of table) {
    it(name, () => assert.equal(describeRules(runAtOnce(missingRules(held, wanted))), expected));
  }
});

describe('roles that are long', () => {
  const many = (make: (index: number) => PolicyRule, count = 200) => Array.from({ length: count }, (_, i) => make(i));
  const held = [...many((i) => rule('get', 'x', `r${i}`)), rule('list', 'x', '*'), rule('watch', 'x', '*/log')];

  it('are found by what they are about', () => {
    const about = (resource: string) =>
      [...runAtOnce(rulesAbout(held, resource))].map(({ resources }) => resources![0]);
    assert.deepEqual(about('r7'), ['r7', '*']);
    assert.deepEqual(about('r7/log'), ['*', '*/log']);
    assert.deepEqual(about('none'), ['*']);
  });

  it('are held to one another as short ones are', () => {
    const wanted = [
      rule('get', 'x', 'r199'),
      rule('list', 'x', 'q'),
      rule('watch', 'x', 'q/log'),
      rule('get', 'x', 'q'),
    ];
    assert.equal(
      describeRules(runAtOnce(missingRules(held, wanted))),
      '{APIGroups:["x"], Resources:["q"], Verbs:["get"]}',
    );
  });

  it('are refused where they name more things than can be looked at', () => {
    const names = (letter: string) => Array.from({ length: 1000 }, (_, i) => `${letter}${i}`);
    const wide = { verbs: names('v'), apiGroups: names('g'), resources: names('r') };
    assert.throws(() => runAtOnce(missingRules(held, [wide])), { code: 413 });
  });
});

describe('the words of a denial', () => {
  const alice = { name: 'alice', groups: [], kind: 'tenant' as const, tenant: 'a' };
  const table: [Attributes, string, string][] = [
    [
      pods({ verb: 'list', name: '', namespace: 'default' }),
      '',
      'pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default"',
    ],
    [
      resourceAttributes('a', {
        verb: 'update',
        group: 'apps',
        resource: 'deployments',
        subresource: 'scale',
        name: 'web',
      }),
      '',
      'deployments.apps "web" is forbidden: User "alice" cannot update resource "deployments/scale" in API group "apps" at the cluster scope',
    ],
    [path('/metrics'), '', 'forbidden: User "alice" cannot get path "/metrics"'],
    [path('/<b>'), 'RBAC: why', 'forbidden: User "alice" cannot get path "/&lt;b&gt;": RBAC: why'],
  ];
  for (const [attributes, reason, expected] of table) {
    it(expected, () => assert.equal(denial(alice, attributes, reason), expected));
  }
});
