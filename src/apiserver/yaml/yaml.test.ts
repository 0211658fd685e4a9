import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '../../api/status.ts';
import { parseYamlText } from './parse.ts';
import { YamlReader } from './read.ts';

test('reads YAML, the last of duplicate keys and where they are', () => {
  assert.deepEqual(parseYamlText('a: 1\nb:\n  c: x\n  c: z\na: 2\n'), {
    value: { a: 2, b: { c: 'z' } },
    duplicates: ['  line 5: key "a" already set in map', '  line 4: key "c" already set in map'],
  });
  assert.deepEqual(parseYamlText('w: &x {a: 1}\nz:\n  <<: *x\n  b: 2\n').value, { w: { a: 1 }, z: { a: 1, b: 2 } });
  assert.match(parseYamlText('a: "\n').failure!, /^line \d: /);
  assert.ok(Object.hasOwn(parseYamlText('__proto__: {a: 1}').value as object, '__proto__'));
});

test("takes scalars as Go's reader does", () => {
  const text = 'a: yes\nb: off\nc: 0644\nd: 0x1F\ne: 1_000\nf: 2026-01-02\ng: 1:30\nh: ~\non: 1\n5: "5"\n';
  assert.deepEqual(parseYamlText(text), {
    value: { a: true, b: false, c: 420, d: 31, e: 1000, f: '2026-01-02', g: '1:30', h: null, true: 1, 5: '5' },
    duplicates: [],
  });
});

test("takes for a number what Go's reader takes for one, and nothing for NaN", () => {
  const texts = [
    '.',
    '._',
    '._5',
    '.e5',
    'e5',
    'E1',
    '+',
    '-.',
    '+e2',
    '-_',
    '0x',
    '0x_',
    '0b_',
    '1e999',
    '-.nan',
    '1.2.3',
    '08x',
    '1-2',
    '1 2',
    '.5_0',
    '-x',
    '_5',
    '12:30',
  ];
  for (const text of texts) assert.deepEqual(parseYamlText(`a: ${text}`).value, { a: text });
  const numbers: [string, number][] = [
    ['0_', 0],
    ['0_7', 7],
    ['1_0.5', 10.5],
    ['-_1', -1],
    ['+.5', 0.5],
    ['.5', 0.5],
    ['.5e1', 5],
    ['5.', 5],
    ['-0x_f', -15],
    ['0o17', 15],
    ['-0b11', -3],
    ['089', 89],
    ['1e3', 1000],
    ['!!float 5', 5],
    ['!!int 5', 5],
  ];
  for (const [text, value] of numbers) assert.deepEqual(parseYamlText(`a: ${text}`).value, { a: value }, text);
  assert.equal(parseYamlText('a: .nan').failure, 'json: unsupported value: NaN');
  assert.equal(parseYamlText('a: [-.INF]').failure, 'json: unsupported value: -Inf');
  assert.equal(parseYamlText('a: !!int 1.5').value, undefined);
});

test('gives up what unfolds to far more than was sent', () => {
  let text = 'a0: &a0 [x,x,x,x,x,x,x,x,x]\n';
  for (let level = 1; level < 9; level++) text += `a${level}: &a${level} [${Array(9).fill(`*a${level - 1}`)}]\n`;
  assert.match(parseYamlText(text).failure!, /alias/i);
});

test('reads long texts beside the event loop, and takes owners in turn', async () => {
  const reader = new YamlReader({ idleMs: 0 });
  const text = `data:\n${Array.from({ length: 20_000 }, (_, index) => `  k${index}: v\n`).join('')}`;
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 1);
  const done: string[] = [];
  const many = Array.from({ length: 4 }, () => reader.read(text, 'many').then(() => done.push('many')));
  const one = reader.read(text, 'one').then((reading) => {
    done.push('one');
    return reading;
  });
  const { value } = await one;
  clearInterval(ticking);
  assert.equal(Object.keys((value as any).data).length, 20_000);
  assert.ok(ticks > 5, `${ticks}`);
  await Promise.all(many);
  assert.ok(done.indexOf('one') <= 2, String(done));
});

test('takes only so much from one owner, and not for ever', async () => {
  const reader = new YamlReader({ timeoutMs: 1, idleMs: 0 });
  const text = `a: [${'1,'.repeat(300_000)}]`;
  const readings = await Promise.allSettled(Array.from({ length: 20 }, () => reader.read(text, 'one')));
  const codes = readings.map((one) =>
    one.status === 'rejected' && one.reason instanceof StatusError ? one.reason.code : 0,
  );
  assert.equal(codes.filter((code) => code === 429).length, 3);
  assert.equal(codes[0], 400);
  assert.deepEqual((await new YamlReader({ idleMs: 0 }).read(`a: [${'1,'.repeat(5000)}]`, 'one')).duplicates, []);
});

test('refuses what aliases unfold to more than a body may hold, and hands the rest over as it is', async () => {
  const reader = new YamlReader({ idleMs: 0 });
  const unfolding = (items: number, aliases: number) =>
    `a: &a [${Array(items).fill('1')}]\nb: [${Array(aliases).fill('*a')}]\n`;
  for (const text of [
    unfolding(1800, 90),
    unfolding(30_000, 90),
    `a: &a ${'x'.repeat(400_000)}\nb: [${Array(90).fill('*a')}]`,
  ]) {
    await assert.rejects(reader.read(text, 'one'), { code: 413 });
  }
  const { value } = await reader.read(`${unfolding(3000, 3)}c: .5\n__proto__: {d: "\\u2028"}\n`, 'one');
  const list = Array(3000).fill(1);
  const expected = JSON.parse('{"a":0,"b":0,"c":0.5,"__proto__":{"d":"\u2028"}}');
  assert.deepEqual(value, Object.assign(expected, { a: list, b: [list, list, list] }));
  const texts = { '# nothing\n': null, 'x: [': undefined };
  for (const [text, known] of Object.entries(texts)) {
    const padded = `${'# long\n'.repeat(1000)}${text}`;
    assert.equal((await reader.read(padded, 'one')).value, known);
  }
});
