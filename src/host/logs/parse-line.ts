/** One entry of a log in CRI format: `2016-10-06T00:17:09.669794202Z stdout F the text`. */
export interface LogEntry {
  /** As written, RFC 3339 with nanoseconds. */
  timestamp: string;
  stream: 'stdout' | 'stderr';
  /** The line goes on in the stream's next entry. */
  partial: boolean;
  content: Buffer;
}

const SPACE = 0x20;

/** Parses one line without its newline; undefined when it is none of CRI's (a torn write after a crash). */
export function parseLogLine(line: Buffer): LogEntry | undefined {
  const first = line.indexOf(SPACE);
  const second = first < 0 ? -1 : line.indexOf(SPACE, first + 1);
  if (second < 0) return undefined;
  const third = line.indexOf(SPACE, second + 1);
  const stream = line.toString('latin1', first + 1, second);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  const tags = line.toString('latin1', second + 1, third < 0 ? line.length : third);
  return {
    timestamp: line.toString('latin1', 0, first),
    stream,
    partial: tags.split(':')[0] === 'P',
    content: third < 0 ? Buffer.alloc(0) : line.subarray(third + 1),
  };
}
