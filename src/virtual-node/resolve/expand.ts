/**
 * `$(NAME)` becomes what `lookUp` knows of the variable, `$$(NAME)` the literal `$(NAME)`; a name nobody knows stays as
 * it is. What is literal goes through `literal`.
 * Source: Kubernetes' documentation of EnvVar.value; k8s.io/kubernetes/third_party/forked/golang/expansion.
 */
export function expand(
  text: string,
  lookUp: (name: string) => string | undefined,
  literal: (text: string) => string = (same) => same,
): string {
  let result = '';
  let plain = '';
  let from = 0;
  let isClosed = true;
  for (let dollar = text.indexOf('$'); dollar >= 0; dollar = text.indexOf('$', from)) {
    plain += text.slice(from, dollar);
    const next = text[dollar + 1];
    const end = next === '(' && isClosed ? text.indexOf(')', dollar + 2) : -1;
    // Looked for once: texts are tenants', and may open a million.
    if (next === '(' && end < 0) isClosed = false;
    if (end < 0) {
      plain += '$';
      from = dollar + (next === '$' ? 2 : 1);
      continue;
    }
    const name = text.slice(dollar + 2, end);
    const value = lookUp(name);
    from = end + 1;
    if (value === undefined) {
      plain += `$(${name})`;
    } else {
      result += literal(plain) + value;
      plain = '';
    }
  }
  return result + literal(plain + text.slice(from));
}

/** Text that expands to exactly `text`, whatever variables there are. */
export const escapeReferences = (text: string): string => (text.includes('$') ? text.replaceAll('$', '$$$$') : text);
