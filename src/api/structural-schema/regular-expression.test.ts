import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinearMatcher } from './linear-matcher.ts';
import { compilePattern } from './regular-expression.ts';

const samples = [
  '',
  'a',
  'b',
  'ab',
  'aab',
  'aaab',
  'abab',
  'xaby',
  'A',
  'a\nb',
  'foo.bar',
  '10.0.0.1',
  'é€😀',
  'a-b_c 12',
  '\n',
];
const patterns = [
  'a',
  '^a$',
  'a*',
  'a+b',
  '(a|b)+',
  '(ab)*$',
  '^(?:a|ab)(?:c|b)?$',
  'a{2}',
  'a{1,2}b',
  'a{2,}',
  '[^a]',
  '[a-c]+',
  '\\d+(\\.\\d+){3}',
  '.',
  '(?s).',
  '(?i)A',
  '(?m)^b',
  '\\bb\\b',
  '\\Ba',
  '\\Aa',
  'b\\z',
  'x?',
  '(a?){3}',
  '\\p{L}+',
  '[[:alpha:]]+',
  '(a*)*b',
  'a+?',
  '(?:)',
  '\\w+\\s\\w+',
  '[\\w.-]+',
];

test('the linear matcher finds what the engine finds', () => {
  for (const pattern of patterns) {
    const { source, flags } = expressionOf(pattern);
    const linear = new LinearMatcher(source, flags);
    for (const text of samples) {
      const native = new RegExp(source, flags).exec(text);
      const found = linear.find(text);
      const shown = `${pattern} in ${JSON.stringify(text)}`;
      assert.equal(found === undefined ? undefined : text.slice(...found), native?.[0], shown);
      assert.equal(found?.[0], native?.index, shown);
    }
  }
});

/** The translation, through what does not depend on it: a JavaScript pattern that means the same. */
function expressionOf(pattern: string): { source: string; flags: string } {
  const flags = `u${/^\(\?([a-z]+)\)/.exec(pattern)?.[1] ?? ''}`;
  const source = pattern
    .replace(/^\(\?[a-z]+\)/, '')
    .replaceAll('\\A', '(?<![\\s\\S])')
    .replaceAll('\\z', '(?![\\s\\S])')
    .replaceAll('[[:alpha:]]', '[A-Za-z]');
  return { source, flags };
}

test('what would keep a backtracking matcher busy is decided at once', () => {
  const text = `${'a'.repeat(5000)}!`;
  for (const pattern of [
    '^(a+)+$',
    '^(a|a)*$',
    '^(.*a){20}$',
    '(a?){50}a{50}b',
    '^(([a-z])+.)+[A-Z]([a-z])+$',
    'a*a*a*a*a*b',
  ]) {
    assert.equal(compilePattern(pattern).test(text), false, pattern);
  }
});

test('all matches, as Go finds them', () => {
  assert.deepEqual(compilePattern('a*').findAll('baac', -1), ['', 'aa', '']);
  assert.deepEqual(compilePattern('[0-9]+').findAll('a1b22c333', 2), ['1', '22']);
  assert.deepEqual(compilePattern('x').findAll('abc', -1), []);
  assert.equal(compilePattern('l+').find('hello'), 'll');
});

test('flags hold for the rest of their group, past bars', () => {
  for (const [pattern, matched, unmatched] of [
    ['^(?i)(abort|warn)?$', ['Abort', 'WARN', ''], ['aborted']],
    ['a(?i)b|c', ['aB', 'C'], ['AB']],
    ['^(x(?i)y|z)w$', ['xYw', 'Zw'], ['xYW', 'XYw']],
    ['^((?i)january|may|[1-9])(?::((?i)january|may))?$', ['January:MAY', '3', 'mAy'], ['June']],
    ['^a(?s).(?-s).$', ['a\nb'], ['ab\n']],
    ['(?i)^a(?-i)b$', ['Ab'], ['AB']],
  ] as const) {
    for (const text of matched) assert.equal(compilePattern(pattern).test(text), true, `${pattern} in ${text}`);
    for (const text of unmatched) assert.equal(compilePattern(pattern).test(text), false, `${pattern} in ${text}`);
    for (const text of [...matched, ...unmatched]) {
      const found = compilePattern(pattern).findAll(text, 1);
      assert.equal(found.length === 1, (matched as readonly string[]).includes(text), `all of ${pattern} in ${text}`);
    }
  }
});

test('what Go does not compile is refused', () => {
  for (const [pattern, message] of [
    ['(', 'missing closing ): `(`'],
    ['a{1001}', 'invalid repeat count: `{1001}`'],
    ['(?=a)', 'invalid or unsupported Perl syntax: `(?=`'],
    ['\\1', 'invalid escape sequence: `\\1`'],
    ['((a{100}){100}){100}', 'invalid repeat count: `{100}`'],
    ['(a{30}b{2}){40}', 'invalid repeat count: `{40}`'],
  ]) {
    assert.throws(() => compilePattern(pattern!), { message: `error parsing regexp: ${message}` });
  }
});

test('no pattern holds up the event loop for long, and those that take little go on', async () => {
  const dear = compilePattern('((a{1,100}){1,10})*b');
  assert.throws(() => dear.test('a'.repeat(300_000)), { message: 'matching takes too long' });
  assert.equal(compilePattern('^(a+)+$').test('a'.repeat(1000)), true);
  assert.throws(() => compilePattern('a|a.*b').findAll('a'.repeat(40_000), -1), { message: 'matching takes too long' });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(compilePattern('a|a.*b').findAll('a'.repeat(1000), -1).length, 1000);
  assert.equal(compilePattern(`${'a'.repeat(3000)}b`).test(`${'a'.repeat(10_000)}b`), true);
});
