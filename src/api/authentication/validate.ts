import { X509Certificate } from 'node:crypto';
import type { Program } from '../cel/program.ts';
import { isDns1123Subdomain } from '../names.ts';
import type { Findings } from '../validation/findings.ts';
import type {
  AuthenticationConfiguration,
  ClaimMappings,
  JwtAuthenticator,
  PrefixedClaim,
  TokenIssuer,
} from './configuration.ts';
import { compileTokenExpression, type Subject, usesClaim } from './expressions.ts';

/** As upstream. */
const authenticatorsLimit = 64;

/**
 * Everything that is wrong with a configuration. `root`: what the fields' paths begin with (`spec.authentication.`).
 * `disallowed`: issuers that are taken, the server's own. Source: apiserver's pkg/apis/apiserver/validation.
 */
export function validateAuthentication(
  { jwt = [], anonymous }: AuthenticationConfiguration,
  findings: Findings,
  { root = '', disallowed = [] }: { root?: string; disallowed?: string[] } = {},
): void {
  const path = `${root}jwt`;
  if (jwt.length > authenticatorsLimit) findings.tooMany(path, jwt.length, authenticatorsLimit);
  const urls = new Set<string>();
  const discoveryUrls = new Set<string>();
  for (const [index, authenticator] of jwt.entries()) {
    const at = `${path}[${index}]`;
    validateAuthenticator(authenticator, at, findings, disallowed);
    const { url = '', discoveryURL = '' } = authenticator.issuer ?? {};
    if (urls.has(url)) findings.duplicate(`${at}.issuer.url`, url);
    urls.add(url);
    if (discoveryURL !== '' && discoveryUrls.has(discoveryURL)) {
      findings.duplicate(`${at}.issuer.discoveryURL`, discoveryURL);
    }
    discoveryUrls.add(discoveryURL);
  }
  if (anonymous !== undefined && !anonymous.enabled && (anonymous.conditions ?? []).length > 0) {
    findings.invalid(
      `${root}anonymous.conditions`,
      anonymous.conditions,
      'enabled should be set to true when conditions are defined',
    );
  }
}

function validateAuthenticator(
  authenticator: JwtAuthenticator,
  at: string,
  findings: Findings,
  disallowed: string[],
): void {
  validateIssuer(authenticator.issuer ?? ({} as TokenIssuer), `${at}.issuer`, findings, disallowed);
  const compile = (expression: string, subject: Subject, isRule: boolean, field: string): Program | undefined => {
    try {
      return compileTokenExpression(expression, subject, isRule);
    } catch (error) {
      findings.invalid(field, expression, (error as Error).message);
      return undefined;
    }
  };
  const rules = validateRules(authenticator, at, findings, compile);
  validateMappings(
    authenticator.claimMappings ?? ({} as ClaimMappings),
    `${at}.claimMappings`,
    findings,
    compile,
    rules,
  );
  const seen = new Set<string>();
  for (const [index, { expression }] of (authenticator.userValidationRules ?? []).entries()) {
    const field = `${at}.userValidationRules[${index}].expression`;
    if (!expression) findings.required(field);
    else if (seen.has(expression)) findings.duplicate(field, expression);
    else compile(expression, 'user', true, field);
    seen.add(expression);
  }
}

type Compile = (expression: string, subject: Subject, isRule: boolean, field: string) => Program | undefined;

