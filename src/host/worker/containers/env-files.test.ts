import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerSpec } from '../../testing/fixtures.ts';
import { envFileValue, withFileVariables } from './env-files.ts';

test('a file of variables is read as the kubelet reads it', () => {
  const text = "# said first\nA='1'\n  B='two words' # why\n\nLINES='one\ntwo'\nNONE= 'x'\nLAST='$(A)'\r\n";
  const value = (key: string) => envFileValue(text, key);
  assert.deepEqual(['A', 'B', 'LINES', 'NONE', 'LAST', 'MISSING'].map(value), [
    '1',
    'two words',
    'one\ntwo',
    '',
    '$(A)',
    '',
  ]);
  for (const [line, complaint] of [
    ['A', /missing '='/],
    ["='x'", /empty variable name/],
    ["A ='x'", /whitespace before '='/],
    ['A=x', /must be enclosed in single quotes/],
    ["A='x", /unclosed single quote/],
    ["A='x'y", /unexpected content after closing quote/],
  ] as const)
    assert.throws(() => envFileValue(line, 'A'), complaint, line);
});

test('a container gets variables out of files of its pod, or says why not', async () => {
  const from = (key: string, optional?: boolean) => ({
    name: key,
    valueFrom: { fileKeyRef: { volumeName: 'config', path: 'env', key, ...(optional !== undefined && { optional }) } },
  });
  const read = async (volume: string, path: string) => {
    assert.deepEqual([volume, path], ['config', 'env']);
    return "A='$(B)'\n";
  };
  const container = containerSpec('a', { env: [{ name: 'B', value: 'b' }, from('A'), from('C', true)] });
  assert.deepEqual((await withFileVariables(container, read)).env, [
    { name: 'B', value: 'b' },
    { name: 'A', value: '$$(B)' },
  ]);
  const failing = (optional: boolean, how: typeof read) =>
    withFileVariables(containerSpec('a', { env: [from('C', optional)] }), how);
  await assert.rejects(failing(false, read), { message: 'environment variable key "C" not found in file "env"' });
  const none = () => Promise.reject(new Error('ENOENT'));
  await assert.rejects(failing(true, none), { message: "couldn't parse env file" });
});
