const yes = ['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'];
const no = ['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'];
const nothing = ['', '~', 'null', 'Null', 'NULL'];
const infinite = ['.inf', '.Inf', '.INF'];
const unreal = ['.nan', '.NaN', '.NAN', ...infinite, ...infinite.flatMap((word) => [`+${word}`, `-${word}`])];
const words: ReadonlySet<string> = new Set([...yes, ...no, ...nothing, ...unreal]);
const longestWord = 5;

const decimal = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const dotted = /^\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?$/;
const prefixed = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+)$/;
const signedBinary = /^0b([-+]?)([01]+)$/;
/** Minutes and hours, as YAML 1.1 wrote them. */
const base60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;
const time =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt]| +)(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d+)?(?:Z|[-+](\d\d):(\d\d))?)?$/;

/** Without quotes it would be read as a boolean, nothing, a number or a time. Source: go-yaml's resolve. */
export function isTakenForOther(value: string): boolean {
  if (value.length <= longestWord && words.has(value)) return true;
  const first = value.charCodeAt(0);
  if (first === 0x2e) return dotted.test(value) && Number.isFinite(Number(value.replaceAll('_', '')));
  const isNumeric = (first >= 0x30 && first <= 0x39) || first === 0x2b || first === 0x2d;
  if (!isNumeric) return false;
  if (base60.test(value) || isTime(value)) return true;
  const plain = value.includes('_') ? value.replaceAll('_', '') : value;
  return (decimal.test(plain) && Number.isFinite(Number(plain))) || isPrefixed(plain);
}

function isPrefixed(plain: string): boolean {
  const [, sign, digits] = prefixed.exec(plain) ?? signedBinaryOf(plain) ?? [];
  if (digits === undefined) return false;
  const size = BigInt(digits.toLowerCase());
  const half = 1n << 63n;
  return sign === '-' ? size <= half : size < (sign === '' ? half << 1n : half);
}

function signedBinaryOf(plain: string): string[] | undefined {
  const found = signedBinary.exec(plain);
  return found === null ? undefined : [plain, found[1]!, `0b${found[2]}`];
}

function isTime(value: string): boolean {
  const found = time.exec(value);
  if (found === null) return false;
  const [year, month, day, hour, minute, second, zoneHours, zoneMinutes] = found.slice(1).map(Number) as number[];
  if (month! < 1 || month! > 12 || day! < 1 || day! > daysOf(year!, month!)) return false;
  if (found[4] === undefined) return true;
  const hasZone = /[Z]$|[-+]\d\d:\d\d$/.test(value);
  if (/[Tt]/.test(value) !== hasZone) return false;
  if (found[7] !== undefined && (zoneHours! > 24 || zoneMinutes! > 60)) return false;
  return hour! < 24 && minute! < 60 && second! < 60;
}

function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
