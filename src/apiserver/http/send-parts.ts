import { createGzip } from 'node:zlib';
import type { RequestContext } from '../request-context.ts';
import { writableOf } from './http2-exchange.ts';
import type { ItemBytes } from './list-item.ts';

/** What is built and encrypted at once: about a third of a millisecond; less while others wait. */
const pieceBytes = 64 * 1024;
const pieceMs = 1;
const hurriedBytes = 16 * 1024;
const hurriedMs = 0.25;
/** A client that reads nothing for so long gets no more. */
const stalledMs = 60_000;

/** A response, or the compressor before it. */
interface Output {
  write(chunk: Uint8Array, written: (error?: Error | null) => void): boolean;
  end(): unknown;
  once(event: 'close', listener: () => void): unknown;
  off(event: 'close', listener: () => void): unknown;
}

interface Response extends Output {
  readonly destroyed?: boolean;
  destroy(): unknown;
  writeHead(code: number, headers: Record<string, string | number | string[]>): unknown;
}

export interface SendPartsOptions {
  response: unknown;
  code: number;
  headers: Record<string, string | string[]>;
  contentType: string;
  gzip: boolean;
}

/**
 * Sends an answer that takes long to make without holding the processor: each piece takes a slice of the request's turn,
 * and waits until the client has read the one before. Nothing is built that the client does not read. An empty part is
 * only a place to rest at.
 */
export async function sendParts(
  context: RequestContext,
  parts: Iterable<Uint8Array | ItemBytes>,
  { response: given, code, headers, contentType, gzip }: SendPartsOptions,
): Promise<void> {
  const response = given as Response;
  response.writeHead(code, {
    ...headers,
    'content-type': contentType,
    ...(gzip && { 'content-encoding': 'gzip', vary: 'Accept-Encoding' }),
  });
  let output: Output = response;
  if (gzip) {
    const compressor = createGzip({ level: 1 });
    compressor.on('error', () => response.destroy());
    compressor.pipe(writableOf(given as object));
    response.once('close', () => compressor.destroy());
    output = compressor;
  }
  let piece = takeBuffer();
  let size = 0;
  const begin = () => {
    const hurried = context.turn?.hurried === true;
    fullBytes = hurried ? hurriedBytes : pieceBytes;
    untilMs = performance.now() + (hurried ? hurriedMs : pieceMs);
  };
  let fullBytes = pieceBytes;
  let untilMs = 0;
  let checked = 0;
  begin();
  const flush = async (): Promise<boolean> => {
    const buffer = piece;
    context.responseBytes = (context.responseBytes ?? 0) + size;
    const written = writeOut(output, response, buffer.subarray(0, size));
    size = 0;
    const goesOn = await written;
    // Whoever did not read it may still hold it.
    if (goesOn) giveBack(buffer);
    return goesOn;
  };
  for (const part of parts) {
    const bytes = part instanceof Uint8Array ? (part as Buffer) : part.bytes;
    let offset = part instanceof Uint8Array ? 0 : part.start;
    do {
      const copied = bytes.copy(piece, size, offset);
      offset += copied;
      size += copied;
      // Asking for the time costs as much as a small part.
      if (size < fullBytes && (++checked % 8 !== 0 || performance.now() < untilMs)) continue;
      if (size > 0) {
        if (!(await flush())) return;
        piece = takeBuffer();
      }
      await context.turn?.slice();
      if (response.destroyed) return;
      begin();
    } while (offset < bytes.length);
  }
  if (size > 0 && !(await flush())) return;
  output.end();
}

/**
 * Buffers for pieces are used again: hundreds of megabytes of them a second would keep the garbage collector busy, and
 * everybody waiting for it.
 */
const freeBuffers: Buffer[] = [];
const freeBuffersLimit = 64;
const takeBuffer = (): Buffer => freeBuffers.pop() ?? Buffer.allocUnsafeSlow(pieceBytes);
function giveBack(buffer: Buffer): void {
  if (freeBuffers.length < freeBuffersLimit) freeBuffers.push(buffer);
}

/** Resolves when the piece is out; with false when the client left, or reads no more. */
function writeOut(output: Output, response: Response, piece: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (more: boolean) => {
      clearTimeout(timer);
      response.off('close', onClose);
      resolve(more);
    };
    const onClose = () => finish(false);
    const timer = setTimeout(() => {
      finish(false);
      response.destroy();
    }, stalledMs);
    response.once('close', onClose);
    output.write(piece, (error) => finish(error == null));
  });
}
