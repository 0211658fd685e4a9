import type { JwtAuthenticator, PrefixedClaim } from '../../../api/authentication/configuration.ts';
import { compileTokenExpression } from '../../../api/authentication/expressions.ts';
import { CelList } from '../../../api/cel/values.ts';
import { TokenRefused } from '../service-account-tokens.ts';
import { claimValue } from './claim-values.ts';
import type { Claims } from './verify-token.ts';

export interface MappedUser {
  name: string;
  uid?: string;
  groups: string[];
  extra?: Record<string, string[]>;
}

const refused = (why: string) => new TokenRefused(`oidc: ${why}`);

/** Whom the claims of a verified token stand for. Throws TokenRefused. Source: the OIDC authenticator upstream. */
export function mappedUser(authenticator: JwtAuthenticator, claims: Claims): MappedUser {
  const { claimMappings, claimValidationRules = [], userValidationRules = [] } = authenticator;
  const name = usernameOf(claimMappings.username, claims);
  const groups = groupsOf(claimMappings.groups ?? {}, claims);
  const uid = uidOf(claimMappings.uid ?? {}, claims);
  const extra: Record<string, string[]> = {};
  if (typeof claims['jti'] === 'string' && claims['jti'] !== '') {
    extra['authentication.kubernetes.io/credential-id'] = [`JTI=${claims['jti']}`];
  }
  const extraValues = (claimMappings.extra ?? []).map(({ key, valueExpression }) => {
    const outcome = compileTokenExpression(valueExpression, 'claims', false).evaluate(() => claimValue(claims));
    if (outcome.error !== undefined) throw new TokenRefused(failedToRun(valueExpression, outcome.error));
    return [key, valueExpression, outcome.value] as const;
  });
  for (const [key, expression, value] of extraValues) {
    const values = stringsOf(value, 'extra claim expression', `${expression}: `);
    if (values.length > 0) extra[key] = values;
  }
  for (const { claim = '', requiredValue = '' } of claimValidationRules) {
    if (claim === '') continue;
    if (!Object.hasOwn(claims, claim)) throw refused(`required claim ${claim} not present in ID token`);
    const value = unmarshaled(claims[claim], 'string', (why) => refused(`parse claim ${claim}: ${why}`));
    if (value !== requiredValue) {
      throw refused(`required claim ${claim} value does not match. Got = ${value}, want = ${requiredValue}`);
    }
  }
  checkRules(claimValidationRules, 'claims', claims, 'claim validation expression');
  const user: MappedUser = {
    name,
    groups,
    ...(uid !== '' && { uid }),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
  const shown = { username: name, uid, groups, extra };
  checkRules(userValidationRules, 'user', shown, 'user info validation rule');
  return user;
}

/** All rules are evaluated before one is looked at. */
function checkRules(
  rules: { expression?: string; message?: string }[],
  subject: 'claims' | 'user',
  value: object,
  what: string,
): void {
  const evaluated = rules.flatMap(({ expression = '', message = '' }) => {
    if (expression === '') return [];
    const outcome = compileTokenExpression(expression, subject, true).evaluate(() => claimValue(value));
    if (outcome.error !== undefined)
      throw refused(`error evaluating ${what}: ${failedToRun(expression, outcome.error)}`);
    return [{ expression, message, isTrue: outcome.value === true }];
  });
  for (const { expression, message, isTrue } of evaluated) {
    if (!isTrue) throw refused(`error evaluating ${what}: validation expression '${expression}' failed: ${message}`);
  }
}

const failedToRun = (expression: string, error: string) => `expression '${expression}' resulted in error: ${error}`;

function evaluate(expression: string, claims: Claims, what: string): unknown {
  const outcome = compileTokenExpression(expression, 'claims', false).evaluate(() => claimValue(claims));
  if (outcome.error !== undefined) {
    throw refused(`error evaluating ${what} expression: ${failedToRun(expression, outcome.error)}`);
  }
  return outcome.value;
}

/** As Go reads JSON into a string or bool: null leaves it empty. */
function unmarshaled<T extends 'string' | 'boolean'>(
  value: unknown,
  type: T,
  failure: (why: string) => Error,
): T extends 'string' ? string : boolean {
  type Result = T extends 'string' ? string : boolean;
  if (value === null) return (type === 'string' ? '' : false) as Result;
  if (typeof value === type) return value as Result;
  const found = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  throw failure(`json: cannot unmarshal ${found} into Go value of type ${type === 'boolean' ? 'bool' : type}`);
}

function textOf(claims: Claims, claim: string, what: string): string {
  const failure = (why: string) => refused(`parse ${what} ${JSON.stringify(claim)}: ${why}`);
  if (!Object.hasOwn(claims, claim)) throw failure('claim not present');
  return unmarshaled(claims[claim], 'string', failure);
}

function usernameOf({ claim = '', prefix = '', expression = '' }: PrefixedClaim, claims: Claims): string {
  if (expression !== '') {
    const name = evaluate(expression, claims, 'username claim');
    if (typeof name !== 'string') {
      throw refused('error evaluating username claim expression: username claim expression must return a string');
    }
    if (name === '') throw refused('empty username via CEL expression is not allowed');
    return name;
  }
  const name = textOf(claims, claim, 'username claims');
  // https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims
  if (claim === 'email' && Object.hasOwn(claims, 'email_verified')) {
    const failure = (why: string) => refused(`parse 'email_verified' claim: ${why}`);
    if (!unmarshaled(claims['email_verified'], 'boolean', failure)) throw refused('email not verified');
  }
  return `${prefix}${name}`;
}

function groupsOf({ claim = '', prefix = '', expression = '' }: PrefixedClaim, claims: Claims): string[] {
  if (expression !== '') return stringsOf(evaluate(expression, claims, 'group claim'), 'group claim expression');
  if (claim === '' || !Object.hasOwn(claims, claim)) return [];
  const value = claims[claim];
  const isList = Array.isArray(value) && value.every((one) => one === null || typeof one === 'string');
  // Some issuers give one group as plain text.
  const list = isList || value === null ? (value ?? []) : [value];
  const failure = (why: string) => refused(`parse groups claim ${JSON.stringify(claim)}: ${why}`);
  return (list as unknown[]).map((group) => `${prefix}${unmarshaled(group, 'string', failure)}`);
}

function uidOf({ claim = '', expression = '' }: { claim?: string; expression?: string }, claims: Claims): string {
  if (claim !== '') return textOf(claims, claim, 'uid claim');
  if (expression === '') return '';
  const uid = evaluate(expression, claims, 'uid claim');
  if (typeof uid !== 'string') {
    throw refused('error evaluating uid claim expression: uid claim expression must return a string');
  }
  return uid;
}

/** A string, a list of strings, or nothing. Empty strings are left out. Source: convertCELValueToStringList. */
function stringsOf(value: unknown, what: string, which = ''): string[] {
  if (value === null || value === undefined || value === '') return [];
  if (typeof value === 'string') return [value];
  if (value instanceof CelList) {
    const items = value.toArray();
    if (items.every((item): item is string => typeof item === 'string')) return items.filter((item) => item !== '');
  }
  throw refused(`error evaluating ${what}: ${which}expression must return a string or a list of strings`);
}
