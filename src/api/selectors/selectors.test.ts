import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../object.ts';
import { builtinResources } from '../resources/index.ts';
import { parseFieldSelector } from './field-selectors.ts';
import {
  cachedSelector,
  formatLabelSelector,
  parseLabelSelector,
  selectorFromLabelSelector,
  selectorFromLabels,
} from './label-selectors.ts';

test('label selectors match as Kubernetes matches', () => {
  const cases: [string, Record<string, string>, boolean][] = [
    ['', {}, true],
    ['a=b', { a: 'b' }, true],
    ['a==b', { a: 'c' }, false],
    ['a!=b', {}, true],
    ['a!=b', { a: 'b' }, false],
    ['a', { a: '' }, true],
    ['!a', { a: '' }, false],
    ['a in (b, c)', { a: 'c' }, true],
    ['a in (b,c)', {}, false],
    ['a notin (b)', {}, true],
    ['a in ()', { a: '' }, true],
    ['a=', { a: '' }, true],
    ['a>3', { a: '10' }, true],
    ['a<3', { a: 'x' }, false],
    ['a=b,c!=d , !e', { a: 'b' }, true],
    ['in in (in)', { in: 'in' }, true],
    ['constructor', {}, false],
    ['!toString', {}, true],
    ['app.kubernetes.io/name=x', { 'app.kubernetes.io/name': 'x' }, true],
  ];
  for (const [text, labels, expected] of cases) {
    assert.equal(parseLabelSelector(text).matches(labels), expected, `${text} on ${JSON.stringify(labels)}`);
  }
});

test('bad label selectors are refused in upstream words', () => {
  const cases: [string, RegExp][] = [
    [
      'a in',
      /^unable to parse requirement: found '', expected: '\('|^unable to parse requirement: found '' expected: '\('/,
    ],
    ['a b', /^unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt$/],
    ['a=b c', /^found 'c', expected: ',' or 'end of string'$/],
    [',a', /^found ',', expected: !, identifier, or 'end of string'$/],
    ['a,', /^found '', expected: identifier after ','$/],
    ['a-=b', /^unable to parse requirement: <nil>: Invalid value: "a-": name part must consist of/],
    ['a=b-', /^unable to parse requirement: values\[0\]\[a\]: Invalid value: "b-": a valid label must be/],
    ['a>b', /for 'Gt', 'Lt' operators, the value must be an integer/],
  ];
  for (const [text, message] of cases) assert.throws(() => parseLabelSelector(text), { message }, text);
});

test('selector objects: absent selects nothing, empty everything', () => {
  assert.equal(selectorFromLabelSelector(undefined).matches({ a: 'b' }), false);
  assert.equal(selectorFromLabelSelector({}).matches({ a: 'b' }), true);
  const selector = {
    matchLabels: { a: 'b' },
    matchExpressions: [
      { key: 'c', operator: 'In', values: ['e', 'd'] },
      { key: 'f', operator: 'DoesNotExist' },
    ],
  };
  assert.equal(selectorFromLabelSelector(selector).matches({ a: 'b', c: 'd' }), true);
  assert.equal(selectorFromLabelSelector(selector).matches({ a: 'b', c: 'd', f: '' }), false);
  assert.equal(selectorFromLabelSelector(selector).toString(), 'a=b,c in (d,e),!f');
  assert.equal(cachedSelector(selector), cachedSelector(selector));
  assert.equal(formatLabelSelector({}), '<none>');
  assert.equal(selectorFromLabels({ b: '1', a: '2' }).toString(), 'a=2,b=1');
  assert.throws(() => selectorFromLabelSelector({ matchExpressions: [{ key: 'a', operator: 'Near' }] }), {
    message: '"Near" is not a valid label selector operator',
  });
});

test('field selectors know the fields of their resource', () => {
  const pods = builtinResources.find((definition) => definition.resource === 'pods')!;
  const pod = { metadata: { name: 'a', namespace: 'b' }, spec: { nodeName: 'n' }, status: {} } as unknown as KubeObject;
  assert.equal(parseFieldSelector('metadata.name=a,spec.nodeName==n', pods).matches(pod), true);
  assert.equal(parseFieldSelector('status.phase!=Running', pods).matches(pod), true);
  assert.equal(parseFieldSelector('spec.hostNetwork=false', pods).matches(pod), true);
  assert.equal(parseFieldSelector('spec.nodeName=', pods).matches(pod), false);
  assert.equal(parseFieldSelector('metadata.name=a\\,b', pods).requirements[0]!.value, 'a,b');
  assert.throws(() => parseFieldSelector('spec.foo=x', pods), { message: 'field label not supported: spec.foo' });
  assert.throws(() => parseFieldSelector('x', pods), { message: "invalid selector: 'x'; can't understand 'x'" });
});
