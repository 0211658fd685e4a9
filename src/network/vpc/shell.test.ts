import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Shell } from './shell.ts';

test('input, arguments and output go through as they are, in order', async () => {
  const shell = new Shell();
  const nasty = `it's $HOME \`date\` \\ "x" !\n\n  tail`;
  const results = await Promise.all([
    shell.run('cat', [], `${nasty}\n`),
    shell.run('printf', ['%s', nasty]),
    shell.run('cat', []),
    shell.run('cat', [], `${'x'.repeat(200_000)}\n`),
  ]);
  assert.deepEqual(results, [`${nasty}\n`, nasty, '', `${'x'.repeat(200_000)}\n`]);
  shell.close();
});

test('a failure says what and why, and the next job is not disturbed', async () => {
  const shell = new Shell();
  const [failed, missing, fine] = await Promise.allSettled([
    shell.run('sh', ['-c', 'echo out; echo why >&2; exit 3']),
    shell.run('no-such-program', []),
    shell.run('echo', ['fine']),
  ]);
  assert.match(String((failed as PromiseRejectedResult).reason), /ended with code 3: why/);
  assert.match(String((missing as PromiseRejectedResult).reason), /code 127/);
  assert.equal((fine as PromiseFulfilledResult<string>).value, 'fine\n');
  shell.close();
});

test('when the shell dies its jobs fail, and the next one gets another', async () => {
  const shell = new Shell();
  await assert.rejects(shell.run('sh', ['-c', 'kill -9 $PPID']), /the shell ended/);
  assert.equal(await shell.run('echo', ['again']), 'again\n');
  shell.close();
});
