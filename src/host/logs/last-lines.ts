import { open } from 'node:fs/promises';
import { parseLogLine } from './parse-line.ts';

const READ_BYTES = 64 * 1024;

/** The text of a log's last lines, both streams; '' when there is no log. */
export async function lastLines(path: string, lines: number, bytes: number): Promise<string> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
  try {
    const { size } = await file.stat();
    const start = Math.max(size - READ_BYTES, 0);
    const buffer = Buffer.alloc(size - start);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
    const raw = buffer.subarray(0, bytesRead).toString('latin1').split('\n');
    // Begun in the middle, the first line is torn.
    if (start > 0) raw.shift();
    if (raw.at(-1) === '') raw.pop();
    const text = Buffer.concat(
      raw.slice(-lines).flatMap((line) => {
        const entry = parseLogLine(Buffer.from(line, 'latin1'));
        if (entry === undefined) return [];
        return entry.partial ? [entry.content] : [entry.content, Buffer.from('\n')];
      }),
    );
    return text.subarray(Math.max(text.length - bytes, 0)).toString();
  } finally {
    await file.close();
  }
}
