import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { containerMemory } from './container-memory.ts';

test('what a container uses, in either version of control groups', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'skypod-memory-'));
  t.after(() => rmSync(root, { recursive: true }));
  const group = (path: string, files: Record<string, string>) => {
    mkdirSync(join(root, path), { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(root, path, name), text);
  };
  group('memory/pods/u/old', { 'memory.usage_in_bytes': '4096\n', 'memory.stat': 'rss 1\ntotal_rss 1024\n' });
  group('pods/u/new', { 'memory.current': '8192\n', 'memory.stat': 'anon 2048\nfile 5\n' });
  assert.deepEqual(await containerMemory('/pods/u/old', root), { usageBytes: 4096, rssBytes: 1024 });
  assert.deepEqual(await containerMemory('/pods/u/new', root), { usageBytes: 8192, rssBytes: 2048 });
  assert.equal(await containerMemory('/pods/u/gone', root), undefined);
});
