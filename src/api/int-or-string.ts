/**
 * A number or a percentage of `total` as a whole number. Throws an Error when the text is no percentage.
 * Source: apimachinery's pkg/util/intstr.
 */
export function scaledValue(value: number | string, total: number, roundUp: boolean): number {
  if (typeof value === 'number') return value;
  const match = /^(\d+)%$/.exec(value);
  if (match === null) {
    throw new Error(`invalid value for IntOrString: invalid type: string is not a percentage`);
  }
  const share = (Number(match[1]) * total) / 100;
  return roundUp ? Math.ceil(share) : Math.floor(share);
}
