import type { CustomResourceConversion } from '../../generated/apiextensions-v1.ts';
import { isDns1035Label } from '../../names.ts';
import type { Findings } from '../../validation/findings.ts';

const accepted = ['v1', 'v1beta1'];
const isRecognized = (versions: string[] | undefined) =>
  !versions?.length || versions.some((version) => accepted.includes(version));

export function validateConversion(
  conversion: CustomResourceConversion | undefined,
  old: CustomResourceConversion | undefined,
  findings: Findings,
): void {
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
  else if ((config.url == null) === (config.service == null)) {
    findings.required(clientPath, 'exactly one of url or service is required');
  } else if (config.url != null) validateUrl(config.url, `${clientPath}.url`, findings);
  else validateService(config.service!, `${clientPath}.service`, findings);
  const versions = webhook?.conversionReviewVersions ?? [];
  if (versions.length === 0) {
    findings.required(versionsPath);
    return;
  }
  versions.forEach((version, index) => {
    if (versions.indexOf(version) < index) findings.invalid(`${versionsPath}[${index}]`, version, 'duplicate version');
    else findings.invalidEach(`${versionsPath}[${index}]`, version, isDns1035Label(version));
  });
  if (isRecognized(old?.webhook?.conversionReviewVersions) && !isRecognized(versions)) {
    findings.invalid(versionsPath, versions, `must include at least one of ${accepted.join(', ')}`);
  }
}

function validateUrl(text: string, path: string, findings: Findings): void {
  const form = 'desired format: https://host[/path]';
  if (!URL.canParse(text)) {
    findings.required(path, `url must be a valid URL: parse ${JSON.stringify(text)}: invalid URI for request; ${form}`);
    return;
  }
  const url = new URL(text);
  if (url.protocol !== 'https:') {
    findings.invalid(path, url.protocol.slice(0, -1), `'https' is the only allowed URL scheme; ${form}`);
  }
  if (url.host === '') findings.invalid(path, '', `host must be specified; ${form}`);
  if (url.username !== '') findings.invalid(path, url.username, 'user information is not permitted in the URL');
  if (url.hash !== '') findings.invalid(path, url.hash.slice(1), 'fragments are not permitted in the URL');
  if (url.search !== '') findings.invalid(path, url.search.slice(1), 'query parameters are not permitted in the URL');
}

function validateService(
  service: { name?: string; namespace?: string; path?: string; port?: number },
  path: string,
  findings: Findings,
): void {
  if (!service.name) findings.required(`${path}.name`, 'service name is required');
  if (!service.namespace) findings.required(`${path}.namespace`, 'service namespace is required');
  const { port = 443 } = service;
  if (port < 1 || port > 65535) {
    findings.invalid(`${path}.port`, port, 'port is not valid: must be between 1 and 65535, inclusive');
  }
  const urlPath = service.path ?? '';
  if (urlPath === '' || urlPath === '/') return;
  if (!urlPath.startsWith('/')) findings.invalid(`${path}.path`, urlPath, "must start with a '/'");
  if (urlPath.slice(1).replace(/\/$/, '').split('/').includes('')) {
    findings.invalid(`${path}.path`, urlPath, 'segment may not be empty');
  }
}
