import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { test } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import type { Answer } from '../answer.ts';
import { CertificateAuthority } from '../identity/certificate-authority.ts';
import { listen } from './listener.ts';
import { OpenAnswers } from './open-answers.ts';

test('counts by tenant, and lets the platform be', () => {
  const answers = new OpenAnswers(1);
  const tenant = (name: string) => ({ identity: { name: 'x', groups: [], kind: 'tenant' as const }, tenant: name });
  const first = answers.admit(tenant('a'));
  assert.ok(first !== undefined && answers.admit(tenant('b')) !== undefined);
  assert.equal(answers.admit(tenant('a')), undefined);
  const platform = { identity: { name: 'x', groups: [], kind: 'platform' as const }, tenant: 'a' };
  assert.ok(answers.admit(platform) !== undefined && answers.admit(platform) !== undefined);
  first();
  first();
  assert.ok(answers.admit(tenant('a')) !== undefined);
  assert.equal(answers.admit(tenant('a')), undefined);
});

test('a connection holds only so many answers that nobody reads', { timeout: 20_000 }, async () => {
  const authority = await CertificateAuthority.create();
  const serving = await authority.issueServing();
  const answer: Answer = { type: 'bytes', code: 200, contentType: 'text/plain', bytes: 'x'.repeat(100_000) };
  const listener = await listen(
    { host: '127.0.0.1', port: 0 },
    {
      servingCertificatePem: serving.certificatePem,
      servingKeyPem: serving.keyPem,
      caPem: authority.certificatePem,
      handler: async (context) => {
        context.identity = { name: 'x', groups: [], kind: 'tenant', tenant: 'a' };
        context.tenant = 'a';
        return answer;
      },
      openAnswersLimit: 3,
      clock: systemClock,
      logger: silentLogger,
    },
  );
  const session = connect(`https://127.0.0.1:${listener.address().port}`, {
    ca: authority.certificatePem,
    settings: { initialWindowSize: 10 },
  });
  const status = () =>
    new Promise<number>((resolve) => {
      const stream = session.request({ ':path': '/' });
      stream.on('response', (headers) => resolve(headers[':status']!));
      stream.on('error', () => {});
    });
  try {
    assert.deepEqual([await status(), await status(), await status(), await status()], [200, 200, 200, 429]);
  } finally {
    session.destroy();
    await listener.close();
  }
});
