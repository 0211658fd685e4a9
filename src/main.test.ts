import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const skypod = (...words: string[]) =>
  new Promise<{ code: unknown; stderr: string }>((resolve) => {
    const program = [join(import.meta.dirname, 'main.ts'), ...words];
    execFile(process.execPath, program, (error, _stdout, stderr) => resolve({ code: error?.code, stderr }));
  });

test('says in one line what is wrong with a command, and what there is', async () => {
  const mistakes: [string[], string][] = [
    [['up', '--lisen', 'x'], "unknown option '--lisen' (Did you mean --listen?) (--help tells what there is)"],
    [['tenant', 'create'], "missing required argument 'name' (--help tells what there is)"],
    [['up', '--runtime', 'docker'], '--runtime docker is not known: containerd or simulated'],
    [['status', '--output', 'xml'], '-o xml is not known: table or json'],
  ];
  await Promise.all(
    mistakes.map(async ([words, told]) =>
      assert.deepEqual(await skypod(...words), { code: 1, stderr: `skypod: ${told}\n` }),
    ),
  );
});
