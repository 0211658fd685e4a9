import type { FieldError } from '../status.ts';

/** Many times what is shown (status.ts); every item of a long list may be wrong in ten ways, each with its value. */
const findingsKept = 10_000;
/** All of their words together: one list that is wrong in a thousand places may be shown as a whole for each. */
const charactersKept = 1024 * 1024;

/** Collects what is wrong with an object, each finding worded as apimachinery's field.Error prints it. */
export class Findings {
  readonly list: FieldError[] = [];
  #characters = 0;
  /** The text of the value that was shown last: often it is shown again. */
  #shown: { value: unknown; text: string } | undefined;

  required(field: string, detail = ''): void {
    this.#add({ reason: 'FieldValueRequired', field, message: withDetail('Required value', detail) });
  }

  invalid(field: string, value: unknown, detail: string): void {
    if (this.isFull) return;
    this.#add({
      reason: 'FieldValueInvalid',
      field,
      message: withDetail(`Invalid value: ${this.#show(value)}`, detail),
    });
  }

  /** Where upstream shows no value at all. */
  invalidWithoutValue(field: string, detail: string): void {
    this.#add({ reason: 'FieldValueInvalid', field, message: `Invalid value: ${detail}` });
  }

  /** One `invalid` for each detail: what the validators of names.ts give. */
  invalidEach(field: string, value: unknown, details: string[]): void {
    for (let i = 0; i < details.length; i++) this.invalid(field, value, details[i]!);
  }

  /** `supported` is printed in the order given; upstream sorts where it holds a set. */
  notSupported(field: string, value: unknown, supported: readonly string[]): void {
    if (this.isFull) return;
    const values = supported.map((one) => JSON.stringify(one)).join(', ');
    this.#add({
      reason: 'FieldValueNotSupported',
      field,
      message: withDetail(
        `Unsupported value: ${this.#show(value)}`,
        values === '' ? '' : `supported values: ${values}`,
      ),
    });
  }

  duplicate(field: string, value: unknown, detail = ''): void {
    if (this.isFull) return;
    this.#add({
      reason: 'FieldValueDuplicate',
      field,
      message: withDetail(`Duplicate value: ${this.#show(value)}`, detail),
    });
  }

  forbidden(field: string, detail: string): void {
    this.#add({ reason: 'FieldValueForbidden', field, message: withDetail('Forbidden', detail) });
  }

  notFound(field: string, value: unknown, detail = ''): void {
    if (this.isFull) return;
    this.#add({
      reason: 'FieldValueNotFound',
      field,
      message: withDetail(`Not found: ${this.#show(value)}`, detail),
    });
  }

  tooLong(field: string, maximumBytes: number): void {
    this.#add({
      reason: 'FieldValueTooLong',
      field,
      message: `Too long: may not be more than ${maximumBytes} ${maximumBytes === 1 ? 'byte' : 'bytes'}`,
    });
  }

  tooMany(field: string, count: number, maximum: number): void {
    this.#add({
      reason: 'FieldValueTooMany',
      field,
      message: `Too many: ${count}: must have at most ${maximum} ${maximum === 1 ? 'item' : 'items'}`,
    });
  }

  /** What is found besides is not kept. */
  get isFull(): boolean {
    return this.list.length >= findingsKept || this.#characters >= charactersKept;
  }

  #add(finding: FieldError): void {
    if (this.isFull) return;
    this.#characters += finding.message.length;
    this.list.push(finding);
  }

  #show(value: unknown): string {
    if (typeof value !== 'object' || value === null) return show(value);
    if (this.#shown?.value !== value) this.#shown = { value, text: show(value) };
    return this.#shown.text;
  }

  get isEmpty(): boolean {
    return this.list.length === 0;
  }

  /** True when something was found in `field` itself. */
  has(field: string): boolean {
    return this.list.some((finding) => finding.field === field);
  }

  // Shorthands that many kinds share.

  nonnegative(value: unknown, field: string): void {
    if (typeof value === 'number' && value < 0) this.invalid(field, value, MUST_NOT_BE_NEGATIVE);
  }

  positive(value: unknown, field: string): void {
    if (typeof value === 'number' && value <= 0) this.invalid(field, value, 'must be greater than 0');
  }

  /** Required, and one of a closed set. */
  oneOf(value: unknown, field: string, supported: readonly string[]): void {
    if (value === undefined || value === null || value === '') this.required(field);
    else if (!supported.includes(value as string)) this.notSupported(field, value, supported);
  }

  /** As `oneOf`, of what Go keeps as a pointer: '' is given, and wrong. */
  set(value: unknown, field: string, supported: readonly string[]): void {
    if (value === undefined || value === null) this.required(field);
    else if (!supported.includes(value as string)) this.notSupported(field, value, supported);
  }

  /** One of a closed set when given. */
  optionalOneOf(value: unknown, field: string, supported: readonly string[]): void {
    if (value !== undefined && value !== null && !supported.includes(value as string)) {
      this.notSupported(field, value, supported);
    }
  }
}

export const MUST_NOT_BE_NEGATIVE = 'must be greater than or equal to 0';
export const FIELD_IS_IMMUTABLE = 'field is immutable';

const withDetail = (what: string, detail: string): string => (detail === '' ? what : `${what}: ${detail}`);

/** A name of megabytes is wrong in its first thousand characters. */
const charactersShown = 64 * 1024;

function show(value: unknown): string {
  if (value === undefined) return 'null';
  if (typeof value === 'string') return JSON.stringify(value.slice(0, charactersShown));
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : JSON.stringify(value);
}
