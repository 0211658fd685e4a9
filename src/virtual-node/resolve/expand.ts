/**
 * `$(NAME)` becomes the variable's value, `$$(NAME)` the literal `$(NAME)`; a name nobody knows stays as it is.
 * Source: Kubernetes' documentation of EnvVar.value; k8s.io/kubernetes/third_party/forked/golang/expansion.
 */
export function expand(text: string, lookUp: (name: string) => string | undefined): string {
  let result = '';
  let from = 0;
  for (let dollar = text.indexOf('$'); dollar >= 0; dollar = text.indexOf('$', from)) {
    result += text.slice(from, dollar);
    const next = text[dollar + 1];
    if (next === '$') {
      result += '$';
      from = dollar + 2;
      continue;
    }
    const end = next === '(' ? text.indexOf(')', dollar + 2) : -1;
    if (end < 0) {
      result += '$';
      from = dollar + 1;
      continue;
    }
    const name = text.slice(dollar + 2, end);
    result += lookUp(name) ?? `$(${name})`;
    from = end + 1;
  }
  return result + text.slice(from);
}
