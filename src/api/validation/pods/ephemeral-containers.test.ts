import assert from 'node:assert/strict';
import test from 'node:test';
import type { Pod } from '../../generated/core-v1.ts';
import { Findings } from '../findings.ts';
import { validatePodEphemeralContainers } from './ephemeral-containers.ts';

const pod = (...ephemeralContainers: object[]) =>
  ({
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'a', image: 'a' }], ephemeralContainers },
  }) as unknown as Pod;
const container = (name: string, image: string) => ({
  name,
  image,
  imagePullPolicy: 'Always',
  terminationMessagePolicy: 'File',
});

function messages(next: Pod, old: Pod): string[] {
  const findings = new Findings();
  validatePodEphemeralContainers(next, old, findings);
  return findings.list.filter(({ field }) => field === 'spec.ephemeralContainers').map(({ message }) => message ?? '');
}

test('ephemeral containers are added, never changed or removed', () => {
  const old = pod(container('x', 'one'));
  assert.deepEqual(messages(pod(container('x', 'one'), container('y', 'two')), old), []);
  assert.deepEqual(messages(pod(container('x', 'two')), old), [
    'Forbidden: existing ephemeral containers "x" may not be changed\n',
  ]);
  assert.deepEqual(messages(pod(), old), ['Forbidden: existing ephemeral containers "x" may not be removed\n']);
});
