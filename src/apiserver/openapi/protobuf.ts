/**
 * Writes documents as the protobuf messages of google/gnostic-models, of which there is one a type: a shape says under
 * which number each member of a JSON object goes, in the order of the numbers.
 */
export type Encode = (value: any) => Buffer;

/** A member's way into the message: nothing where it is absent. */
export type Field = (value: any) => Buffer | undefined;

const empty = Buffer.alloc(0);
/** Tags and most lengths are one byte. */
const small = Array.from({ length: 0x80 }, (_, value) => Buffer.of(value));

function varint(value: number): Buffer {
  if (value >= 0 && value < 0x80) return small[value]!;
  const bytes: number[] = [];
  if (value >= 0) {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
    bytes.push(rest);
    return Buffer.from(bytes);
  }
  // Negative numbers take all 64 bits.
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

/** A length-delimited field: a message or a string. */
function delimited(number: number, value: Buffer): Buffer {
  return Buffer.concat([tag(number, 2), varint(value.length), value]);
}

const tag = (number: number, wireType: number) => varint(number * 8 + wireType);

const present =
  (encode: Encode): Field =>
  (value) =>
    value == null ? undefined : encode(value);

/** Zero values are not written: neither '' nor 0 nor false. */
const nonzero =
  (encode: Encode): Field =>
  (value) =>
    value == null || value === '' || value === 0 || value === false ? undefined : encode(value);

const each =
  (encode: Encode): Field =>
  (values) =>
    values == null ? undefined : Buffer.concat(values.map(encode));

export const text = (number: number): Field => nonzero((value) => delimited(number, Buffer.from(value)));
export const flag = (number: number): Field => nonzero(() => Buffer.concat([tag(number, 0), varint(1)]));
export const whole = (number: number): Field => nonzero((value) => Buffer.concat([tag(number, 0), varint(value)]));
export const double = (number: number): Field =>
  nonzero((value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    return Buffer.concat([tag(number, 1), bytes]);
  });
export const texts = (number: number): Field => each((value) => delimited(number, Buffer.from(value)));
export const part = (number: number, encode: Encode): Field => present((value) => delimited(number, encode(value)));
export const parts = (number: number, encode: Encode): Field => each((value) => delimited(number, encode(value)));

/** NamedX {name = 1, value = 2}, one for each member. */
export const named = (number: number, encode: Encode): Field =>
  present((members) =>
    Buffer.concat(
      Object.entries(members).map(([name, value]) =>
        delimited(number, Buffer.concat([text(1)(name) ?? empty, delimited(2, encode(value))])),
      ),
    ),
  );

/** Any {yaml = 2}; JSON is YAML. */
export const any: Encode = (value) => delimited(2, Buffer.from(JSON.stringify(value)));

/** One of several: what its only field says. */
export const wrapped =
  (number: number, encode: Encode): Encode =>
  (value) =>
    delimited(number, encode(value));

/** @param extensions the number under which the members go whose names begin with `x-`. */
export function shape(fields: [member: string, field: Field][], extensions?: number): Encode {
  const others = extensions === undefined ? undefined : named(extensions, any);
  return (value) => {
    const written = fields.flatMap(([member, field]) => field(value[member]) ?? []);
    const extended = Object.entries(value).filter(([name]) => name.startsWith('x-'));
    if (others !== undefined && extended.length > 0) written.push(others(Object.fromEntries(extended))!);
    return Buffer.concat(written);
  };
}
