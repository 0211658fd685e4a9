import { isIPv4, isIPv6 } from 'node:net';
import { nameIsDnsLabel, nameIsDnsSubdomain } from '../names.ts';
import type { JsonSchema } from './json-schema.ts';

/** Formats of strings that CRDs may ask for; `-` in their names does not count. Source: kube-openapi's strfmt. */
const stringFormats: Record<string, (text: string) => boolean> = {
  bsonobjectid: (text) => /^[0-9a-fA-F]{24}$/.test(text),
  uri: isRequestUri,
  email: isEmail,
  hostname: isHostname,
  ipv4: isIPv4,
  ipv6: (text) => isIPv6(text) && !text.includes('%'),
  cidr: isCidr,
  mac: (text) => /^(?:[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4,}[0-9a-f]{2}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2,})$/i.test(text),
  uuid: uuid('[0-9a-f]{4}-?[0-9a-f]{4}'),
  uuid3: uuid('3[0-9a-f]{3}-?[0-9a-f]{4}'),
  uuid4: uuid('4[0-9a-f]{3}-?[89ab][0-9a-f]{3}'),
  uuid5: uuid('5[0-9a-f]{3}-?[89ab][0-9a-f]{3}'),
  isbn: (text) => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: isCreditCard,
  ssn: (text) => /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text),
  hexcolor: (text) => /^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/.test(text),
  rgbcolor: (text) =>
    /^rgb\(\s*(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])\s*(,\s*(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])\s*){2}\)$/.test(text),
  byte: (text) => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/.test(text),
  password: () => true,
  date: (text) => isCalendarDate(text),
  datetime: isDateTime,
  duration: isDuration,
  k8sshortname: (text) => nameIsDnsLabel(text, false).length === 0,
  k8slongname: (text) => nameIsDnsSubdomain(text, false).length === 0,
};

/** The check a schema's format asks of strings; undefined where it asks nothing that is known. */
export function stringFormatOf({ type, format }: JsonSchema): ((text: string) => boolean) | undefined {
  if (format === undefined || format === '' || (type !== undefined && type !== '' && type !== 'string'))
    return undefined;
  const name = format.replaceAll('-', '');
  return Object.hasOwn(stringFormats, name) ? stringFormats[name] : undefined;
}

/** Whether the format counts for the type; others are ignored, with a warning when the definition is written. */
export function isKnownFormat(schema: JsonSchema): boolean {
  const { type = '', format = '' } = schema;
  if (type === 'integer') return format === 'int32' || format === 'int64';
  if (type === 'number') return format === 'float' || format === 'double';
  return stringFormatOf(schema) !== undefined;
}

function uuid(middle: string): (text: string) => boolean {
  const pattern = new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${middle}-?[0-9a-f]{12}$`, 'i');
  return (text) => pattern.test(text);
}

/** Go's url.ParseRequestURI, with a scheme or an absolute path. */
function isRequestUri(text: string): boolean {
  if (text === '' || /[\x00-\x1f\x7f]/.test(text) || /%(?![0-9a-f]{2})/i.test(text)) return false;
  if (text.startsWith('/')) return true;
  const match = /^([a-z][a-z0-9+.-]*):(.*)$/i.exec(text);
  if (match === null) return text === '*';
  if (!match[2]!.startsWith('//')) return true;
  const authority = match[2]!.slice(2).split(/[/?]/, 1)[0]!;
  if (authority.includes(' ')) return false;
  return /^[^@]*(?:@[^@]*)?$/.test(authority) && /^(?:.*@)?(?:\[[0-9a-f:.%]*\]|[^:[\]]*)(?::\d*)?$/i.test(authority);
}

function isEmail(text: string): boolean {
  const bare = /^(?:.*<([^<>]+)>|([^<>]+))$/.exec(text.trim());
  const address = bare?.[1] ?? bare?.[2] ?? '';
  const at = address.lastIndexOf('@');
  const local = address.slice(0, at);
  const isAtom = /^[^\s"(),:;<>@[\\\].]+(?:\.[^\s"(),:;<>@[\\\].]+)*$/u;
  const isQuoted = /^"(?:[^"\\\r\n]|\\.)*"$/u;
  return (
    at > 0 &&
    !/^\.|\.$|\.\./.test(local) &&
    (isAtom.test(local) || isQuoted.test(local)) &&
    isAtom.test(address.slice(at + 1))
  );
}

const hostname =
  /^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$/u;

function isHostname(text: string): boolean {
  // The length comes first: the pattern must not be fed long texts.
  return text.length <= 255 && text.split('.').every((label) => Buffer.byteLength(label) <= 63) && hostname.test(text);
}

function isCidr(text: string): boolean {
  const match = /^([^/%]+)\/(\d{1,3})$/.exec(text);
  if (match === null || (match[2]!.length > 1 && match[2]!.startsWith('0'))) return false;
  return isIPv4(match[1]!) ? Number(match[2]) <= 32 : isIPv6(match[1]!) && Number(match[2]) <= 128;
}

function isIsbn10(text: string): boolean {
  const digits = text.replace(/[\s-]+/g, '');
  if (!/^(?:\d{9}X|\d{10})$/.test(digits)) return false;
  let sum = 0;
  for (let index = 0; index < 10; index++) sum += (index + 1) * (digits[index] === 'X' ? 10 : Number(digits[index]));
  return sum % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = text.replace(/[\s-]+/g, '');
  if (!/^\d{13}$/.test(digits)) return false;
  let sum = 0;
  for (let index = 0; index < 12; index++) sum += (index % 2 === 0 ? 1 : 3) * Number(digits[index]);
  return (10 - (sum % 10)) % 10 === Number(digits[12]);
}

function isCreditCard(text: string): boolean {
  const digits = text.replace(/\D+/g, '');
  const known =
    /^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11})$/;
  if (!known.test(digits)) return false;
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

function isCalendarDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const [year, month, day] = text.split('-').map(Number) as [number, number, number];
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
  return days !== undefined && day >= 1 && day <= days;
}

function isDateTime(text: string): boolean {
  const match = /^(\d{4}-\d{2}-\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:[Zz]|[+-](\d{2}):(\d{2}))$/.exec(text);
  if (match === null || !isCalendarDate(match[1]!)) return false;
  const [hour, minute, second] = [Number(match[2]), Number(match[3]), Number(match[4])];
  return hour < 24 && minute < 60 && second < 60;
}

const unit = '(?:ns|nano|us|µs|μs|micro|ms|milli|s|sec|m|min|h|hr|hour|d|day|w|week|wk)';

/** As Go's time.ParseDuration, or a number and a unit somewhere, as Scala writes them. */
function isDuration(text: string): boolean {
  if (/^[+-]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.test(text)) return true;
  return numberAndUnit.test(text);
}

/** Digits count from the first of them, so that none is looked at twice. */
const numberAndUnit = new RegExp(`(?<!\\d)\\d+\\s*${unit}s?(?:econds?|utes?|onds?|eks?|ours?)?(?![A-Za-zµ])`, 'i');
