import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '../object.ts';
import { builtinResources } from '../resources/index.ts';
import { validateObject, validateObjectStatusUpdate, validateObjectUpdate } from './index.ts';

const definition = builtinResources.find(({ resource }) => resource === 'certificatesigningrequests')!;
const request = Buffer.from('-----BEGIN CERTIFICATE REQUEST-----\neA==\n-----END CERTIFICATE REQUEST-----\n').toString(
  'base64',
);
const csr = (spec: object, status?: object): KubeObject =>
  ({
    kind: 'CertificateSigningRequest',
    apiVersion: 'certificates.k8s.io/v1',
    metadata: { name: 'x', uid: 'u', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { request, signerName: 'example.com/mine', usages: ['client auth'], ...spec },
    ...(status !== undefined && { status }),
  }) as unknown as KubeObject;
const shown = (errors: { field: string; message: string }[]) =>
  errors.map(({ field, message }) => `${field}: ${message.split(', supported')[0]!.split(' (e.g.')[0]}`);
const condition = (type: string, more: object = {}) => ({ type, status: 'True', reason: 'r', ...more });

describe('certificate signing requests', () => {
  const created: [string, object, string[]][] = [
    ['a sound one', {}, []],
    ['no usages', { usages: [] }, ['spec.usages: Required value']],
    ['a usage twice', { usages: ['client auth', 'client auth'] }, ['spec.usages[1]: Duplicate value: "client auth"']],
    [
      'the legacy signer',
      { signerName: 'kubernetes.io/legacy-unknown' },
      [
        'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version',
      ],
    ],
    [
      'a signer without a path',
      { signerName: 'mine' },
      [
        `spec.signerName: Invalid value: "mine": must be a fully qualified domain and path of the form 'example.com/signer-name'`,
      ],
    ],
    [
      'a signer without a domain',
      { signerName: 'local/mine' },
      ['spec.signerName: Invalid value: "local": should be a domain with at least two segments separated by dots'],
    ],
    [
      'too short a life',
      { expirationSeconds: 599 },
      ['spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)'],
    ],
  ];
  for (const [name, spec, expected] of created) {
    it(name, () => assert.deepEqual(shown(validateObject(definition, csr(spec))), expected));
  }

  it('takes a decision once, and never both', () => {
    const approved = csr({}, { conditions: [condition('Approved')] });
    assert.deepEqual(shown(validateObjectUpdate(definition, approved, csr({}))), []);
    assert.deepEqual(shown(validateObjectUpdate(definition, csr({}), approved)), [
      'status.conditions: Forbidden: updates may not remove a condition of type "Approved"',
    ]);
    const both = csr({}, { conditions: [condition('Approved'), condition('Denied')] });
    assert.deepEqual(shown(validateObjectUpdate(definition, both, approved)), [
      'status.conditions: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive',
    ]);
    const unsure = csr({}, { conditions: [condition('Approved', { status: 'False' })] });
    assert.deepEqual(shown(validateObjectUpdate(definition, unsure, csr({}))), [
      'status.conditions[0].status: Unsupported value: "False": supported values: "True"',
    ]);
  });

  it('leaves the decision to the approver and takes one certificate from the signer', () => {
    const pem = (type: string) =>
      Buffer.from(`-----BEGIN ${type}-----\nAAAA\n-----END ${type}-----\n`).toString('base64');
    const plain = csr({}, { conditions: [] });
    const status = (given: object) => validateObjectStatusUpdate(definition, csr({}, given), plain);
    assert.deepEqual(shown(status({ conditions: [condition('Approved')] })), [
      'status.conditions: Forbidden: updates may not add a condition of type "Approved"',
    ]);
    assert.deepEqual(shown(status({ certificate: pem('CERTIFICATE') })), []);
    assert.deepEqual(shown(status({ certificate: pem('PRIVATE KEY') })), [
      'status.certificate: Invalid value: "<certificate data>": only CERTIFICATE PEM blocks are allowed, found "PRIVATE KEY"',
    ]);
    const signed = csr({}, { certificate: pem('CERTIFICATE') });
    assert.deepEqual(
      shown(validateObjectStatusUpdate(definition, csr({}, { certificate: `${pem('CERTIFICATE')}` }), signed)),
      [],
    );
    const other = Buffer.from('-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n').toString('base64');
    assert.deepEqual(shown(validateObjectStatusUpdate(definition, csr({}, { certificate: other }), signed)), [
      'status.certificate: Forbidden: updates may not modify existing certificate content',
    ]);
  });
});
