import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeLabelKeys } from './pod-selectors.ts';

const selecting = (more: object = {}) => ({
  topologyKey: 'zone',
  labelSelector: { matchLabels: { app: 'web' } },
  ...more,
});

test('a pod’s own labels come into the selectors that name them', () => {
  const keys = { matchLabelKeys: ['version', 'absent'], mismatchLabelKeys: ['team'] };
  const pod: any = {
    metadata: { name: 'p', labels: { version: '7', team: 'red' } },
    spec: {
      affinity: {
        podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [selecting(keys)] },
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: selecting(keys) }],
        },
      },
      topologySpreadConstraints: [selecting(keys), selecting()],
    },
  };
  mergeLabelKeys(pod);
  const matchExpressions = [
    { key: 'version', operator: 'In', values: ['7'] },
    { key: 'team', operator: 'NotIn', values: ['red'] },
  ];
  const { affinity, topologySpreadConstraints } = pod.spec;
  for (const { labelSelector } of [
    affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0],
    affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm,
    topologySpreadConstraints[0],
  ]) {
    assert.deepEqual(labelSelector, { matchLabels: { app: 'web' }, matchExpressions });
  }
  assert.deepEqual(topologySpreadConstraints[1], selecting());
});

test('keys without a selector, or of a pod without labels, change nothing', () => {
  const keys = { matchLabelKeys: ['version'] };
  const spec = { topologySpreadConstraints: [{ topologyKey: 'zone', ...keys }, selecting(keys)] };
  const pod: any = { metadata: { name: 'p' }, spec: structuredClone(spec) };
  mergeLabelKeys(pod);
  assert.deepEqual(pod.spec, spec);
});
