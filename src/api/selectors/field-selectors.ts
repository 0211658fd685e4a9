import type { KubeObject } from '../object.ts';
import type { ResourceDefinition } from '../resource-definition.ts';

export interface FieldRequirement {
  field: string;
  operator: '=' | '!=';
  value: string;
}

export interface FieldSelector {
  readonly requirements: readonly FieldRequirement[];
  matches(object: KubeObject): boolean;
  toString(): string;
}

type Selectable = Pick<ResourceDefinition, 'selectableFields'> &
  Partial<Pick<ResourceDefinition, 'group' | 'kind' | 'version' | 'versioned' | 'namespaced'>>;

/**
 * A field selector (`status.phase!=Running,metadata.name=a`) for one resource. Throws an Error in upstream's words: for
 * bad syntax, and for fields the resource does not offer.
 */
export function parseFieldSelector(text: string, definition: Selectable): FieldSelector {
  const requirements = fieldRequirements(text);
  const checks = requirements.map((requirement) => {
    const read = readerOf(requirement.field, definition);
    const { value, operator } = requirement;
    return operator === '='
      ? (object: KubeObject) => read(object) === value
      : (object: KubeObject) => read(object) !== value;
  });
  return {
    requirements,
    matches: (object) => checks.every((check) => check(object)),
    toString: () =>
      requirements.map(({ field, operator, value }) => `${field}${operator}${escapeValue(value)}`).join(','),
  };
}

/**
 * What a selector demands, whichever resource it is for; throws for bad syntax. Whoever decides by a selector (authorizers)
 * must read it as the lists do: an escaped comma ends no term.
 */
export function fieldRequirements(text: string): FieldRequirement[] {
  const requirements: FieldRequirement[] = [];
  for (const term of splitTerms(text).sort()) {
    if (term === '') continue;
    const match = /^(.*?)(!=|==|=)(.*)$/s.exec(term);
    if (match === null) throw new Error(`invalid selector: '${text}'; can't understand '${term}'`);
    const [, field = '', operator, value = ''] = match;
    requirements.push({ field, operator: operator === '!=' ? '!=' : '=', value: unescapeValue(value) });
  }
  return requirements;
}

/** The value every object chosen by a selector has in `field`; undefined when it leaves a choice, or cannot be read. */
export function exactFieldValue(text: string, field: string): string | undefined {
  if (text === '') return undefined;
  try {
    return fieldRequirements(text).find((one) => one.field === field && one.operator === '=')?.value;
  } catch {
    return undefined;
  }
}

function readerOf(field: string, definition: Selectable): (object: KubeObject) => string {
  if (field === 'metadata.name') return (object) => object.metadata.name;
  const read = Object.hasOwn(definition.selectableFields, field) ? definition.selectableFields[field] : undefined;
  if (read !== undefined) return read;
  // Kinds that offer nothing of their own say what all have.
  const isPlain = definition.versioned === undefined && Object.keys(definition.selectableFields).length === 0;
  const listsItsOwn = !isPlain && definition.versioned === undefined;
  if (field === 'metadata.namespace' && !(listsItsOwn && definition.namespaced === false)) {
    return (object) => object.metadata.namespace ?? '';
  }
  throw new Error(
    isPlain
      ? `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`
      : notSupported(field, definition),
  );
}

/** In the words of each kind's own conversion. */
function notSupported(field: string, { group, version, kind }: Selectable): string {
  if (group === 'batch') return `field label ${JSON.stringify(field)} not supported for ${kind}`;
  if (group !== 'resource.k8s.io') return `field label not supported: ${field}`;
  return `field label not supported for ${group}/${version}, Kind=${kind}: ${field}`;
}

function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let term = '';
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\' && i + 1 < text.length) term += text[i++]! + text[i]!;
    else if (text[i] === ',') {
      terms.push(term);
      term = '';
    } else term += text[i];
  }
  terms.push(term);
  return terms;
}

function unescapeValue(text: string): string {
  let value = '';
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === '\\') {
      const escaped = text[++i] ?? '';
      if (!['\\', ',', '='].includes(escaped)) {
        throw new Error(`invalid field selector: invalid escape sequence: \\${escaped}`);
      }
      value += escaped;
    } else if (character === ',' || character === '=') {
      throw new Error(`invalid field selector: unescaped character in value: ${character.charCodeAt(0)}`);
    } else value += character;
  }
  return value;
}

export const escapeValue = (value: string): string => value.replace(/[\\,=]/g, (character) => `\\${character}`);
