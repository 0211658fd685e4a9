import type { Transform } from 'node:stream';
import { constants, createDeflate, createInflate } from 'node:zlib';
import { headerDictionary } from './dictionary.ts';

export type Headers = Record<string, string>;

/** A header block tells who opens a stream and why; a few hundred bytes do. */
const maxBlockBytes = 64 * 1024;

/**
 * Header blocks of one direction of a connection: one zlib stream runs through all of them, so they must be coded one
 * after the other, in the order of their frames.
 */
export class HeaderDecoder {
  readonly #inflate = createInflate({ dictionary: headerDictionary });

  /** Names in lower case; several values of one name joined by NUL. Rejects on damaged or outsized blocks. */
  async decode(block: Uint8Array): Promise<Headers> {
    return parseBlock(await through(this.#inflate, block));
  }

  close(): void {
    this.#inflate.close();
  }
}

export class HeaderEncoder {
  readonly #deflate = createDeflate({ dictionary: headerDictionary });

  encode(headers: Headers): Promise<Buffer> {
    return through(this.#deflate, formatBlock(headers));
  }

  close(): void {
    this.#deflate.close();
  }
}

type Zlib = Transform & { flush(kind: number, callback: () => void): void };

function through(zlib: Zlib, input: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (error?: Error) => {
      zlib.off('data', onData);
      zlib.off('error', settle);
      if (error !== undefined) reject(error);
      else resolve(Buffer.concat(chunks));
    };
    const onData = (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > maxBlockBytes) settle(new Error('a SPDY header block is too large'));
    };
    zlib.on('data', onData);
    zlib.on('error', settle);
    zlib.write(input);
    zlib.flush(constants.Z_SYNC_FLUSH, () => settle());
  });
}

function parseBlock(block: Buffer): Headers {
  const headers: Headers = {};
  let offset = 0;
  const number = () => {
    const value = block.readUInt32BE(offset);
    offset += 4;
    return value;
  };
  const text = () => {
    const length = number();
    if (offset + length > block.length) throw new Error('a SPDY header block is cut short');
    const value = block.toString('utf8', offset, offset + length);
    offset += length;
    return value;
  };
  for (let count = number(); count > 0; count--) headers[text().toLowerCase()] = text();
  return headers;
}

function formatBlock(headers: Headers): Buffer {
  const parts: Buffer[] = [];
  const number = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    parts.push(bytes);
  };
  const entries = Object.entries(headers);
  number(entries.length);
  for (const field of entries.flat()) {
    const bytes = Buffer.from(field);
    number(bytes.length);
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}
