import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCidr } from '../addresses/ipv4.ts';
import { BlockAllocator } from './block-allocator.ts';

test('skips network, gateway and last address, and says when it is full', () => {
  const allocator = new BlockAllocator(parseCidr('10.128.8.0/29'));
  assert.equal(allocator.gateway, '10.128.8.1');
  const given = Array.from({ length: 5 }, () => allocator.allocate());
  assert.deepEqual(given, ['10.128.8.2', '10.128.8.3', '10.128.8.4', '10.128.8.5', '10.128.8.6']);
  assert.equal(allocator.allocate(), undefined);
  allocator.release('10.128.8.4');
  assert.equal(allocator.allocate(), '10.128.8.4');
});

test('a released address comes last', () => {
  const allocator = new BlockAllocator(parseCidr('10.128.0.0/29'));
  const first = allocator.allocate()!;
  allocator.release(first);
  const next = Array.from({ length: 5 }, () => allocator.allocate());
  assert.equal(next.indexOf(first), 4);
});

test('known addresses are kept and not given again', () => {
  const allocator = new BlockAllocator(parseCidr('10.128.0.0/29'));
  assert.equal(allocator.reserve('10.128.0.3'), true);
  assert.equal(allocator.reserve('10.128.0.3'), false);
  assert.equal(allocator.reserve('10.128.0.1'), false);
  assert.equal(allocator.reserve('10.129.0.3'), false);
  assert.deepEqual(
    Array.from({ length: 5 }, () => allocator.allocate()),
    ['10.128.0.4', '10.128.0.5', '10.128.0.6', '10.128.0.2', undefined],
  );
});
