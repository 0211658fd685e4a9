import { X509Certificate } from 'node:crypto';
import type { Steps } from '../../../base/steps.ts';
import type { CustomResourceConversion, CustomResourceDefinition } from '../../generated/apiextensions-v1.ts';
import { isDns1035Label } from '../../names.ts';
import { pemBlocks } from '../../pem.ts';
import { validateClientConfig } from '../../validation/admission/client-config.ts';
import type { Findings } from '../../validation/findings.ts';

const versionsAtOnce = 256;
const accepted = ['v1', 'v1beta1'];
const isRecognized = (versions: string[] | undefined) =>
  !versions?.length || versions.some((version) => accepted.includes(version));

export function* validateConversion(
  conversion: CustomResourceConversion | undefined,
  old: CustomResourceConversion | undefined,
  findings: Findings,
): Steps<void> {
  if (conversion === undefined || conversion === null) return;
  const { strategy, webhook } = conversion;
  findings.oneOf(strategy, 'spec.conversion.strategy', ['None', 'Webhook']);
  const clientPath = 'spec.conversion.webhookClientConfig';
  const versionsPath = 'spec.conversion.conversionReviewVersions';
  if (strategy !== 'Webhook') {
    const why = 'should not be set when strategy is not set to Webhook';
    if (webhook?.clientConfig) findings.forbidden(clientPath, why);
    if (webhook?.conversionReviewVersions?.length) findings.forbidden(versionsPath, why);
    return;
  }
  const config = webhook?.clientConfig;
  if (!config) findings.required(clientPath, 'required when strategy is set to Webhook');
  else validateClientConfig(config, clientPath, findings);
  const versions = webhook?.conversionReviewVersions ?? [];
  if (versions.length === 0) {
    findings.required(versionsPath);
    return;
  }
  const seen = new Set<string>();
  for (const [index, version] of versions.entries()) {
    if (index % versionsAtOnce === versionsAtOnce - 1) yield;
    if (seen.size === seen.add(version).size)
      findings.invalid(`${versionsPath}[${index}]`, version, 'duplicate version');
    else findings.invalidEach(`${versionsPath}[${index}]`, version, isDns1035Label(version));
  }
  if (isRecognized(old?.webhook?.conversionReviewVersions) && !isRecognized(versions)) {
    findings.invalid(versionsPath, versions, `must include at least one of ${accepted.join(', ')}`);
  }
}

/** Certificates that are none are let in only until the definition is served, or where none were before. */
export function validateCaBundle(
  crd: CustomResourceDefinition,
  old: CustomResourceDefinition,
  findings: Findings,
): void {
  const isEstablished = old.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True');
  const bundleOf = ({ spec }: CustomResourceDefinition) => spec.conversion?.webhook?.clientConfig?.caBundle ?? '';
  const [now, before] = [bundleOf(crd), bundleOf(old)];
  if (isEstablished !== true || now === '' || crd.spec.conversion?.strategy !== 'Webhook') return;
  if (holdsCertificates(now) || (before !== '' && !holdsCertificates(before))) return;
  findings.invalid(
    'spec.conversion.webhookClientConfig.caBundle',
    now,
    'unable to load root certificates: unable to parse bytes as PEM block',
  );
}

function holdsCertificates(base64: string): boolean {
  let count = 0;
  try {
    for (const { type, text } of pemBlocks(Buffer.from(base64, 'base64').toString('latin1'))) {
      if (type !== 'CERTIFICATE') continue;
      new X509Certificate(text);
      count++;
    }
    return count > 0;
  } catch {
    return false;
  }
}
