import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { runAtOnce } from '../../base/steps.ts';
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

/** Each expression, alone and where loops are around it and beside it. */
const withLoops = (expression: string): string[] => [
  expression,
  `[1, 2].map(q, (${expression}))`,
  `[(${expression}), x.list.map(i, i)]`,
  `x.list.exists(i, i == 2 && (${expression}) != x.list.map(j, j)) ? [(${expression})] : [x.list.map(i, i)]`,
  `{"k": (${expression}), "l": x.list.filter(i, i > 1)}`,
  `size(x.list.map(i, [(${expression})])) + x.list.map(i, i)[0]`,
  `(x.list.all(i, i > 0) || (${expression}) == 1) && !(x.list.exists(i, (${expression}) == i) && false)`,
];

test('in steps, expressions come to the same, at the same cost', () => {
  let compared = 0;
  for (const [plain] of [...pairs('values'), ...pairs('failures')]) {
    for (const expression of withLoops(plain)) {
      let program: ReturnType<typeof compileProgram>;
      try {
        program = compileProgram(expression, environment);
      } catch {
        continue;
      }
      const resolve = (name: string) => (name === 'x' ? jsonValue(x) : undefined);
      const shown = ({ value, ...rest }: ReturnType<typeof program.evaluate>) => ({ value: toJson(value), ...rest });
      let outcome: ReturnType<typeof program.evaluate>;
      try {
        outcome = program.evaluate(resolve);
      } catch {
        continue;
      }
      // Where a run ends that takes too long is a matter of time.
      if (outcome.isExceeded === true) continue;
      const atOnce = shown(outcome);
      assert.deepEqual(shown(runAtOnce(program.evaluateSteps(resolve))), atOnce, expression);
      compared++;
    }
  }
  assert.ok(compared > 300, `${compared}`);
});

test('what loops for long is given up when it is to be quick, and goes on in steps', () => {
  const many = Array.from({ length: 150 }, (_, index) => index);
  const program = compileProgram('x.all(a, x.exists(b, b >= a))', environment);
  const resolve = (name: string) => (name === 'x' ? jsonValue(many) : undefined);
  assert.equal(program.evaluateQuickly(resolve), undefined);
  const steps = program.evaluateSteps(resolve);
  let count = 0;
  let ended = steps.next();
  for (; ended.done !== true; ended = steps.next()) count++;
  assert.deepEqual(ended.value, program.evaluate(resolve));
  assert.ok(count > 100, `${count}`);
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
