const binary: Record<string, number> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 };
const decimal: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
};

/** The value of a Kubernetes quantity that validation has passed; 0 when absent. */
export function quantity(text: string | number | undefined): number {
  if (text === undefined) return 0;
  const match = /^([+-]?[0-9.]+)(?:e([+-]?[0-9]+)|([KMGTPE]i|[numkMGTPE]?))$/i.exec(String(text));
  if (match === null) return Number(text) || 0;
  const [, number, exponent, suffix = ''] = match;
  if (exponent !== undefined) return Number(number) * 10 ** Number(exponent);
  return Number(number) * (binary[suffix] ?? decimal[suffix] ?? 1);
}

/** Bytes, rounded up. */
export const bytes = (text: string | undefined): number => Math.ceil(quantity(text));
/** Thousandths, rounded up; the epsilon is for what binary fractions add to decimal ones. */
export const milli = (text: string | undefined): number => Math.ceil(quantity(text) * 1000 - 1e-6);
