import { readFileSync } from 'node:fs';
import type { Difference } from './compare.ts';

/**
 * `allowed.txt` has one line a difference that is meant: `request | where | reason`. `*` stands for anything; a line
 * that explains nothing any more is reported. A reason that begins with `gap:` excuses nothing: it is still to be done.
 */
export interface AllowedDifference {
  line: string;
  reason: string;
  used: number;
  covers(label: string, difference: Difference): boolean;
}

export function readAllowList(file = new URL('allowed.txt', import.meta.url)): AllowedDifference[] {
  const text = readFileSync(file, 'utf8');
  return text.split('\n').flatMap((line) => {
    if (line.trim() === '' || line.startsWith('#')) return [];
    const parts = line.split(' | ');
    if (parts.length !== 3) throw new Error(`allowed.txt: not "request | where | reason": ${line}`);
    const [label, where, reason] = parts.map((part) => part.trim()) as [string, string, string];
    const [labels, places] = [glob(label), glob(where)];
    const covers = (asked: string, difference: Difference) => labels.test(asked) && places.test(difference.where);
    return [{ line, reason, used: 0, covers }];
  });
}

function glob(text: string): RegExp {
  return new RegExp(`^${text.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`, 's');
}
