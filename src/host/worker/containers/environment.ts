import { ContainerStartError } from './container-start-error.ts';

/** What is left of what all texts of a container may become: each variable may say the one before it twice. */
export interface ExpansionBudget {
  characters: number;
}

export const expansionBudget = (): ExpansionBudget => ({ characters: 4 * 1024 * 1024 });

/**
 * Replaces `$(NAME)` by its value; `$$(NAME)` stands for a literal `$(NAME)`, and a reference to nothing stays as it is.
 * Source: k8s.io/kubernetes/third_party/forked/golang/expansion.
 */
export function expandReferences(
  text: string,
  values: Map<string, string>,
  budget: ExpansionBudget = expansionBudget(),
): string {
  let result = '';
  const take = (characters: number) => {
    budget.characters -= characters;
    if (budget.characters >= 0) return;
    throw new ContainerStartError('CreateContainerConfigError', 'the environment of the pod is too large');
  };
  take(text.length);
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
      const value = values.get(name) ?? `$(${name})`;
      take(value.length);
      result += value;
      index = end;
    } else {
      result += `$${next}`;
      index++;
    }
  }
  return result;
}
