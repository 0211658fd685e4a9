import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { mayLowerOomScores } from './oom-scores.ts';

test('what the kernel allows other processes of this user is found out, and nothing is left changed', () => {
  const before = readFileSync('/proc/self/oom_score_adj', 'utf8');
  const { status } = spawnSync('sh', ['-c', 'echo -2 >/proc/self/oom_score_adj'], { stdio: 'ignore' });
  assert.equal(mayLowerOomScores(), status === 0);
  assert.equal(readFileSync('/proc/self/oom_score_adj', 'utf8'), before);
});
