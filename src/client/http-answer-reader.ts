export interface HttpAnswer {
  code: number;
  /** The body. */
  text: string;
  /** No other answer comes over the connection. */
  isLast: boolean;
}

const headLimitBytes = 64 * 1024;
const headEnd = Buffer.from('\r\n\r\n');
const lineEnd = Buffer.from('\r\n');

interface Head {
  code: number;
  /** Of the body in bytes; undefined where that is told otherwise. */
  length: number | undefined;
  isChunked: boolean;
  isLast: boolean;
}

/**
 * Reads answers over HTTP/1.1, one after the other, as they stand in the bytes of a connection. For short ones: what has
 * come of an answer is joined anew with each piece. Source: RFC 9112, 6.3 and 7.1.
 */
export class HttpAnswerReader {
  readonly #heard: (answer: HttpAnswer) => void;
  #bytes: Buffer = Buffer.alloc(0);
  #head: Head | undefined;

  constructor(heard: (answer: HttpAnswer) => void) {
    this.#heard = heard;
  }

  /** @throws Error where the bytes are no answer. */
  push(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    let at = 0;
    for (;;) {
      if (this.#head === undefined) {
        const end = this.#bytes.indexOf(headEnd, at);
        if (end < 0) {
          if (this.#bytes.length - at > headLimitBytes) throw new Error('the head of an answer is too long');
          break;
        }
        const head = parseHead(this.#bytes.toString('latin1', at, end));
        at = end + headEnd.length;
        // Those of 1xx are only announcements.
        if (head.code >= 200) this.#head = head;
        continue;
      }
      const { code, isChunked, isLast, length } = this.#head;
      const body = isChunked ? chunkedBody(this.#bytes, at) : plainBody(this.#bytes, at, length);
      if (body === undefined) break;
      at = body.end;
      this.#head = undefined;
      this.#heard({ code, text: body.text, isLast });
    }
    this.#bytes = at === this.#bytes.length ? this.#bytes.subarray(0, 0) : this.#bytes.subarray(at);
  }

  /** The server says nothing more: where nothing else tells the end of a body, this does. */
  end(): void {
    const head = this.#head;
    if (head === undefined || head.isChunked || head.length !== undefined) return;
    this.#head = undefined;
    this.#heard({ code: head.code, text: this.#bytes.toString('utf8'), isLast: true });
  }
}

function parseHead(text: string): Head {
  const status = /^HTTP\/1\.([01]) (\d{3})(?: |$|\r)/.exec(text);
  if (status === null) throw new Error('the server does not speak HTTP/1.1');
  const code = Number(status[2]);
  let length: number | undefined;
  let isChunked = false;
  let isLast = status[1] === '0';
  for (const line of text.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    const value = line.slice(colon + 1).trim();
    switch (line.slice(0, colon).toLowerCase()) {
      case 'content-length':
        if (!/^\d{1,15}$/.test(value)) throw new Error('an answer has no length that can be read');
        length = Number(value);
        break;
      case 'transfer-encoding':
        if (value.toLowerCase() !== 'chunked') throw new Error(`an answer is encoded as ${value}`);
        isChunked = true;
        break;
      case 'connection':
        isLast ||= value.toLowerCase() === 'close';
        break;
    }
  }
  if (code === 204 || code === 304) length = 0;
  return { code, length: isChunked ? undefined : length, isChunked, isLast };
}

/** Undefined where the body is not there yet. */
function plainBody(bytes: Buffer, start: number, length: number | undefined) {
  if (length === undefined || bytes.length < start + length) return undefined;
  return { text: bytes.toString('utf8', start, start + length), end: start + length };
}

function chunkedBody(bytes: Buffer, start: number): { text: string; end: number } | undefined {
  const pieces: Buffer[] = [];
  for (let at = start; ; ) {
    const end = bytes.indexOf(lineEnd, at);
    if (end < 0) return undefined;
    const size = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(bytes.toString('latin1', at, end));
    if (size === null) throw new Error('an answer has a chunk without a size');
    const length = Number.parseInt(size[1]!, 16);
    at = end + lineEnd.length;
    if (length === 0) {
      const after = endOfTrailers(bytes, at);
      return after === undefined ? undefined : { text: Buffer.concat(pieces).toString('utf8'), end: after };
    }
    if (bytes.length < at + length + lineEnd.length) return undefined;
    pieces.push(bytes.subarray(at, at + length));
    at += length + lineEnd.length;
  }
}

function endOfTrailers(bytes: Buffer, start: number): number | undefined {
  for (let at = start; ; ) {
    const end = bytes.indexOf(lineEnd, at);
    if (end < 0) return undefined;
    if (end === at) return end + lineEnd.length;
    at = end + lineEnd.length;
  }
}
