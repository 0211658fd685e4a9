import type { Steps } from '../../../base/steps.ts';
import { WireWriter } from '../../protobuf/wire-writer.ts';

/**
 * Writes documents as the protobuf messages of google/gnostic-models, of which there is one a type: a shape says under
 * which number each member of a JSON object goes, in the order of the numbers. Everything is written from its end to
 * its beginning, as the writer demands.
 */
export type Encode = (writer: WireWriter, value: any) => void;

/** A member's way into the message: nothing where it is absent. */
export type Field = Encode;

export function encodeWith(encode: Encode, value: unknown): Buffer {
  const writer = new WireWriter();
  encode(writer, value);
  return writer.take();
}

/** A length-delimited field: a message. */
function delimited(writer: WireWriter, number: number, encode: Encode, value: unknown): void {
  const end = writer.length;
  encode(writer, value);
  writer.varint(writer.length - end);
  writer.tag(number, 2);
}

function writeText(writer: WireWriter, number: number, value: string): void {
  writer.text(value);
  writer.tag(number, 2);
}

/** Zero values are not written: neither '' nor 0 nor false. */
const nonzero =
  (write: Encode): Field =>
  (writer, value) => {
    if (value != null && value !== '' && value !== 0 && value !== false) write(writer, value);
  };

const each =
  (write: Encode): Field =>
  (writer, values) => {
    for (let at = (values?.length ?? 0) - 1; at >= 0; at--) write(writer, values[at]);
  };

export const text = (number: number): Field => nonzero((writer, value) => writeText(writer, number, value));
export const texts = (number: number): Field => each((writer, value) => writeText(writer, number, value));
export const flag = (number: number): Field => nonzero((writer) => boolean(number)(writer, true));
/** Written when false, too: where it is one of several. */
export const boolean =
  (number: number): Encode =>
  (writer, value) => {
    writer.varint(value ? 1 : 0);
    writer.tag(number, 0);
  };
export const whole = (number: number): Field =>
  nonzero((writer, value) => {
    writer.signed(value);
    writer.tag(number, 0);
  });
export const number =
  (at: number): Encode =>
  (writer, value) => {
    writer.double(value);
    writer.tag(at, 1);
  };
export const double = (at: number): Field => nonzero(number(at));
export const part =
  (number: number, encode: Encode): Field =>
  (writer, value) => {
    if (value != null) delimited(writer, number, encode, value);
  };
export const parts = (number: number, encode: Encode): Field =>
  each((writer, value) => delimited(writer, number, encode, value));

/** NamedX {name = 1, value = 2}, one for each member. */
export const named = (number: number, encode: Encode): Field => {
  const member: Encode = (writer, [name, value]) => {
    delimited(writer, 2, encode, value);
    if (name !== '') writeText(writer, 1, name);
  };
  return (writer, members) => {
    if (members != null) parts(number, member)(writer, Object.entries(members));
  };
};

/** A field of NamedX, a member at a time, in a message of its own under `number`. */
export function* namedSteps(number: number, inner: number, encode: Encode, members: object): Steps<Buffer> {
  const one = named(inner, encode);
  const buffers: Buffer[] = [];
  let length = 0;
  for (const [name, value] of Object.entries(members)) {
    const buffer = encodeWith(one, { [name]: value });
    length += buffer.length;
    buffers.push(buffer);
    yield;
  }
  return Buffer.concat([headOf(number, length), ...buffers]);
}

/** What stands before a message of so many bytes. */
export function headOf(number: number, length: number): Buffer {
  const writer = new WireWriter();
  writer.varint(length);
  writer.tag(number, 2);
  return writer.take();
}

/** Any {yaml = 2}; JSON is YAML. */
export const any: Encode = (writer, value) => writeText(writer, 2, JSON.stringify(value));

/** One of several: what its only field says. */
export const wrapped =
  (number: number, encode: Encode): Encode =>
  (writer, value) =>
    delimited(writer, number, encode, value);

/** @param extensions the number under which the members go whose names begin with `x-`. */
export function shape(fields: [member: string, field: Field][], extensions?: number): Encode {
  const others = extensions === undefined ? undefined : named(extensions, any);
  return (writer, value) => {
    if (others !== undefined) {
      const extended = Object.entries(value).filter(([name]) => name.startsWith('x-'));
      if (extended.length > 0) others(writer, Object.fromEntries(extended));
    }
    for (let at = fields.length - 1; at >= 0; at--) fields[at]![1](writer, value[fields[at]![0]]);
  };
}
