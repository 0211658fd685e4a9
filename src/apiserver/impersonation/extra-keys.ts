import { isDns1123Subdomain } from '../../api/names.ts';

const pathFormat = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
const path = new RegExp(`^${pathFormat}$`);

/** Why extras cannot be impersonated in a constrained mode; undefined when they can. Source: validateExtra upstream. */
export function refusedExtra(extra: Readonly<Record<string, string[]>>): string | undefined {
  for (const [key, values] of Object.entries(extra)) {
    if (key === '') return 'impersonating the empty string key in extra is not allowed';
    const wrong = domainPrefixedPath(key);
    if (wrong.length > 0) {
      const all = wrong.length === 1 ? wrong[0]! : `[${wrong.join(', ')}]`;
      return `impersonating an invalid key in extra is not allowed: ${all}`;
    }
    if (key !== key.toLowerCase()) {
      return `impersonating a non-lowercase key in extra is not allowed: ${JSON.stringify(key)}`;
    }
    if (values.includes('')) return 'impersonating the empty string value in extra is not allowed';
  }
  return undefined;
}

function domainPrefixedPath(key: string): string[] {
  const invalid = (value: string, why: string) => `extra.key: Invalid value: ${JSON.stringify(value)}: ${why}`;
  const slash = key.indexOf('/');
  if (slash <= 0 || slash === key.length - 1) {
    return [invalid(key, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  }
  const [host, rest] = [key.slice(0, slash), key.slice(slash + 1)];
  const wrong = isDns1123Subdomain(host).map((why) => invalid(host, why));
  if (!path.test(rest)) wrong.push(invalid(rest, `Invalid path (regex used for validation is '${pathFormat}')`));
  return [...new Set(wrong)];
}
