import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { StatusError } from '../../api/status.ts';
import { CertificateAuthority } from '../identity/certificate-authority.ts';
import { identityOfCertificate } from '../identity/certificate-identity.ts';
import type { RequestContext } from '../request-context.ts';
import { authenticationFilter } from './authentication.ts';

test('a connection outlives its certificate, and what it may do does not', async () => {
  const authority = await CertificateAuthority.create();
  const { certificatePem } = await authority.issueTenantUser('red', 'alice', []);
  const shown = new X509Certificate(certificatePem);
  const certificate = identityOfCertificate(shown)!;
  let nowMs = Date.now();
  const filter = authenticationFilter(
    () => ({ certificate }),
    { authenticate: () => Promise.resolve(undefined) },
    undefined,
    undefined,
    () => nowMs,
  );
  const context = { info: { path: '/api' }, warnings: [] } as unknown as RequestContext;
  const ask = () => filter(context, async () => ({ type: 'empty' }) as never);
  await ask();
  assert.equal(context.identity.name, 'alice');
  nowMs = shown.validToDate.getTime() + 1;
  await assert.rejects(ask, (error: unknown) => error instanceof StatusError && error.code === 401);
});
