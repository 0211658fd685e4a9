import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostBlock } from './host-block.ts';
import {
  contains,
  formatAddress,
  formatCidr,
  isAddress,
  parseAddress,
  parseCidr,
  reverseName,
  subnet,
} from './ipv4.ts';

test('addresses go to numbers and back', () => {
  for (const text of ['0.0.0.0', '10.128.0.5', '169.254.64.1', '255.255.255.255']) {
    assert.equal(formatAddress(parseAddress(text)), text);
  }
});

test('what is not an address is refused', () => {
  for (const text of ['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.4 ', 'a.b.c.d', '::1']) {
    assert.equal(isAddress(text), false, text);
  }
});

test('blocks', () => {
  assert.equal(formatCidr(parseCidr('10.96.0.0/12')), '10.96.0.0/12');
  assert.throws(() => parseCidr('10.96.0.1/12'), /bits behind/);
  assert.throws(() => parseCidr('10.96.0.0'), /not an IPv4 block/);
  assert.equal(contains(parseCidr('10.96.0.0/12'), parseAddress('10.111.255.255')), true);
  assert.equal(contains(parseCidr('10.96.0.0/12'), parseAddress('10.112.0.0')), false);
  assert.equal(contains(parseCidr('0.0.0.0/0'), parseAddress('255.255.255.255')), true);
});

test('a host has the block of its number', () => {
  assert.equal(formatCidr(hostBlock(0)), '10.128.0.0/21');
  assert.equal(formatCidr(hostBlock(1)), '10.128.8.0/21');
  assert.equal(formatCidr(hostBlock(4095)), '10.255.248.0/21');
  assert.throws(() => hostBlock(4096), RangeError);
  assert.throws(() => subnet(parseCidr('10.0.0.0/24'), 8, 0), RangeError);
});

test('reverse names', () => {
  assert.equal(reverseName('10.128.0.5'), '5.0.128.10.in-addr.arpa');
});