function validateIssuer(issuer: TokenIssuer, at: string, findings: Findings, disallowed: string[]): void {
  const { url = '', discoveryURL = '', audiences = [], audienceMatchPolicy = '', certificateAuthority } = issuer;
  const { egressSelectorType = '' } = issuer;
  if (url === '') findings.required(`${at}.url`);
  else {
    if (disallowed.includes(url)) {
      const list = [...disallowed].sort().join(' ');
      findings.invalid(`${at}.url`, url, `URL must not overlap with disallowed issuers: [${list}]`);
    }
    validateUrl(url, `${at}.url`, findings);
  }
  if (discoveryURL !== '') {
    if (url !== '' && url.replace(/\/+$/, '') === discoveryURL.replace(/\/+$/, '')) {
      findings.invalid(`${at}.discoveryURL`, discoveryURL, 'discoveryURL must be different from URL');
    }
    validateUrl(discoveryURL, `${at}.discoveryURL`, findings);
  }
  validateAudiences(audiences, audienceMatchPolicy, at, findings);
  if (certificateAuthority) {
    try {
      void new X509Certificate(certificateAuthority);
    } catch {
      findings.invalid(
        `${at}.certificateAuthority`,
        '<omitted>',
        'data does not contain any valid RSA or ECDSA certificates',
      );
    }
  }
  if (egressSelectorType === 'controlplane' || egressSelectorType === 'cluster') {
    findings.invalid(
      `${at}.egressSelectorType`,
      egressSelectorType,
      `egress lookup for ${JSON.stringify(egressSelectorType)} is not configured`,
    );
  } else if (egressSelectorType !== '') {
    findings.invalid(
      `${at}.egressSelectorType`,
      egressSelectorType,
      'egress selector must be either controlplane or cluster',
    );
  }
}

/** Source: net/url's Parse, as far as a URL with a host is concerned. */
function validateUrl(text: string, field: string, findings: Findings): void {
  const problem = urlProblem(text);
  if (problem !== undefined) {
    findings.invalid(field, text, `parse ${JSON.stringify(text)}: ${problem}`);
    return;
  }
  const { scheme, authority, query, fragment } = partsOfUrl(text);
  if (scheme !== 'https') findings.invalid(field, text, 'URL scheme must be https');
  if (authority.includes('@')) findings.invalid(field, text, 'URL must not contain a username or password');
  if (query !== '') findings.invalid(field, text, 'URL must not contain a query');
  if (fragment !== '') findings.invalid(field, text, 'URL must not contain a fragment');
}

function partsOfUrl(text: string): { scheme: string; authority: string; query: string; fragment: string } {
  const [withoutFragment = '', ...fragment] = text.split('#');
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(withoutFragment)?.[1] ?? '';
  const [beforeQuery = '', ...query] = withoutFragment.slice(scheme === '' ? 0 : scheme.length + 1).split('?');
  const authority = beforeQuery.startsWith('//') ? beforeQuery.slice(2).split('/', 1)[0]! : '';
  return { scheme: scheme.toLowerCase(), authority, query: query.join('?'), fragment: fragment.join('#') };
}

function urlProblem(text: string): string | undefined {
  if (/[\x00-\x1f\x7f]/.test(text)) return 'net/url: invalid control character in URL';
  if (text.startsWith(':')) return 'missing protocol scheme';
  const { authority } = partsOfUrl(text);
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  if (!host.startsWith('[') && host.includes(' ')) return 'invalid character " " in host name';
  const port = /^(?:\[[^\]]*\]|[^:[\]]*)(:.*)$/.exec(host)?.[1];
  return port === undefined || /^:\d*$/.test(port) ? undefined : `invalid port ${JSON.stringify(port)} after host`;
}

function validateAudiences(audiences: string[], policy: string, at: string, findings: Findings): void {
  const field = `${at}.audiences`;
  if (audiences.length === 0) {
    findings.required(field, `at least one ${field} is required`);
    return;
  }
  const seen = new Set<string>();
  for (const [index, audience] of audiences.entries()) {
    if (audience === '') findings.required(`${field}[${index}]`);
    if (seen.has(audience)) findings.duplicate(`${field}[${index}]`, audience);
    seen.add(audience);
  }
  const policyField = `${at}.audienceMatchPolicy`;
  if (audiences.length > 1 && policy !== 'MatchAny') {
    findings.invalid(policyField, policy, 'audienceMatchPolicy must be MatchAny for multiple audiences');
  }
  if (audiences.length === 1 && policy !== '' && policy !== 'MatchAny') {
    findings.invalid(policyField, policy, 'audienceMatchPolicy must be empty or MatchAny for single audience');
  }
}

