import type { Environment } from '@marcbachmann/cel-js';
import { compilePattern } from '../regular-expression.ts';
import { offer } from './offer.ts';

/** cel-go's strings extension, and Kubernetes' find and findAll. */
export function registerStrings(environment: Environment): void {
  const add = (signature: string, handler: (...values: any[]) => unknown) => offer(environment, signature, handler);
  add('string.lowerAscii(): string', (text: string) => text.replace(/[A-Z]+/g, (part) => part.toLowerCase()));
  add('string.upperAscii(): string', (text: string) => text.replace(/[a-z]+/g, (part) => part.toUpperCase()));
  add('string.trim(): string', (text: string) => text.trim());
  add('string.charAt(int): string', (text: string, at: bigint) => [...text][Number(at)] ?? '');
  add('string.replace(string, string): string', (text: string, from: string, to: string) =>
    text.replaceAll(from, () => to),
  );
  add('string.replace(string, string, int): string', (text: string, from: string, to: string, times: bigint) => {
    if (times < 0n) return text.replaceAll(from, () => to);
    let left = Number(times);
    return text.replaceAll(from, (found) => (left-- > 0 ? to : found));
  });
  add('string.reverse(): string', (text: string) => [...text].reverse().join(''));
  add('string.find(string): string', (text: string, pattern: string) => compilePattern(pattern).exec(text)?.[0] ?? '');
  add('string.findAll(string): list<string>', (text: string, pattern: string) => findAll(text, pattern));
  add('string.findAll(string, int): list<string>', (text: string, pattern: string, most: bigint) =>
    most < 0n ? findAll(text, pattern) : findAll(text, pattern).slice(0, Number(most)),
  );
}

function findAll(text: string, pattern: string): string[] {
  const { source, flags } = compilePattern(pattern);
  return [...text.matchAll(new RegExp(source, `${flags}g`))].map((match) => match[0]);
}
