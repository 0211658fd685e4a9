import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runAtOnce } from '../../../base/steps.ts';
import type { Job } from '../../generated/batch-v1.ts';
import { Findings } from '../findings.ts';
import { validateJobUpdate } from './batch.ts';

const labels = { 'batch.kubernetes.io/controller-uid': 'u', 'batch.kubernetes.io/job-name': 'j' };
const all = { ...labels, 'controller-uid': 'u', 'job-name': 'j' };

function job(suspend: boolean, status: object, container: object = {}, pod: object = {}): Job {
  return {
    metadata: { name: 'j', uid: 'u' },
    spec: {
      suspend,
      selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': 'u' } },
      template: {
        metadata: { labels: all },
        spec: {
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 30,
          dnsPolicy: 'ClusterFirst',
          containers: [
            {
              name: 'c',
              image: 'i',
              imagePullPolicy: 'Always',
              terminationMessagePolicy: 'File',
              ...container,
            },
          ],
          ...pod,
        },
      },
    },
    status,
  } as unknown as Job;
}

function complaints(old: Job, container: object, pod: object = {}): string[] {
  const findings = new Findings();
  runAtOnce(validateJobUpdate({ ...job(old.spec.suspend === true, {}, container, pod) }, old, findings));
  return findings.list.map(({ field }) => field!);
}

const suspended = { conditions: [{ type: 'Suspended', status: 'True' }] };
const more = { resources: { requests: { cpu: '1' } } };
const affinity = { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } };

test('a job that rests may be told with what, and where, its pods run, and nothing else', () => {
  for (const status of [suspended, { ...suspended, startTime: '2026-01-01T00:00:00Z' }]) {
    const old = job(true, status);
    assert.deepEqual(complaints(old, {}), []);
    assert.deepEqual(complaints(old, more), []);
    assert.deepEqual(complaints(old, {}, { nodeSelector: { a: 'b' }, affinity }), []);
    assert.deepEqual(complaints(old, { image: 'other' }), ['spec.template.spec']);
    assert.deepEqual(complaints(old, { ...more, name: 'other' }), ['spec.template.spec']);
  }
});

test('a job with pods, or one that the controller has not seen suspended, may not', () => {
  for (const old of [job(true, {}), job(true, { ...suspended, active: 1 }), job(false, {})]) {
    assert.deepEqual(complaints(old, {}), []);
    assert.deepEqual(complaints(old, more), ['spec.template']);
    assert.deepEqual(complaints(old, {}, { nodeSelector: { a: 'b' } }), ['spec.template']);
  }
});
