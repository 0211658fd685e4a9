import './certificate-authority.ts';
import assert from 'node:assert/strict';
import { webcrypto, X509Certificate } from 'node:crypto';
import { before, describe, it } from 'node:test';
import * as x509 from '@peculiar/x509';
import { CertificateAuthority } from './certificate-authority.ts';
import { identityOfCertificate } from './certificate-identity.ts';
import { createTenantSigner, KUBE_APISERVER_CLIENT, KUBELET_CLIENT, KUBELET_SERVING } from './certificate-signer.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const clientUsages = ['digital signature', 'key encipherment', 'client auth'];
const serverUsages = ['digital signature', 'key encipherment', 'server auth'];

type Field = { CN?: string[]; O?: string[]; OU?: string[] };
type Subject = Field[];

describe('the signers of a tenant’s requests', () => {
  let clients: CertificateAuthority;
  let servers: CertificateAuthority;
  let keys: webcrypto.CryptoKeyPair;
  before(async () => {
    clients = await CertificateAuthority.create();
    servers = await CertificateAuthority.create('tenant-servers');
    keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  });

  const asText = (field: Field) =>
    Object.fromEntries(
      Object.entries(field).map(([type, values]) => [type, values.map((value) => ({ utf8String: value }))]),
    ) as Record<string, any>;
  const requestFor = async (name: Subject, dnsNames: string[] = []): Promise<string> => {
    const request = await x509.Pkcs10CertificateRequestGenerator.create({
      name: name.map(asText),
      keys,
      signingAlgorithm: algorithm,
      ...(dnsNames.length > 0 && {
        extensions: [
          new x509.SubjectAlternativeNameExtension(dnsNames.map((value) => ({ type: 'dns' as const, value }))),
        ],
      }),
    });
    return request.toString('pem');
  };
  const sign = async (
    signerName: string,
    name: Subject,
    usages = clientUsages,
    more: { dnsNames?: string[]; expirationSeconds?: number } = {},
  ) =>
    createTenantSigner({ clients, servers }).sign({
      signerName,
      tenant: 'a',
      tenantUid: 'uid-of-a',
      requestPem: await requestFor(name, more.dnsNames),
      usages,
      ...(more.expirationSeconds !== undefined && { expirationSeconds: more.expirationSeconds }),
    });
  const issued = async (...given: Parameters<typeof sign>): Promise<X509Certificate> => {
    const outcome = await sign(...given);
    assert.ok('certificatePem' in outcome, JSON.stringify(outcome));
    return new X509Certificate(outcome.certificatePem);
  };

  it('make a user of the tenant, whatever tenant the request names', async () => {
    const certificate = await issued(KUBE_APISERVER_CLIENT, [
      { CN: ['alice'] },
      { O: ['devs'] },
      { OU: ['tenant:b', 'tenant-uid:b'] },
    ]);
    const { extra, issuedMs, validUntilMs, ...identity } = identityOfCertificate(certificate)!;
    assert.ok(issuedMs! >= Date.parse(certificate.validFrom));
    assert.equal(validUntilMs, Date.parse(certificate.validTo));
    assert.match(extra!['authentication.kubernetes.io/credential-id']![0]!, /^X509SHA256=[0-9a-f]{64}$/);
    assert.deepEqual(identity, {
      name: 'alice',
      groups: ['devs', 'system:authenticated'],
      kind: 'tenant',
      tenant: 'a',
      tenantUid: 'uid-of-a',
    });
    assert.ok(certificate.verify(new X509Certificate(clients.certificatePem).publicKey));
    assert.deepEqual(certificate.keyUsage, [x509.ExtendedKeyUsage.clientAuth]);
  });

  it('are not misled by what looks like more of a name', async () => {
    for (const strange of [
      'x,OU=tenant:b',
      'x+O=skypod:platform',
      'x"\\;<>',
      'a=b',
      ' x ',
      '#41',
      '#0c0f736b79706f643a706c6174666f726d',
      'naïve',
    ]) {
      const certificate = await issued(KUBE_APISERVER_CLIENT, [{ CN: [strange] }, { O: [strange] }]);
      const identity = identityOfCertificate(certificate)!;
      assert.equal(identity.tenant, 'a', strange);
      assert.equal(identity.kind, 'tenant', strange);
      assert.equal(identity.groups.length, 2, strange);
    }
  });

  it('give no name of a server to a client', async () => {
    const certificate = await issued(KUBE_APISERVER_CLIENT, [{ CN: ['x'] }], clientUsages, {
      dnsNames: ['kubernetes'],
    });
    assert.equal(certificate.subjectAltName, undefined);
  });

  it('certify nodes’ servers by an authority that the platform does not trust', async () => {
    const node = [{ CN: ['system:node:n1'] }, { O: ['system:nodes'] }];
    const certificate = await issued(KUBELET_SERVING, node, serverUsages, { dnsNames: ['n1'] });
    assert.equal(certificate.subjectAltName, 'DNS:n1');
    assert.ok(!certificate.verify(new X509Certificate(clients.certificatePem).publicKey));
    assert.ok(certificate.verify(new X509Certificate(servers.certificatePem).publicKey));
  });

  it('end when asked to, after ten minutes at the least', async () => {
    const lifeMs = async (expirationSeconds: number) =>
      (
        await issued(KUBE_APISERVER_CLIENT, [{ CN: ['x'] }], clientUsages, { expirationSeconds })
      ).validToDate.getTime() - Date.now();
    assert.ok(Math.abs((await lifeMs(3600)) - 3_600_000) < 60_000);
    assert.ok((await lifeMs(1)) > 500_000);
    assert.ok((await lifeMs(10 ** 9)) < 366 * 24 * 3_600_000);
  });

  const refusals: [string, string, Subject, string[], string[], RegExp][] = [
    [
      'the platform’s group',
      KUBE_APISERVER_CLIENT,
      [{ CN: ['x'] }, { O: ['skypod:platform'] }],
      clientUsages,
      [],
      /belongs to the platform/,
    ],
    [
      'the hosts’ group',
      KUBELET_CLIENT,
      [{ CN: ['host:h1'] }, { O: ['skypod:hosts'] }],
      clientUsages,
      [],
      /belongs to the platform/,
    ],
    [
      'a server as a client',
      KUBE_APISERVER_CLIENT,
      [{ CN: ['x'] }],
      serverUsages,
      [],
      /^invalid usage for client certificate: server auth$/,
    ],
    ['no client', KUBE_APISERVER_CLIENT, [{ CN: ['x'] }], ['digital signature'], [], /^missing required usage/],
    ['nobody', KUBE_APISERVER_CLIENT, [{ O: ['x'] }], clientUsages, [], /common name is empty/],
    [
      'a node of another group',
      KUBELET_CLIENT,
      [{ CN: ['system:node:n'] }],
      clientUsages,
      [],
      /organization is not system:nodes/,
    ],
    [
      'a node’s name',
      KUBELET_CLIENT,
      [{ CN: ['n'] }, { O: ['system:nodes'] }],
      clientUsages,
      [],
      /does not begin with system:node:/,
    ],
    [
      'a client with names',
      KUBELET_CLIENT,
      [{ CN: ['system:node:n'] }, { O: ['system:nodes'] }],
      clientUsages,
      ['n'],
      /DNS subjectAltNames are not allowed/,
    ],
    [
      'a server without',
      KUBELET_SERVING,
      [{ CN: ['system:node:n'] }, { O: ['system:nodes'] }],
      serverUsages,
      [],
      /subjectAltName is required/,
    ],
  ];
  for (const [name, signerName, subject, usages, dnsNames, why] of refusals) {
    it(`refuse ${name}`, async () => {
      const outcome = await sign(signerName, subject, usages, { dnsNames });
      assert.ok('refusal' in outcome);
      assert.match(outcome.refusal, why);
    });
  }

  it('leave other signers’ names alone', () => {
    const signer = createTenantSigner({ clients, servers });
    assert.equal(signer.handles(KUBELET_CLIENT), true);
    for (const name of ['example.com/mine', 'kubernetes.io/legacy-unknown', 'toString']) {
      assert.equal(signer.handles(name), false, name);
    }
  });
});
