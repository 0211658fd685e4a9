import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containsPrefix, formatIp, hasServiceAddress, overlaps, parseIp, parsePrefix } from './ip-prefix.ts';

test('addresses are numbers and back', () => {
  for (const text of ['0.0.0.0', '10.96.0.1', '255.255.255.255', '::', '::1', '2001:db8::5:1', 'ffff::']) {
    assert.equal(formatIp(parseIp(text)!), text);
  }
  assert.equal(parseIp('10.96.0.01'), undefined);
  assert.equal(parseIp('fe80::1%eth0'), undefined);
});

test('ranges know what lies in them', () => {
  const wide = parsePrefix('10.96.0.0/12')!;
  const narrow = parsePrefix('10.100.0.0/24')!;
  const six = parsePrefix('2001:db8::/64')!;
  assert.deepEqual(
    [containsPrefix(wide, narrow), containsPrefix(narrow, wide), containsPrefix(wide, wide)],
    [true, false, true],
  );
  assert.deepEqual([overlaps(wide, narrow), overlaps(narrow, wide), overlaps(wide, six)], [true, true, false]);
  assert.equal(overlaps(narrow, parsePrefix('10.100.1.0/24')!), false);
  const holds = (range: string, address: string) => hasServiceAddress(parsePrefix(range)!, parseIp(address)!);
  assert.deepEqual(
    ['10.100.0.0', '10.100.0.1', '10.100.0.254', '10.100.0.255', '10.100.1.1'].map((ip) => holds('10.100.0.0/24', ip)),
    [false, true, true, false, false],
  );
  assert.deepEqual(
    ['2001:db8::', '2001:db8::1', '2001:db8::ffff:ffff:ffff:ffff'].map((ip) => holds('2001:db8::/64', ip)),
    [false, true, true],
  );
});
