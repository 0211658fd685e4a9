import { readFileSync, writeFileSync } from 'node:fs';

const SCORE = '/proc/self/oom_score_adj';

/**
 * Whether this process may shield others from the kernel's OOM killer. Asked of the kernel by doing it: capabilities
 * that a process has in a user namespace only say yes and mean no.
 */
export function mayLowerOomScores(): boolean {
  const score = readFileSync(SCORE, 'utf8').trim();
  if (score === '-1000') return true;
  try {
    writeFileSync(SCORE, String(Number(score) - 1));
  } catch {
    return false;
  }
  writeFileSync(SCORE, score);
  return true;
}
