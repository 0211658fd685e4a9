import { parse as parseYaml } from 'yaml';
import type { AuthenticationConfiguration } from '../../../api/authentication/configuration.ts';
import { validateAuthentication } from '../../../api/authentication/validate.ts';
import { decodeObject } from '../../../api/decode/decode.ts';
import { tenantAuthenticationSchema } from '../../../api/resources/platform.ts';
import { Findings } from '../../../api/validation/findings.ts';
import { TokenIssuers } from '../token-issuers.ts';

const versions = ['apiserver.config.k8s.io/v1', 'apiserver.config.k8s.io/v1beta1', 'apiserver.config.k8s.io/v1alpha1'];

/**
 * What `--authentication-config` names, checked. `serviceAccounts`: the issuers of our own tokens, which nobody else may
 * be. Throws an Error that says everything that is wrong with it.
 */
export function parseAuthenticationConfiguration(
  text: string,
  serviceAccounts = new TokenIssuers(),
): AuthenticationConfiguration {
  const value = parseYaml(text);
  if (typeof value !== 'object' || value === null) throw new Error('it is no AuthenticationConfiguration');
  const { kind, apiVersion, jwt, anonymous, ...unknown } = value;
  if (kind !== 'AuthenticationConfiguration' || !versions.includes(apiVersion)) {
    throw new Error(`it must be an AuthenticationConfiguration of ${versions[0]}`);
  }
  // Tenants have the same list as part of their object.
  const decoded = decodeObject(tenantAuthenticationSchema, { jwt }, { strict: true });
  const wrong = [
    ...Object.keys(unknown).map((field) => `unknown field ${JSON.stringify(field)}`),
    ...decoded.errors,
    ...decoded.unknownFields,
    ...anonymousFindings(anonymous),
  ];
  if (wrong.length > 0) throw new Error(wrong.join(', '));
  const configuration: AuthenticationConfiguration = {
    jwt: decoded.object.jwt ?? [],
    ...(anonymous != null && { anonymous }),
  };
  const findings = new Findings();
  for (const [index, { issuer }] of configuration.jwt!.entries()) {
    if (issuer?.url === undefined || serviceAccounts.tenantOf(issuer.url) === undefined) continue;
    findings.invalid(`jwt[${index}].issuer.url`, issuer.url, 'URL must not overlap with those of service accounts');
  }
  validateAuthentication(configuration, findings);
  if (!findings.isEmpty) throw new Error(findings.list.map(({ field, message }) => `${field}: ${message}`).join(', '));
  return configuration;
}

function anonymousFindings(anonymous: unknown): string[] {
  if (anonymous === undefined || anonymous === null) return [];
  const { enabled, conditions = [], ...unknown } = anonymous as Record<string, unknown>;
  const wrong = Object.keys(unknown).map((field) => `unknown field ${JSON.stringify(`anonymous.${field}`)}`);
  if (typeof enabled !== 'boolean') wrong.push('anonymous.enabled: true or false');
  const isPath = (one: unknown) => typeof (one as { path?: unknown } | null)?.path === 'string';
  if (!Array.isArray(conditions) || !conditions.every(isPath)) wrong.push('anonymous.conditions: a list of paths');
  else if (enabled === false && conditions.length > 0) {
    wrong.push('anonymous.conditions: enabled should be set to true when conditions are defined');
  }
  return wrong;
}
