import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CertificateSigningRequest } from '../../api/generated/certificates-v1.ts';
import { CERTIFICATE_SIGNING_REQUESTS } from '../../api/resources.ts';
import { ManualClock } from '../../base/clock.ts';
import { until } from '../../base/testing/until.ts';
import { createHarness, type Harness } from '../testing/harness.ts';
import { createCertificateApprovingController } from './index.ts';

const signerName = 'kubernetes.io/kube-apiserver-client-kubelet';
/** Stands for the request's encoding: its text is the common name. */
const reader = {
  async kubeletClientName(pem: string) {
    if (pem === 'broken') throw new Error('no request');
    return pem.startsWith('system:node:') ? pem : undefined;
  },
};

async function start(
  t: Parameters<typeof createHarness>[0],
  rights: Set<string>,
): Promise<Harness & { clock: ManualClock }> {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  const harness = createHarness(t, {
    clock,
    onRequest({ path, body }: any) {
      if (!path.endsWith('/subjectaccessreviews')) return;
      const { user, resourceAttributes } = body.spec;
      body.status = { allowed: rights.has(`${user} ${resourceAttributes.verb} ${resourceAttributes.subresource}`) };
    },
  });
  await harness.run(createCertificateApprovingController(harness.dependencies, reader));
  return { ...harness, clock };
}

const ask = (harness: Harness, name: string, commonName: string, username: string, more: object = {}) =>
  harness.create<CertificateSigningRequest>(CERTIFICATE_SIGNING_REQUESTS, {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      request: Buffer.from(commonName).toString('base64'),
      signerName,
      username,
      usages: ['client auth'],
      ...more,
    },
  } as any);

const conditionsOf = (harness: Harness, name: string) =>
  harness.get<CertificateSigningRequest>(CERTIFICATE_SIGNING_REQUESTS, name)?.status?.conditions;

test('kubelets’ requests are approved for those who may make them', async (t) => {
  const harness = await start(
    t,
    new Set(['bootstrap create nodeclient', 'system:node:b create selfnodeclient', 'c create selfnodeclient']),
  );
  await ask(harness, 'other', 'alice', 'bootstrap');
  await ask(harness, 'broken', 'broken', 'bootstrap');
  await ask(harness, 'foreign', 'system:node:a', 'bootstrap', { signerName: 'a.b/c' });
  await ask(harness, 'not-self', 'system:node:a', 'c');
  await ask(harness, 'first', 'system:node:a', 'bootstrap');
  await ask(harness, 'renewal', 'system:node:b', 'system:node:b');
  await until(() => conditionsOf(harness, 'first') !== undefined && conditionsOf(harness, 'renewal') !== undefined);
  const approval = (message: string) => [{ type: 'Approved', status: 'True', reason: 'AutoApproved', message }];
  const first = 'Auto approving kubelet client certificate after SubjectAccessReview.';
  assert.deepEqual(conditionsOf(harness, 'first'), approval(first));
  const renewal = 'Auto approving self kubelet client certificate after SubjectAccessReview.';
  assert.deepEqual(conditionsOf(harness, 'renewal'), approval(renewal));
  for (const name of ['other', 'broken', 'foreign', 'not-self']) assert.equal(conditionsOf(harness, name), undefined);
});

test('who is given the right later is approved then', async (t) => {
  const rights = new Set<string>();
  const harness = await start(t, rights);
  await ask(harness, 'first', 'system:node:a', 'bootstrap');
  const reviews = () => harness.transport.writes.filter(({ path }) => path.endsWith('/subjectaccessreviews')).length;
  await until(() => reviews() === 1);
  rights.add('bootstrap create nodeclient');
  await until(() => {
    harness.clock.advance(1_000);
    return conditionsOf(harness, 'first') !== undefined;
  });
});
