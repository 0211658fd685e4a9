import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runAtOnce } from '../../base/steps.ts';
import { findDuplicateFields } from './duplicate-fields.ts';
import { readJson } from './read-json.ts';
import { writeJson, writeJsonBytes } from './write-json.ts';

const read = (text: string) => runAtOnce(readJson(text));

/** A generator of numbers that are the same in every run. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const scalars = [
  '0',
  '-0',
  '1.5e3',
  '-12.25E-2',
  '1e400',
  'true',
  'false',
  'null',
  '""',
  '"a"',
  '"\\"\\\\"',
  '"\\u00e9\\n"',
  '"ä€😀"',
  '"\\\\"',
  '12345678901234567890',
];
const keys = ['"a"', '"b"', '"a.b"', '"0"', '"17"', '"__proto__"', '"constructor"', '"\\u0061"', '""', '"c\\"d"'];

function textOf(random: (below: number) => number, depth: number): string {
  const space = () => [' ', '', '', '\n\t', '\r'][random(5)]!;
  const kind = depth === 0 ? 2 : random(3);
  if (kind === 2) return scalars[random(scalars.length)]!;
  const members = Array.from({ length: random(7) }, () => {
    const value = `${space()}${textOf(random, depth - 1)}${space()}`;
    return kind === 0 ? value : `${space()}${keys[random(keys.length)]}${space()}:${value}`;
  }).join(',');
  return kind === 0 ? `[${members || space()}]` : `{${members || space()}}`;
}

test('reads what JSON.parse reads, finds what the scanner finds, and refuses what they refuse', () => {
  const random = randomOf(7);
  let refused = 0;
  for (let round = 0; round < 20_000; round++) {
    let text = textOf(random, random(6));
    if (round % 2 === 1) {
      const at = random(text.length + 1);
      text =
        text.slice(0, at) +
        ['', '"', ',', '}', ']', '\\', '\u0001', 'x', '0', '-', '.', ':', '\ufeff'][random(13)] +
        text.slice(at + random(2));
    }
    let expected: unknown;
    try {
      expected = JSON.parse(text);
    } catch {
      refused++;
      assert.throws(() => read(text), SyntaxError, text);
      continue;
    }
    const { value, duplicates } = read(text);
    assert.deepEqual(value, expected, text);
    assert.equal(JSON.stringify(value), JSON.stringify(expected), text);
    assert.deepEqual(duplicates, findDuplicateFields(text), text);
  }
  assert.ok(refused > 1000);
});

test('a member called __proto__ is one like others', () => {
  const { value } = read('{"__proto__":{"polluted":true},"a":1}');
  assert.equal(value.polluted, undefined);
  assert.deepEqual(Object.keys(value), ['__proto__', 'a']);
});

test('long lists and objects are read and written in many steps', () => {
  const text = `{"list":[${Array.from({ length: 5000 }, (_, index) => `{"k${index}":"v"}`).join(',')}],"map":{${Array.from({ length: 5000 }, (_, index) => `"k${index}":${index}`).join(',')}}}`;
  let steps = 0;
  const reading = readJson(text);
  let read = reading.next();
  for (; read.done !== true; read = reading.next()) steps++;
  assert.ok(steps > 20);
  assert.equal(JSON.stringify(read.value.value), text);

  steps = 0;
  const writing = writeJson(read.value.value);
  let written = writing.next();
  for (; written.done !== true; written = writing.next()) steps++;
  assert.ok(steps > 20);
  assert.equal(written.value, text);
});

test('writes what JSON.stringify writes', () => {
  const random = randomOf(11);
  for (let round = 0; round < 2000; round++) {
    const value = {
      a: undefined,
      list: [undefined, JSON.parse(textOf(random, 5))],
      wide: Array.from({ length: 300 }, () => undefined),
      b: Object.fromEntries(
        Array.from({ length: 300 }, (_, index) => [`k${index}`, index % 3 === 0 ? undefined : [index]]),
      ),
    };
    assert.equal(runAtOnce(writeJson(value)), JSON.stringify(value));
    assert.equal(Buffer.concat(runAtOnce(writeJsonBytes(value))).toString(), JSON.stringify(value));
  }
  assert.equal(
    runAtOnce(writeJson(Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`k${index}`, undefined])))),
    '{}',
  );
});
