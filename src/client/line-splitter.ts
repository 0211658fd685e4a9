/**
 * Cuts a byte stream into lines. A line that arrives in n chunks is joined once, when its end is seen, so the cost is
 * linear however large an object is.
 */
export class LineSplitter {
  #pending: Buffer[] = [];

  /** The lines that `chunk` completes, without their line ends; empty lines are left out. */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10, start); end >= 0; end = chunk.indexOf(10, start)) {
      let line: string;
      if (this.#pending.length > 0) {
        this.#pending.push(chunk.subarray(start, end));
        line = Buffer.concat(this.#pending).toString('utf8');
        this.#pending = [];
      } else {
        line = chunk.toString('utf8', start, end);
      }
      if (line.trim() !== '') lines.push(line);
      start = end + 1;
    }
    if (start < chunk.length) this.#pending.push(chunk.subarray(start));
    return lines;
  }
}
