/**
 * Replaces `$(NAME)` by its value; `$$(NAME)` stands for a literal `$(NAME)`, and a reference to nothing stays as it is.
 * Source: k8s.io/kubernetes/third_party/forked/golang/expansion.
 */
export function expandReferences(text: string, values: Map<string, string>): string {
  let result = '';
  for (let index = 0; index < text.length; index++) {
    const char = text[index]!;
    if (char !== '$' || index + 1 >= text.length) {
      result += char;
      continue;
    }
    const next = text[index + 1]!;
    if (next === '$') {
      result += '$';
      index++;
    } else if (next === '(') {
      const end = text.indexOf(')', index + 2);
      if (end < 0) {
        result += '$(';
        index++;
        continue;
      }
      const name = text.slice(index + 2, end);
      result += values.get(name) ?? `$(${name})`;
      index = end;
    } else {
      result += `$${next}`;
      index++;
    }
  }
  return result;
}