/** Gives the rules' programs, for what the mappings say of each other. */
function validateRules(authenticator: JwtAuthenticator, at: string, findings: Findings, compile: Compile): Program[] {
  const programs: Program[] = [];
  const seen = new Set<string>();
  for (const [index, rule] of (authenticator.claimValidationRules ?? []).entries()) {
    const field = `${at}.claimValidationRules[${index}]`;
    const { claim = '', requiredValue = '', expression = '', message = '' } = rule;
    if (claim !== '' && expression !== '') findings.invalid(field, claim, "claim and expression can't both be set");
    else if (claim !== '') {
      if (message !== '') findings.invalid(`${field}.message`, message, 'may not be specified when claim is set');
      if (seen.has(`claim/${claim}`)) findings.duplicate(`${field}.claim`, claim);
      seen.add(`claim/${claim}`);
    } else if (expression !== '') {
      if (requiredValue !== '') {
        findings.invalid(`${field}.requiredValue`, requiredValue, 'may not be specified when expression is set');
      }
      if (seen.has(expression)) findings.duplicate(`${field}.expression`, expression);
      else {
        const program = compile(expression, 'claims', true, `${field}.expression`);
        if (program !== undefined) programs.push(program);
      }
      seen.add(expression);
    } else findings.required(field, 'claim or expression is required');
  }
  return programs;
}

function validateMappings(
  mappings: ClaimMappings,
  at: string,
  findings: Findings,
  compile: Compile,
  rules: Program[],
): void {
  const prefixed = (mapping: PrefixedClaim, field: string, isRequired: boolean): Program | undefined => {
    const { claim = '', expression = '', prefix } = mapping;
    if (claim !== '' && expression !== '') {
      findings.invalid(field, '', "claim and expression can't both be set");
    } else if (expression !== '') {
      if (prefix !== undefined) {
        findings.invalid(`${field}.prefix`, prefix, 'may not be specified when expression is set');
      }
      return compile(expression, 'claims', false, `${field}.expression`);
    } else if (claim !== '') {
      if (prefix === undefined) {
        const why = 'prefix is required when claim is set. It can be set to an empty string to disable prefixing';
        findings.required(`${field}.prefix`, why);
      }
    } else if (isRequired) findings.required(field, 'claim or expression is required');
    return undefined;
  };
  const username = prefixed(mappings.username ?? {}, `${at}.username`, true);
  prefixed(mappings.groups ?? {}, `${at}.groups`, false);
  const { claim = '', expression = '' } = mappings.uid ?? {};
  if (claim !== '' && expression !== '') findings.invalid(`${at}.uid`, '', "claim and expression can't both be set");
  else if (expression !== '') compile(expression, 'claims', false, `${at}.uid.expression`);
  const looksAtVerified = [...rules, ...(username === undefined ? [] : [username])];
  const keys = new Set<string>();
  for (const [index, { key = '', valueExpression = '' }] of (mappings.extra ?? []).entries()) {
    const field = `${at}.extra[${index}]`;
    validateExtraKey(key, `${field}.key`, findings);
    if (keys.has(key)) {
      findings.duplicate(`${field}.key`, key);
      continue;
    }
    keys.add(key);
    if (valueExpression === '') findings.required(`${field}.valueExpression`);
    else {
      const program = compile(valueExpression, 'claims', false, `${field}.valueExpression`);
      if (program !== undefined) looksAtVerified.push(program);
    }
  }
  if (username !== undefined && usesClaim(username, 'email')) {
    if (!looksAtVerified.some((program) => usesClaim(program, 'email_verified'))) {
      findings.invalid(
        `${at}.username.expression`,
        mappings.username.expression,
        'claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression',
      );
    }
  }
}

function validateExtraKey(key: string, field: string, findings: Findings): void {
  const slash = key.indexOf('/');
  const domain = key.slice(0, Math.max(slash, 0));
  if (key === '') findings.required(field);
  else if (slash <= 0 || slash === key.length - 1) {
    findings.invalid(field, key, 'must be a domain-prefixed path (such as "acme.io/foo")');
  } else findings.invalidEach(field, domain, isDns1123Subdomain(domain));
  if (key !== key.toLowerCase()) findings.invalid(field, key, 'must be lowercase');
  if (/(^|\.)(kubernetes|k8s)\.io$/.test(domain)) {
    findings.invalid(field, key, 'k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use');
  }
}
