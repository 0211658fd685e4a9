import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { DeclaredStructs } from './declared-structs.ts';
import { kubernetesFunctions } from './library.ts';
import { compileProgram, type Environment } from './program.ts';
import { type CelType, dynType, stringType, structOf } from './types.ts';
import { jsonValue, toJson } from './values.ts';

const environment: Environment = {
  functions: kubernetesFunctions(),
  variables: new Map<string, CelType>([
    ['x', dynType],
    ['s', stringType],
    ['o', structOf('Some')],
  ]),
  structs: new DeclaredStructs({ Some: { known: stringType } }),
};
const x = { a: 1, list: [1, 2, 3], m: { k: 'v' }, s: 'héllo', f: 1.5, n: null };
const pairs = (name: string): [expression: string, expected: unknown][] =>
  parse(readFileSync(new URL(`testdata/${name}.yaml`, import.meta.url), 'utf8'));
const evaluate = (expression: string) =>
  compileProgram(expression, environment).evaluate((name) => (name === 'x' ? jsonValue(x) : undefined));

test('expressions have the values they should have', () => {
  for (const [expression, expected] of pairs('values')) {
    const { value, error } = evaluate(expression);
    assert.equal(error, undefined, expression);
    assert.deepEqual(toJson(value), expected, expression);
  }
});

test('what goes wrong while running is said as cel-go says it', () => {
  for (const [expression, expected] of pairs('failures'))
    assert.equal(evaluate(expression).error, expected, expression);
});

test('what does not compile is said as cel-go says it, with its place', () => {
  for (const [expression, expected] of pairs('issues')) {
    assert.throws(
      () => compileProgram(expression, environment),
      (error: Error) => {
        assert.equal(error.message, expected, expression);
        return true;
      },
      expression,
    );
  }
});

test('costs are those of cel-go', () => {
  for (const [expression, cost] of [
    ['true', 0],
    ['x.a', 2],
    ['x.a == 1', 3],
    ['x.list.all(i, i > 0)', 18],
    ['has(x.a)', 1],
    ['"abcdefghijklm".matches("^a")', 2],
    ['[1, 2]', 0],
    ['[x.a, x.f]', 14],
    ['{"a": x.a}', 32],
    ['{"a": x.a}.a', 34],
    ['x.a in [1, 2]', 2],
    ['x.list[9]', 3],
    ['x.?z.orValue(1)', 1],
    ['x.a == 1 || x.z', 3],
  ] as const) {
    assert.equal(evaluate(expression).cost, cost, expression);
  }
});

test('hostile expressions end', () => {
  const deep = `${'('.repeat(300)}1${')'.repeat(300)}`;
  assert.throws(() => compileProgram(deep, environment), /expression recursion limit exceeded: 250/);
  const nested = Array.from({ length: 30 }).reduce<string>((inner) => `${inner}.optMap(v, v)`, 'x.?a');
  assert.throws(() => compileProgram(nested, environment), /too large/);
  assert.throws(() => compileProgram('1'.repeat(100_001), environment), /code point size exceeds limit/);
  const many = Array.from({ length: 5000 }, () => 'x.a == 1').join(' && ');
  assert.equal(compileProgram(many, environment).evaluate(() => jsonValue(x)).value, true);
});

test('a run that takes far longer than its cost says is ended', () => {
  const long = Array.from({ length: 60_000 }, (_, index) => index);
  const program = compileProgram('x.all(a, a in x)', environment);
  const outcome = program.evaluate((name) => (name === 'x' ? jsonValue(long) : undefined));
  assert.equal(outcome.error, 'operation cancelled: actual cost limit exceeded');
  assert.ok(outcome.isExceeded && outcome.cost >= 10_000_000);
});
