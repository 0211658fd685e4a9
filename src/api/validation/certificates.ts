import { semanticEqual } from '../equality.ts';
import type { CertificateSigningRequest } from '../generated/certificates-v1.ts';
import { isDns1123Label, isDns1123Subdomain } from '../names.ts';
import { firstPemBlock, pemBlocks } from '../pem.ts';
import type { Findings } from './findings.ts';

const usages = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];
/** Conditions that are never anything but true. */
const onlyTrue = new Set(['Approved', 'Denied', 'Failed']);
const longestDomain = 253;
/** Domain, slash, and a path of a subdomain and a label. */
const longestSignerName = 253 + 1 + (253 + 63 + 1);

type Condition = NonNullable<NonNullable<CertificateSigningRequest['status']>['conditions']>[number];
const conditionsOf = ({ status }: CertificateSigningRequest): Condition[] => status?.conditions ?? [];

/** All that can be said without reading what is in the request: that is admission's, which may take its time. */
export function validateCertificateRequest(object: CertificateSigningRequest, findings: Findings): void {
  const { spec } = object;
  if (firstPemBlock(Buffer.from(spec.request ?? '', 'base64').toString('latin1'))?.type !== 'CERTIFICATE REQUEST') {
    findings.invalid('spec.request', spec.request || null, 'PEM block type must be CERTIFICATE REQUEST');
  }
  if (!spec.usages?.length) findings.required('spec.usages');
  const seen = new Set<string>();
  spec.usages?.forEach((usage, index) => {
    if (!usages.includes(usage)) findings.notSupported(`spec.usages[${index}]`, usage, usages);
    if (seen.has(usage)) findings.duplicate(`spec.usages[${index}]`, usage);
    seen.add(usage);
  });
  validateSignerName(spec.signerName, findings);
  const { expirationSeconds } = spec;
  if (typeof expirationSeconds === 'number' && expirationSeconds < 600) {
    const why = 'may not specify a duration less than 600 seconds (10 minutes)';
    findings.invalid('spec.expirationSeconds', expirationSeconds, why);
  }
  validateConditions(conditionsOf(object), findings);
}

const signerNameForm = "must be a fully qualified domain and path of the form 'example.com/signer-name'";

/** `DOMAIN/PATH`: a domain with a dot in it, and a path of parts with dots between them. */
function validateSignerName(name: string | undefined, findings: Findings): void {
  const field = 'spec.signerName';
  if (!name) {
    findings.required(field);
    return;
  }
  const [domain = '', path = '', ...more] = name.split('/');
  if (name === 'kubernetes.io/legacy-unknown') {
    findings.invalid(field, name, 'the legacy signerName is not allowed via this API version');
    return;
  }
  if (!name.includes('/') || more.length > 0) {
    findings.invalid(field, name, signerNameForm);
    return;
  }
  if (domain.length > longestDomain) findings.tooLong(field, longestDomain);
  const labels = domain.split('.');
  validateParts(field, domain, labels, isDns1123Label, findings);
  if (labels.length < 2) {
    findings.invalid(field, domain, 'should be a domain with at least two segments separated by dots');
  }
  validateParts(field, path, path.split('.'), isDns1123Subdomain, findings);
  if (name.length > longestSignerName) findings.tooLong(field, longestSignerName);
}

/** The first part that is wrong speaks for all. */
function validateParts(
  field: string,
  whole: string,
  parts: string[],
  check: (part: string) => string[],
  findings: Findings,
): void {
  const wrong = parts.find((part) => check(part).length > 0);
  if (wrong === undefined) return;
  for (const why of check(wrong)) findings.invalid(field, whole, `validating label ${JSON.stringify(wrong)}: ${why}`);
}

function validateConditions(conditions: Condition[], findings: Findings): void {
  const path = 'status.conditions';
  const seen = new Set<string>();
  conditions.forEach(({ type, status }, index) => {
    if (!type) findings.required(`${path}[${index}].type`);
    const supported = onlyTrue.has(type) ? ['True'] : ['False', 'True', 'Unknown'];
    if (!status) findings.required(`${path}[${index}].status`);
    else if (!supported.includes(status)) findings.notSupported(`${path}[${index}].status`, status, supported);
    if ((type === 'Approved' && seen.has('Denied')) || (type === 'Denied' && seen.has('Approved'))) {
      findings.invalid(path, type, 'Approved and Denied conditions are mutually exclusive');
    }
    if (seen.has(type)) findings.duplicate(`${path}[${index}].type`, type);
    seen.add(type);
  });
}

const ofType = (object: CertificateSigningRequest, type: string) =>
  conditionsOf(object).filter((condition) => condition.type === type);

/** The object as a whole, and its approval: what was said of a request stays said. */
export function validateCertificateRequestUpdate(
  object: CertificateSigningRequest,
  old: CertificateSigningRequest,
  findings: Findings,
): void {
  validateCertificateRequest(object, findings);
  for (const type of onlyTrue) {
    if (ofType(object, type).length < ofType(old, type).length) {
      findings.forbidden('status.conditions', `updates may not remove a condition of type "${type}"`);
    }
  }
}

/** The signer's part: it gives the certificate, once, and has no say in the approval. */
export function validateCertificateRequestStatus(
  object: CertificateSigningRequest,
  old: CertificateSigningRequest,
  findings: Findings,
): void {
  validateCertificateRequestUpdate(object, old, findings);
  for (const type of ['Approved', 'Denied']) {
    const [now, before] = [ofType(object, type), ofType(old, type)];
    if (now.length > before.length) {
      findings.forbidden('status.conditions', `updates may not add a condition of type "${type}"`);
    } else if (now.length === before.length && !semanticEqual(now, before)) {
      findings.forbidden('status.conditions', `updates may not modify a condition of type "${type}"`);
    }
  }
  const certificate = object.status?.certificate ?? '';
  const given = old.status?.certificate ?? '';
  if (certificate === given) return;
  if (given !== '') findings.forbidden('status.certificate', 'updates may not modify existing certificate content');
  const why = whyNoCertificate(Buffer.from(String(certificate), 'base64').toString('latin1'));
  if (why !== undefined) findings.invalid('status.certificate', '<certificate data>', why);
}

function whyNoCertificate(pem: string): string | undefined {
  let blocks = 0;
  for (const { type, content } of pemBlocks(pem)) {
    if (!/^\r?\n/.test(content)) continue;
    if (type !== 'CERTIFICATE') return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`;
    if (content.includes(':')) return 'no PEM block headers are permitted';
    blocks++;
  }
  return blocks === 0 ? 'must contain at least one CERTIFICATE PEM block' : undefined;
}

/** Who writes the object says nothing of its status, and never changes the request. */
export function prepareCertificateRequestUpdate(
  object: CertificateSigningRequest,
  old: CertificateSigningRequest,
): void {
  object.spec = old.spec;
}

/** A signer that leaves fields of the decision out means the ones there are. */
export function prepareCertificateRequestStatus(
  object: CertificateSigningRequest,
  old: CertificateSigningRequest,
): void {
  if (object.status?.conditions === undefined) return;
  for (const type of ['Approved', 'Denied']) {
    const before = ofType(old, type);
    if (before.length !== ofType(object, type).length) continue;
    let next = 0;
    object.status.conditions = conditionsOf(object).map((condition) =>
      condition.type === type ? before[next++]! : condition,
    );
  }
}
