import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { isWithinVpc } from './within-vpc.ts';

test('what is made for a VPC ends in it', () => {
  for (const address of ['10.128.0.5', '10.255.255.254', '10.96.0.1', '10.96.0.10'])
    assert.equal(isWithinVpc(address), true, address);
  const own = Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []);
  for (const address of [
    '127.0.0.1',
    '0.0.0.0',
    '169.254.169.254',
    '192.168.1.1',
    '8.8.8.8',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:10.128.0.5',
    'localhost',
    '0177.0.0.1',
    '2130706433',
    '10.128.0.5 ',
    '',
    ...own,
  ]) {
    assert.equal(isWithinVpc(address), false, address);
  }
});
