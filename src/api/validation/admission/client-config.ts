import { isDns1123Subdomain } from '../../names.ts';
import type { Findings } from '../findings.ts';

interface ClientConfig {
  url?: string | null;
  service?: { name?: string; namespace?: string; path?: string; port?: number } | null;
}

/** Where a webhook is. Source: apiserver's util/webhook/validation.go. */
export function validateClientConfig(config: ClientConfig, path: string, findings: Findings): void {
  if ((config.url == null) === (config.service == null)) {
    findings.required(path, 'exactly one of url or service is required');
  } else if (config.url != null) validateWebhookUrl(config.url, `${path}.url`, findings);
  else validateWebhookService(config.service!, `${path}.service`, findings);
}

function validateWebhookUrl(text: string, path: string, findings: Findings): void {
  const form = 'desired format: https://host[/path]';
  const parts = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(text);
  if (parts === null) {
    if (/[\u0000-\u0020\u007f]|^:|%(?![0-9a-fA-F]{2})/.test(text)) {
      findings.required(path, `url must be a valid URL: parse ${JSON.stringify(text)}: invalid URL; ${form}`);
      return;
    }
    const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(text)?.[1] ?? '';
    if (scheme !== 'https') findings.invalid(path, scheme, `'https' is the only allowed URL scheme; ${form}`);
    findings.invalid(path, '', `host must be specified; ${form}`);
    return;
  }
  const [, scheme, authority = '', , query = '', fragment = ''] = parts;
  const at = authority.lastIndexOf('@');
  const host = authority.slice(at + 1);
  if (host !== '' && !URL.canParse(`https://${host}/`)) {
    findings.required(path, `url must be a valid URL: parse ${JSON.stringify(text)}: invalid host; ${form}`);
    return;
  }
  if (scheme !== 'https') findings.invalid(path, scheme, `'https' is the only allowed URL scheme; ${form}`);
  if (host === '') findings.invalid(path, '', `host must be specified; ${form}`);
  if (at >= 0) findings.invalid(path, authority.slice(0, at), 'user information is not permitted in the URL');
  if (fragment !== '') findings.invalid(path, fragment, 'fragments are not permitted in the URL');
  if (query !== '') findings.invalid(path, query, 'query parameters are not permitted in the URL');
}

function validateWebhookService(service: NonNullable<ClientConfig['service']>, path: string, findings: Findings): void {
  // Upstream takes the one for the other.
  if (!service.namespace) findings.required(`${path}.name`);
  if (!service.name) findings.required(`${path}.namespace`);
  const { port = 443 } = service;
  if (port < 1 || port > 65535) {
    findings.invalid(`${path}.port`, port, 'port is not valid: must be between 1 and 65535, inclusive');
  }
  const urlPath = service.path ?? '';
  if (urlPath === '' || urlPath === '/') return;
  const at = `${path}.path`;
  if (urlPath === '//') {
    findings.invalid(at, urlPath, 'segment[0] may not be empty');
    return;
  }
  if (!urlPath.startsWith('/')) findings.invalid(at, urlPath, "must start with a '/'");
  const segments = urlPath.slice(1).replace(/\/$/, '').split('/');
  segments.forEach((segment, index) => {
    if (segment === '') {
      findings.invalid(at, urlPath, `segment[${index}] may not be empty`);
      return;
    }
    for (const why of isDns1123Subdomain(segment)) findings.invalid(at, urlPath, `segment[${index}]: ${why}`);
  });
}
