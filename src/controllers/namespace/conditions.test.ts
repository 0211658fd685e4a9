import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiscoveryError } from '../common/aggregated-resources.ts';
import { deletionConditions } from './conditions.ts';

const nowMs = Date.parse('2026-01-01T00:00:10Z');

test('the five conditions in order, with what went wrong', () => {
  const undiscovered = new DiscoveryError(
    new Map([
      ['b.example.com/v1', 'service unavailable'],
      ['a.example.com/v1', 'timeout'],
    ]),
  );
  const conditions = deletionConditions(undefined, [], { failures: ['y', 'x'], undiscovered }, nowMs);
  assert.deepEqual(
    conditions.map(({ type, status, reason, message }) => [type, status, reason, message]),
    [
      [
        'NamespaceDeletionDiscoveryFailure',
        'True',
        'DiscoveryFailed',
        'Discovery failed for some groups, 2 failing: unable to retrieve the complete list of server APIs: a.example.com/v1: timeout, b.example.com/v1: service unavailable',
      ],
      [
        'NamespaceDeletionGroupVersionParsingFailure',
        'False',
        'ParsedGroupVersions',
        'All legacy kube types successfully parsed',
      ],
      [
        'NamespaceDeletionContentFailure',
        'True',
        'ContentDeletionFailed',
        'Failed to delete all resource types, 2 remaining: x, y',
      ],
      ['NamespaceContentRemaining', 'False', 'ContentRemoved', 'All content successfully removed'],
      ['NamespaceFinalizersRemaining', 'False', 'ContentHasNoFinalizers', 'All content-preserving finalizers finished'],
    ],
  );
});

test('a time moves with the status alone, and what others say stays', () => {
  const before = deletionConditions(undefined, [], { failures: ['x'] }, nowMs - 10_000);
  const mine = { type: 'Mine', status: 'True' };
  const after = deletionConditions([mine, ...before], [], { failures: ['y'] }, nowMs);
  assert.deepEqual(after[0], mine);
  const failure = after.find(({ type }) => type === 'NamespaceDeletionContentFailure')!;
  assert.equal(failure.lastTransitionTime, '2026-01-01T00:00:00Z');
  assert.match(failure.message!, /: y$/);
});
