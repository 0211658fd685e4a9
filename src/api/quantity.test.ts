import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  parseQuantity,
  quantityMilliValue,
  quantityValue,
  subtractQuantities,
} from './quantity.ts';

test('quantities are written in canonical form', () => {
  const forms: [string | number, string][] = [
    ['0', '0'],
    ['0Gi', '0'],
    ['0.5', '500m'],
    [0.5, '500m'],
    ['1000m', '1'],
    ['1500m', '1500m'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['1023Ki', '1023Ki'],
    ['512', '512'],
    ['0.5Ki', '512'],
    ['1000Ki', '1000Ki'],
    ['1000000k', '1G'],
    ['1e3', '1e3'],
    ['1E3', '1E3'],
    ['1000E3', '1e6'],
    ['1.500', '1.500'],
    ['.', '0'],
    ['Gi', '0'],
    ['100e3', '100e3'],
    ['1E', '1E'],
    ['.5', '500m'],
    ['5.', '5.'],
    ['+1', '+1'],
    ['-1.5', '-1500m'],
    ['0.0000000001', '1n'],
    ['129e6', '129e6'],
    ['1.1Ki', '1126400m'],
    ['99999999999999999999', '99999999999999999999'],
    ['9999Ei', '9223372036854775807'],
  ];
  for (const [text, canonical] of forms) assert.equal(canonicalQuantity(text), canonical, String(text));
});

test('what is no quantity is refused in upstream words', () => {
  for (const text of ['', 'abc', '1 Gi', '1Gi ', '1x']) {
    assert.throws(() => parseQuantity(text), /quantities must match the regular expression/, text);
  }
  for (const text of ['1Kii', '1ee3', '1e', '--1']) {
    assert.throws(() => parseQuantity(text), /unable to parse quantity's suffix/, text);
  }
});

test('arithmetic is exact and rounds up', () => {
  assert.equal(compareQuantities('1', '1000m'), 0);
  assert.ok(compareQuantities('1Gi', '1G') > 0);
  assert.equal(addQuantities('100m', '0.9'), '1');
  assert.equal(addQuantities('0', '1Gi'), '1Gi');
  assert.equal(subtractQuantities('1Gi', '512Mi'), '512Mi');
  assert.equal(quantityValue('1500m'), 2);
  assert.equal(quantityMilliValue('0.1'), 100);
  assert.equal(quantityMilliValue('1n'), 1);
  assert.equal(quantityValue('1Ti'), 1024 ** 4);
});
