import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parse, stringify } from 'yaml';
import { goldenBases } from '../testing/golden.ts';
import { yamlParts, yamlText } from './yaml-form.ts';
import { compareKeys } from './yaml-keys.ts';

/** Values and what sigs.k8s.io/yaml v1.6.0 writes of them. */
const upstream = JSON.parse(readFileSync(new URL('testdata/yaml.json', import.meta.url), 'utf8')) as [
  unknown,
  string,
][];

/** Pseudo-random, the same in every run. */
function randomly(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}

// biome-ignore format: a row of atoms
const atoms = [
  ' ', '  ', '\n', '\n\n', '\t', ':', ': ', '#', ' #', '-', '- ', '?', "'", '"', '\\', '[', ']', '{', '}', ',', '&', '*', '!', '|', '>', '%',
  '@', '`', '---', '...', 'a', 'word', 'y', 'on', 'no', 'true', 'null', '~', '0', '12', '08', '0x1F', '0b1', '1e3', '.5', '+', '_', '.inf',
  '2001-01-01', 'T', 'Z', '10:20', '<<', '=', '\r', '\0', '\x7f', '\xa0', '\ufffd', 'é', '日本', '😀', 'some longer text with words in it',
];

function strings(seed: number, count: number): string[] {
  const random = randomly(seed);
  return Array.from({ length: count }, () => {
    let text = '';
    for (let left = 1 + random(random(4) === 0 ? 40 : 5); left > 0; left--) text += atoms[random(atoms.length)];
    return text;
  });
}

describe('YAML of JSON values', () => {
  it('is what upstream writes', () => {
    assert.ok(upstream.length > 200);
    for (const [value, text] of upstream) assert.equal(yamlText(value), text, JSON.stringify(value));
  });

  it('is what a library writes of ordinary objects', () => {
    const bases = goldenBases();
    assert.ok(bases.length > 50);
    const options = { aliasDuplicateObjects: false, indentSeq: false, lineWidth: 0, sortMapEntries: true };
    let same = 0;
    for (const { object, label } of bases) {
      const text = yamlText(object);
      assert.deepEqual(parse(text), object, label);
      // It quotes otherwise, and leaves plain what YAML 1.1 takes for booleans.
      if (!/['"]|^.{80}/m.test(text)) {
        assert.equal(text, stringify(object, options), label);
        same++;
      }
    }
    assert.ok(same > bases.length / 3, `${same} of ${bases.length}`);
  });

  it('is read back as it was, whatever is in the strings, as YAML 1.1 and 1.2', () => {
    for (const text of strings(1, 4000)) {
      const value = { a: text, b: [{ c: text }], ...(text === '<<' ? {} : { [`k${text}`]: { d: [text] } }) };
      // Merge keys are no strings to it.
      const written = yamlText(value);
      assert.deepEqual(parse(written, { version: '1.1', merge: false, intAsBigInt: false }), value, written);
      assert.deepEqual(parse(written), value, written);
    }
  });

  it('is the same of long strings and large maps, which are written in parts', () => {
    for (const joint of ['', ' ', '\n']) {
      const long = strings(2, 3000).join(joint);
      assert.equal(parse(yamlText({ a: long, [long]: 1 })).a, long);
      assert.equal(parse(yamlText(long)), long);
    }
    const keys = Array.from({ length: 5000 }, (_, index) => `k${(index * 7919) % 5000}`);
    const map = Object.fromEntries(keys.map((key) => [key, 'v']));
    const text = yamlText(map);
    const sorted = Array.from({ length: 5000 }, (_, index) => `k${index}: v\n`).join('');
    assert.equal(text, sorted);
  });

  it('comes in parts that are short', () => {
    const value = {
      map: Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`k${index}`, 'v'])),
      text: '\u0001 x'.repeat(100_000),
      lines: 'x\n'.repeat(100_000),
      deep: Array.from({ length: 20_000 }, () => [[]]),
    };
    let longest = 0;
    for (const part of yamlParts(value)) longest = Math.max(longest, part.length);
    assert.ok(longest < 64 * 1024, String(longest));
  });

  it('leaves out what is undefined', () => {
    assert.equal(yamlText({ a: undefined, b: 1 }), 'b: 1\n');
    assert.equal(yamlText({ a: undefined }), '{}\n');
  });
});

describe('the order of keys', () => {
  it('goes by the numbers in them, and letters come last', () => {
    const ordered = ['1', '2', '10', '-', '_', 'A', 'B', 'a', 'a-b', 'a1', 'a2', 'a10', 'a01b', 'aa', 'é'];
    for (const seed of [1, 2, 3]) {
      const random = randomly(seed);
      const mixed = ordered.map((key) => ({ key, at: random(1000) })).sort((a, b) => a.at - b.at);
      assert.deepEqual(mixed.map(({ key }) => key).sort(compareKeys), [...ordered].sort(compareKeys));
    }
    assert.deepEqual(['b', 'a10', 'a9', 'B', '1'].sort(compareKeys), ['1', 'B', 'a9', 'a10', 'b']);
  });
});
