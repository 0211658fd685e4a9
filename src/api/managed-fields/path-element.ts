/**
 * Path elements as FieldsV1 writes them: `f:name` a field, `k:{"name":"a"}` an item of a list by its keys, `v:"a"` an
 * item of a set, `i:0` an index. Kept as text: a set's JSON is then the set. Source: structured-merge-diff's fieldpath.
 */
export type PathElement = string;

type Scalar = string | number | boolean | null;

export const fieldElement = (name: string): PathElement => `f:${name}`;

/** `fields` sorted by name. */
export function keyElement(fields: [name: string, value: unknown][]): PathElement {
  let text = 'k:{';
  for (let index = 0; index < fields.length; index++) {
    const [name, value] = fields[index]!;
    text += `${index > 0 ? ',' : ''}${goJson(name)}:${goJson(value)}`;
  }
  return `${text}}`;
}

export const valueElement = (value: unknown): PathElement => `v:${goJson(value)}`;

/** JSON as Go's encoder writes strings, so that our elements equal those that other writers hand in. */
export function goJson(value: unknown): string {
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value);
  return /[<>&\u2028\u2029]/.test(text)
    ? text.replace(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
    : text;
}

/** The element in canonical form; undefined for a kind nobody knows, which is dropped. Throws when it is malformed. */
export function canonicalElement(text: string): PathElement | undefined {
  if (text.length < 2) throw new Error('key must be 2 characters long:');
  if (text[1] !== ':') throw new Error(`missing colon: ${text}`);
  switch (text[0]) {
    case 'f':
      return text;
    case 'v':
      return valueElement(JSON.parse(text.slice(2)));
    case 'k':
      return keyElement(keyFields(text));
    case 'i':
      if (!/^[+-]?\d+$/.test(text.slice(2))) throw new Error(`invalid index: ${text}`);
      return `i:${Number(text.slice(2))}`;
    default:
      return undefined;
  }
}

const parsedKeys = new Map<PathElement, [string, Scalar][]>();
const parsedKeysLimit = 4096;

/** Names and values of a `k:` element, sorted by name. */
export function keyFields(element: PathElement): [name: string, value: Scalar][] {
  let fields = parsedKeys.get(element);
  if (fields === undefined) {
    const parsed = JSON.parse(element.slice(2));
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
      throw new Error(`expected an object of keys: ${element}`);
    }
    fields = Object.entries(parsed as Record<string, Scalar>).sort(([a], [b]) => compareText(a, b));
    if (parsedKeys.size >= parsedKeysLimit) parsedKeys.clear();
    parsedKeys.set(element, fields);
  }
  return fields;
}

const rankOf: Record<string, number> = { '.': -1, f: 0, k: 1, v: 2, i: 3 };

/** The order in which a set lists its elements. */
export function compareElements(a: PathElement, b: PathElement): number {
  if (a === b) return 0;
  const kind = a[0]!;
  if (kind !== b[0]) return rankOf[kind]! - rankOf[b[0]!]!;
  switch (kind) {
    case 'f':
      return compareText(a, b);
    case 'k':
      return compareKeys(keyFields(a), keyFields(b));
    case 'v':
      return compareValues(JSON.parse(a.slice(2)), JSON.parse(b.slice(2)));
    default:
      return Number(a.slice(2)) - Number(b.slice(2));
  }
}

/** The same for a sort of so many, which looks at each again and again. */
export function orderOf(count: number): typeof compareElements {
  if (count <= 64) return compareElements;
  const parsed = new Map<PathElement, [string, Scalar][]>();
  const fieldsOf = (element: PathElement) => {
    let fields = parsed.get(element);
    if (fields === undefined) parsed.set(element, (fields = keyFields(element)));
    return fields;
  };
  const values = new Map<PathElement, Scalar>();
  const scalarOf = (element: PathElement): Scalar => {
    let value = values.get(element);
    if (value === undefined) values.set(element, (value = JSON.parse(element.slice(2)) as Scalar));
    return value;
  };
  return (a, b) => {
    if (a[0] === 'k' && b[0] === 'k') return compareKeys(fieldsOf(a), fieldsOf(b));
    return a[0] === 'v' && b[0] === 'v' ? compareValues(scalarOf(a), scalarOf(b)) : compareElements(a, b);
  };
}

/** As Go compares strings: by bytes. UTF-16 differs where surrogates meet the end of the basic plane. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const smaller = a < b;
  return /[\ud800-\udfff]/.test(a) || /[\ud800-\udfff]/.test(b)
    ? Buffer.compare(Buffer.from(a), Buffer.from(b))
    : smaller
      ? -1
      : 1;
}

function compareKeys(a: [string, Scalar][], b: [string, Scalar][]): number {
  for (let index = 0; ; index++) {
    if (index >= a.length || index >= b.length) return a.length - b.length;
    const order = compareText(a[index]![0], b[index]![0]) || compareValues(a[index]![1], b[index]![1]);
    if (order !== 0) return order;
  }
}

const typeRank = (value: unknown) =>
  typeof value === 'number'
    ? 0
    : typeof value === 'string'
      ? 1
      : typeof value === 'boolean'
        ? 2
        : value === null
          ? 5
          : 3;

function compareValues(a: any, b: any): number {
  const rank = typeRank(a);
  if (rank !== typeRank(b)) return rank - typeRank(b);
  if (rank === 1) return compareText(a, b);
  if (rank === 0 || rank === 2) return Number(a) - Number(b);
  return compareText(JSON.stringify(a), JSON.stringify(b));
}

/** `.name`, `[name="a"]`, `[="a"]`, `[0]`: as error messages print it. */
export function printElement(element: PathElement): string {
  switch (element[0]) {
    case 'f':
      return `.${element.slice(2)}`;
    case 'k':
      return `[${keyFields(element)
        .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
        .join(',')}]`;
    case 'v':
      return `[=${JSON.stringify(JSON.parse(element.slice(2)))}]`;
    default:
      return `[${element.slice(2)}]`;
  }
}
