import { keysInOrder } from './yaml-keys.ts';
import { chunkLength, type ScalarPlace, scalarParts, scalarText } from './yaml-scalar.ts';

/** Text is handed on in parts of about so many characters: what is written at once between two looks at the clock. */
const partLength = 2048;

/** A value as upstream's servers print YAML: members sorted, lists not indented, long lines folded at spaces. */
export function yamlText(value: unknown): string {
  let text = '';
  for (const part of yamlParts(value)) text += part;
  return text;
}

/**
 * The same in parts, for values that take long to write. An empty part is only a place to rest at.
 *
 * Source: sigs.k8s.io/yaml, which marshals with go.yaml.in/yaml/v2. Takes JSON values only.
 */
export function* yamlParts(value: unknown): Generator<string, void, void> {
  const writer = new Writer();
  yield* node(writer, value, -1, 'root');
  writer.endLine();
  yield writer.take();
}

/** What stands before the value on its line. `simple` is a key with its colon, `complex` a colon that begins a line. */
type Before = 'root' | 'simple' | 'complex' | 'dash';

class Writer {
  #text = '';
  /** Of the line that is being written. */
  #column = 0;

  get isFull(): boolean {
    return this.#text.length >= partLength;
  }

  take(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }

  /** Text without line breaks; the column is counted in characters. */
  put(text: string): void {
    this.#text += text;
    this.#column += text.length;
  }

  endLine(): void {
    if (this.#column === 0) return;
    this.#text += '\n';
    this.#column = 0;
  }

  indent(width: number): void {
    if (this.#column > width) this.endLine();
    if (this.#column < width) this.put(' '.repeat(width - this.#column));
  }

  scalar(value: string, indent: number, isSimpleKey: boolean): void {
    const place: ScalarPlace = { column: this.#column, indent, isSimpleKey };
    this.#text += scalarText(value, place);
    this.#column = place.column;
  }

  *longScalar(value: string, indent: number): Generator<string, void, void> {
    const place: ScalarPlace = { column: this.#column, indent, isSimpleKey: false };
    for (const part of scalarParts(value, place)) {
      this.#text += part;
      yield this.take();
    }
    this.#column = place.column;
  }
}

/** `indent` is that of the collection the value is in, -1 for the root. */
function* node(writer: Writer, value: unknown, indent: number, before: Before): Generator<string, void, void> {
  if (typeof value === 'string' && value.length > chunkLength) {
    if (before !== 'root') writer.put(' ');
    return yield* writer.longScalar(value, scalarIndent(indent));
  }
  if (typeof value !== 'object' || value === null) return leaf(writer, value, indent, before);
  if (Array.isArray(value)) {
    if (value.length === 0) return writer.put(before === 'root' ? '[]' : ' []');
    const inner = before === 'simple' ? indent : innerIndent(indent);
    if (before === 'simple') writer.endLine();
    for (const item of value) {
      writer.indent(inner);
      writer.put('-');
      if (isLeaf(item)) leaf(writer, item, inner, 'dash');
      else yield* node(writer, item, inner, 'dash');
      if (writer.isFull) yield writer.take();
    }
    return;
  }
  const keys = yield* keysInOrder(value);
  if (keys.length === 0) return writer.put(before === 'root' ? '{}' : ' {}');
  const inner = innerIndent(indent);
  if (before === 'simple') writer.endLine();
  for (const key of keys) {
    writer.indent(inner);
    let after: Before = 'simple';
    if (isSimple(key)) {
      writer.scalar(key, inner + 2, true);
    } else {
      writer.put('? ');
      yield* writer.longScalar(key, inner + 2);
      writer.endLine();
      writer.indent(inner);
      after = 'complex';
    }
    writer.put(':');
    const member = (value as Record<string, unknown>)[key];
    if (isLeaf(member)) leaf(writer, member, inner, after);
    else yield* node(writer, member, inner, after);
    if (writer.isFull) yield writer.take();
  }
}

const innerIndent = (indent: number): number => (indent < 0 ? 0 : indent + 2);
const scalarIndent = (indent: number): number => (indent < 0 ? 2 : indent + 2);

/** It is written at once. */
function isLeaf(value: unknown): boolean {
  return typeof value === 'string' ? value.length <= chunkLength : typeof value !== 'object' || value === null;
}

function leaf(writer: Writer, value: unknown, indent: number, before: Before): void {
  if (before !== 'root') writer.put(' ');
  if (typeof value === 'string') writer.scalar(value, scalarIndent(indent), false);
  else writer.put(typeof value === 'number' ? numberText(value) : String(value ?? null));
}

/** Keys that are longer, or of more lines, get a question mark and a line of their own. */
const simpleKeyBytes = 128;
const anyBreak = /[\r\n\x85\u2028\u2029]/;

function isSimple(key: string): boolean {
  if (key.length > simpleKeyBytes) return false;
  return (key.length * 3 <= simpleKeyBytes || Buffer.byteLength(key) <= simpleKeyBytes) && !anyBreak.test(key);
}

/** Integers of 64 bits have all their digits, everything else an exponent of two digits from a million on. */
function numberText(value: number): string {
  if (Number.isInteger(value) && value > -(2 ** 63) && value < 2 ** 64) return String(value);
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string];
  const power = Number(exponent);
  if (power >= -4 && power < 6) return String(value);
  return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}
