import { escapeValue, fieldRequirements } from '../../api/selectors/field-selectors.ts';
import { parseLabelSelector } from '../../api/selectors/label-selectors.ts';
import type { Attributes } from './attributes.ts';

/** One condition, as reviews name it. Source: meta/v1 FieldSelectorRequirement and LabelSelectorRequirement. */
export interface ReviewRequirement {
  key: string;
  operator: string;
  values?: string[];
}

interface ReviewSelector {
  rawSelector?: string;
  requirements?: ReviewRequirement[];
}

export interface ReviewSelectors {
  fieldSelector?: ReviewSelector | null;
  labelSelector?: ReviewSelector | null;
}

/**
 * The selectors of a review as requests would write them. What cannot be read is left out: that only asks for more.
 * `problems`: what a review says of it. Source: pkg/registry/authorization/util upstream; KEP-4601.
 */
export function selectorTexts({ fieldSelector, labelSelector }: ReviewSelectors): {
  fieldSelector: string;
  labelSelector: string;
  problems: string[];
} {
  const problems: string[] = [];
  const textOf = (
    name: keyof ReviewSelectors,
    selector: ReviewSelector | null | undefined,
    term: (requirement: ReviewRequirement) => string,
    check: (text: string) => unknown,
  ): string => {
    const { rawSelector = '', requirements = [] } = selector ?? {};
    const terms = rawSelector === '' ? requirements.map(term) : [rawSelector];
    const readable = terms.filter((text) => {
      try {
        if (text === '') return false;
        check(text);
        return true;
      } catch {
        return false;
      }
    });
    if (readable.length < terms.length) {
      const part = readable.length > 0 ? 'partially ignored' : 'ignored';
      problems.push(`spec.resourceAttributes.${name} ${part} due to parse error`);
    }
    return readable.join(',');
  };
  return {
    fieldSelector: textOf('fieldSelector', fieldSelector, fieldTerm, fieldRequirements),
    labelSelector: textOf('labelSelector', labelSelector, labelTerm, parseLabelSelector),
    problems,
  };
}

/** '' for what field selectors cannot say. */
function fieldTerm({ key, operator, values = [] }: ReviewRequirement): string {
  const [value] = values;
  if (values.length !== 1 || value === undefined) return '';
  if (operator === 'In') return `${key}=${escapeValue(value)}`;
  return operator === 'NotIn' ? `${key}!=${escapeValue(value)}` : '';
}

function labelTerm({ key, operator, values = [] }: ReviewRequirement): string {
  switch (operator) {
    case 'In':
      return `${key} in (${values.join(',')})`;
    case 'NotIn':
      return `${key} notin (${values.join(',')})`;
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `!${key}`;
    default:
      return '';
  }
}

const labelOperators: Record<string, string> = {
  '=': 'In',
  '==': 'In',
  in: 'In',
  '!=': 'NotIn',
  notin: 'NotIn',
  exists: 'Exists',
  '!': 'DoesNotExist',
};

/** What of the selectors an authorizer elsewhere hears: what can be read of them. Source: the webhook authorizer upstream. */
export function reviewedSelectors({ fieldSelector, labelSelector }: Attributes): {
  fieldSelector?: { requirements: ReviewRequirement[] };
  labelSelector?: { requirements: ReviewRequirement[] };
} {
  const fields = readable(() =>
    fieldRequirements(fieldSelector).map(({ field, operator, value }) => ({
      key: field,
      operator: operator === '=' ? 'In' : 'NotIn',
      values: [value],
    })),
  );
  const labels = readable(() =>
    parseLabelSelector(labelSelector).requirements.flatMap(({ key, operator, values }) => {
      const shown = labelOperators[operator];
      return shown === undefined ? [] : [{ key, operator: shown, ...(values.length > 0 && { values }) }];
    }),
  );
  return {
    ...(fields.length > 0 && { fieldSelector: { requirements: fields } }),
    ...(labels.length > 0 && { labelSelector: { requirements: labels } }),
  };
}

function readable(read: () => ReviewRequirement[]): ReviewRequirement[] {
  try {
    return read();
  } catch {
    return [];
  }
}
