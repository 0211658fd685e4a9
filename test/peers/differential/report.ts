import { writeFileSync } from 'node:fs';
import type { AllowedDifference } from './allow-list.ts';
import type { Difference } from './compare.ts';
import type { Recorded } from './twin.ts';

export interface ReportOptions {
  /** Prints what is allowed too. */
  all: boolean;
  /** Every suite ran, so that unused lines of the allow-list can be told. */
  whole: boolean;
  json: string | undefined;
}

/** @returns how many differences nothing explains. */
export function printReport(recorded: Recorded[], allowed: AllowedDifference[], options: ReportOptions): number {
  const lines: string[] = [];
  const groups = new Map<string, { labels: string[]; difference: Difference }>();
  let [unexplained, explained, unequal, gaps] = [0, 0, 0, 0];
  for (const { label, differences } of recorded) {
    let differs = false;
    for (const difference of differences) {
      const covering = allowed.find((one) => one.covers(label, difference));
      if (covering !== undefined) covering.used++;
      lines.push(JSON.stringify({ label, ...difference, allowed: covering?.reason }));
      if (covering?.reason.startsWith('gap:')) gaps++;
      else if (covering !== undefined) explained++;
      else {
        unexplained++;
        differs = true;
      }
      if (covering !== undefined && !options.all) continue;
      const key = `${difference.where}\n${difference.kubernetes}\n${difference.skypod}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { labels: [label], difference });
      else group.labels.push(label);
    }
    if (differs) unequal++;
  }
  for (const { labels, difference } of groups.values()) {
    const more = labels.length > 3 ? ` and ${labels.length - 3} more` : '';
    console.log(`\n${labels.slice(0, 3).join('\n')}${more}\n  ${difference.where}`);
    console.log(`    kubernetes: ${short(difference.kubernetes)}\n    skypod:     ${short(difference.skypod)}`);
  }
  console.log('');
  if (options.whole) {
    for (const one of allowed) if (one.used === 0) console.log(`explains nothing any more: ${one.line}`);
  }
  console.log(
    `${recorded.length} comparisons: ${recorded.length - unequal} alike, ${unequal} not (${unexplained} differences), ` +
      `${explained} differences allowed, ${gaps} known gaps`,
  );
  if (options.json !== undefined) writeFileSync(options.json, `${lines.join('\n')}\n`);
  return unexplained;
}

const short = (text: string) => (text.length > 600 ? `${text.slice(0, 600)}…` : text);
