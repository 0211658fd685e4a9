import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { until } from '../../base/testing/until.ts';
import { lastLines } from './last-lines.ts';
import { type ReadLogOptions, readLog } from './read-log.ts';
import { rotateLog } from './rotate-log.ts';

const directory = mkdtempSync(join(tmpdir(), 'skypod-logs-'));
after(() => rmSync(directory, { recursive: true }));
let path: string;
let count = 0;
beforeEach(() => {
  path = join(directory, `${count++}.log`);
});

const line = (second: number, text: string, stream = 'stdout', tag = 'F') =>
  `2026-01-02T03:04:${String(second).padStart(2, '0')}.123456789Z ${stream} ${tag} ${text}\n`;

const options = (more: Partial<ReadLogOptions> = {}): ReadLogOptions => ({
  path,
  follow: false,
  timestamps: false,
  stream: 'all',
  isRunning: () => false,
  signal: new AbortController().signal,
  ...more,
});

async function read(more: Partial<ReadLogOptions> = {}): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of readLog(options(more))) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('a log', () => {
  it('is read whole, by stream, from a time on, with times, in part', async () => {
    writeFileSync(path, line(1, 'one') + line(2, 'two', 'stderr') + line(3, 'three'));
    assert.equal(await read(), 'one\ntwo\nthree\n');
    assert.equal(await read({ stream: 'stderr' }), 'two\n');
    assert.equal(await read({ since: Date.parse('2026-01-02T03:04:02Z') }), 'two\nthree\n');
    assert.equal(await read({ timestamps: true, tailLines: 1 }), '2026-01-02T03:04:03.123456789Z three\n');
    assert.equal(await read({ tailLines: 2 }), 'two\nthree\n');
    assert.equal(await read({ tailLines: 0 }), '');
    assert.equal(await read({ tailLines: 99 }), 'one\ntwo\nthree\n');
    assert.equal(await read({ limitBytes: 6 }), 'one\ntw');
  });

  it('joins partial lines, keeps empty ones, and passes over what is torn', async () => {
    writeFileSync(
      path,
      `garbage\n${line(1, 'half', 'stdout', 'P')}${line(1, ' whole')}${line(2, '')}2026-01-02T03:04:05Z std`,
    );
    assert.equal(await read(), 'half whole\n\n');
    assert.equal(await read({ timestamps: true, limitBytes: 42 }), '2026-01-02T03:04:01.123456789Z half whole\n');
  });

  it('is tailed over more than one chunk', async () => {
    const lines = Array.from({ length: 5000 }, (_, index) => line(index % 60, `line ${index}`));
    writeFileSync(path, lines.join(''));
    const text = await read({ tailLines: 3000 });
    assert.equal(text.split('\n')[0], 'line 2000');
    assert.equal(text.split('\n').length, 3001);
  });

  it('that is not there is empty', async () => {
    assert.equal(await read(), '');
    assert.equal(await lastLines(path, 10, 100), '');
  });

  it('is followed across rotation until the container ends', async () => {
    writeFileSync(path, line(1, 'one'));
    let running = true;
    let text = '';
    const done = (async () => {
      for await (const chunk of readLog(options({ follow: true, isRunning: () => running }))) text += chunk;
    })();
    await until(() => text === 'one\n');
    appendFileSync(path, line(2, 'two'));
    await until(() => text.endsWith('two\n'));
    renameSync(path, `${path}.20260102-030405`);
    appendFileSync(`${path}.20260102-030405`, line(3, 'three'));
    writeFileSync(path, line(4, 'four'));
    await until(() => text.endsWith('four\n'));
    appendFileSync(path, line(5, 'five'));
    running = false;
    await done;
    assert.equal(text, 'one\ntwo\nthree\nfour\nfive\n');
  });

  it('is followed from before it exists, and left when the reader leaves', async () => {
    const controller = new AbortController();
    let text = '';
    const done = (async () => {
      const following = options({ follow: true, isRunning: () => true, signal: controller.signal });
      for await (const chunk of readLog(following)) text += chunk;
    })();
    writeFileSync(path, line(1, 'one'));
    await until(() => text === 'one\n');
    controller.abort();
    await done;
  });

  it('gives its last lines', async () => {
    writeFileSync(path, line(1, 'one') + line(2, 'two') + line(3, 'three'));
    assert.equal(await lastLines(path, 2, 2048), 'two\nthree\n');
    assert.equal(await lastLines(path, 80, 5), 'hree\n');
  });

  it('is rotated when it is large, the oldest dropped and older ones compressed', async () => {
    const open = async () => writeFileSync(path, '');
    for (let round = 0; round < 7; round++) {
      appendFileSync(path, line(1, `round ${round}`));
      await rotateLog(path, open, { largestBytes: 10, mostFiles: 4, now: Date.UTC(2026, 0, 1, 0, 0, round) });
    }
    const name = path.slice(directory.length + 1);
    const files = readdirSync(directory).filter((entry) => entry.startsWith(name));
    assert.deepEqual(files.sort(), [
      name,
      `${name}.20260101-000004.gz`,
      `${name}.20260101-000005.gz`,
      `${name}.20260101-000006`,
    ]);
  });

  it('keeps its name when the runtime cannot open a new one', async () => {
    writeFileSync(path, line(1, 'one'));
    const open = async () => {
      throw new Error('no');
    };
    await assert.rejects(rotateLog(path, open, { largestBytes: 10 }));
    assert.equal(await read(), 'one\n');
  });
});
