import type { JwtAuthenticator, PrefixedClaim } from '../../../api/authentication/configuration.ts';
import { compileTokenExpression } from '../../../api/authentication/expressions.ts';
import { CelList, jsonValue } from '../../../api/cel/values.ts';

export interface MappedUser {
  name: string;
  uid?: string;
  groups: string[];
  extra?: Record<string, string[]>;
}

type Claims = Record<string, unknown>;

/** Why a token that is signed well says nobody. */
export class ClaimsRefused extends Error {}

const refused = (why: string) => new ClaimsRefused(`oidc: ${why}`);

/** Whom the claims of a verified token stand for. Throws ClaimsRefused. Source: the OIDC authenticator upstream. */
export function mappedUser(authenticator: JwtAuthenticator, claims: Claims): MappedUser {
  const { claimMappings, claimValidationRules = [], userValidationRules = [] } = authenticator;
  const name = usernameOf(claimMappings.username, claims);
  const groups = groupsOf(claimMappings.groups ?? {}, claims);
  const uid = uidOf(claimMappings.uid ?? {}, claims);
  const extra: Record<string, string[]> = {};
  if (typeof claims['jti'] === 'string' && claims['jti'] !== '') {
    extra['authentication.kubernetes.io/credential-id'] = [`JTI=${claims['jti']}`];
  }
  for (const { key, valueExpression } of claimMappings.extra ?? []) {
    const values = stringsOf(evaluate(valueExpression, claims, 'extra claim'), 'extra claim');
    if (values.length > 0) extra[key] = values;
  }
  for (const { claim = '', requiredValue = '' } of claimValidationRules) {
    if (claim === '') continue;
    if (!Object.hasOwn(claims, claim)) throw refused(`required claim ${claim} not present in ID token`);
    if (claims[claim] !== requiredValue) {
      throw refused(
        `required claim ${claim} value does not match. Got = ${String(claims[claim])}, want = ${requiredValue}`,
      );
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

function checkRules(
  rules: { expression?: string; message?: string }[],
  subject: 'claims' | 'user',
  value: object,
  what: string,
): void {
  for (const { expression = '', message = '' } of rules) {
    if (expression === '') continue;
    const outcome = compileTokenExpression(expression, subject, true).evaluate(() => jsonValue(value));
    if (outcome.error !== undefined) throw refused(`error evaluating ${what}: ${outcome.error}`);
    if (outcome.value !== true) {
      const why = message === '' ? `validation expression '${expression}' failed` : message;
      throw refused(`error evaluating ${what}: ${why}`);
    }
  }
}

function evaluate(expression: string, claims: Claims, what: string): unknown {
  const outcome = compileTokenExpression(expression, 'claims', false).evaluate(() => jsonValue(claims));
  if (outcome.error !== undefined) throw refused(`error evaluating ${what} expression: ${outcome.error}`);
  return outcome.value;
}

function textOf(claims: Claims, claim: string, what: string): string {
  const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  if (value === undefined) throw refused(`parse ${what} claims ${JSON.stringify(claim)}: claim not present`);
  if (typeof value !== 'string') {
    throw refused(`parse ${what} claims ${JSON.stringify(claim)}: json: cannot unmarshal into Go value of type string`);
  }
  return value;
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
  const name = textOf(claims, claim, 'username');
  // https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims
  if (claim === 'email' && Object.hasOwn(claims, 'email_verified')) {
    const isVerified = claims['email_verified'];
    if (typeof isVerified !== 'boolean') throw refused("parse 'email_verified' claim: not a bool");
    if (!isVerified) throw refused('email not verified');
  }
  return `${prefix}${name}`;
}

function groupsOf({ claim = '', prefix = '', expression = '' }: PrefixedClaim, claims: Claims): string[] {
  if (expression !== '') return stringsOf(evaluate(expression, claims, 'group claim'), 'group claim');
  const value = claim !== '' && Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  if (value === undefined || value === null) return [];
  // Some issuers give one group as plain text.
  const list = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(list) || list.some((one) => typeof one !== 'string')) {
    throw refused(`parse groups claim ${JSON.stringify(claim)}: not a string or a list of strings`);
  }
  return list.map((group: string) => `${prefix}${group}`);
}

function uidOf({ claim = '', expression = '' }: { claim?: string; expression?: string }, claims: Claims): string {
  if (claim !== '') return textOf(claims, claim, 'uid');
  if (expression === '') return '';
  const uid = evaluate(expression, claims, 'uid claim');
  if (typeof uid !== 'string') {
    throw refused('error evaluating uid claim expression: uid claim expression must return a string');
  }
  return uid;
}

/** A string, a list of strings, or nothing. Empty strings are left out. Source: convertCELValueToStringList. */
function stringsOf(value: unknown, what: string): string[] {
  if (value === null || value === undefined || value === '') return [];
  if (typeof value === 'string') return [value];
  if (value instanceof CelList) {
    const items = value.toArray();
    if (items.every((item): item is string => typeof item === 'string')) return items.filter((item) => item !== '');
  }
  throw refused(`error evaluating ${what} expression: expression must return a string or a list of strings`);
}
