import { connect, type TLSSocket } from 'node:tls';

/**
 * The least of an HTTP/2 client: Node's own costs as much as a server does, and on a small machine that is taken away
 * from the server measured. No header compression either way but the static table, no priorities, no pushes.
 */
export interface Endpoint {
  host: string;
  port: number;
  caPem: string;
  certificatePem: string;
  keyPem: string;
}

export interface Request {
  method: string;
  path: string;
  body?: Buffer;
  contentType?: string;
  accept?: string;
  /** `gzip` */
  acceptEncoding?: string;
}

/** What a stream's owner hears. */
export interface StreamListener {
  onStatus?(status: number): void;
  onData?(chunk: Buffer): void;
  onEnd(): void;
  onError(error: Error): void;
}

interface OpenStream extends StreamListener {
  unsent: Buffer | undefined;
  window: number;
}

export interface Response {
  status: number;
  bytes: number;
  chunks: Buffer[];
}

const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const WINDOW_UPDATE = 8;
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const frameHeadBytes = 9;
const largeWindow = 2 ** 31 - 1;

/** Static table entries for whole fields and for names. RFC 7541, appendix A. */
const methodFields: Record<string, Buffer> = { GET: Buffer.from([0x82]), POST: Buffer.from([0x83]) };
const nameIndex = { authority: 1, method: 2, path: 4, accept: 19, acceptEncoding: 16, contentType: 31, userAgent: 58 };

export class Http2Client {
  readonly #socket: TLSSocket;
  readonly #host: string;
  readonly #streams = new Map<number, OpenStream>();
  readonly #blocked: number[] = [];
  readonly #fixed = new Map<string, Buffer>();
  #nextStream = 1;
  #unread: Buffer = Buffer.alloc(0);
  #peerStreamWindow = 65_535;
  #sendWindow = 65_535;
  #received = 0;
  #outgoing: Buffer[] = [];
  bytesReceived = 0;

  static connect(endpoint: Endpoint): Promise<Http2Client> {
    return new Promise((resolve, reject) => {
      const socket = connect({
        host: endpoint.host,
        port: endpoint.port,
        ca: endpoint.caPem,
        cert: endpoint.certificatePem,
        key: endpoint.keyPem,
        ALPNProtocols: ['h2'],
        servername: 'localhost',
      });
      socket.setNoDelay(true);
      socket.once('error', reject);
      socket.once('secureConnect', () => {
        socket.off('error', reject);
        if (socket.alpnProtocol !== 'h2') reject(new Error('the server does not speak HTTP/2'));
        else resolve(new Http2Client(socket, `${endpoint.host}:${endpoint.port}`));
      });
    });
  }

  private constructor(socket: TLSSocket, host: string) {
    this.#socket = socket;
    this.#host = host;
    const settings = Buffer.alloc(18);
    // HEADER_TABLE_SIZE 0, ENABLE_PUSH 0, INITIAL_WINDOW_SIZE as large as it gets.
    for (const [index, [id, value]] of [
      [1, 0],
      [2, 0],
      [4, largeWindow],
    ].entries()) {
      settings.writeUInt16BE(id!, index * 6);
      settings.writeUInt32BE(value!, index * 6 + 2);
    }
    this.#send(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
    this.#send(frame(SETTINGS, 0, 0, settings));
    this.#send(windowUpdate(0, largeWindow - 65_535));
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    const lost = (why: string) => {
      const error = new Error(why);
      for (const stream of this.#streams.values()) stream.onError(error);
      this.#streams.clear();
    };
    socket.on('error', (error) => lost(`the connection failed: ${error.message}`));
    socket.on('close', () => lost('the connection was closed'));
  }

  /** One request, its whole answer. `keep` collects the body. */
  request(request: Request, keep = false): Promise<Response> {
    return new Promise((resolve, reject) => {
      const response: Response = { status: 0, bytes: 0, chunks: [] };
      this.open(request, {
        onStatus: (status) => {
          response.status = status;
        },
        onData: (chunk) => {
          response.bytes += chunk.length;
          if (keep || response.status >= 400) response.chunks.push(Buffer.from(chunk));
        },
        onEnd: () => resolve(response),
        onError: reject,
      });
    });
  }

  open(request: Request, listener: StreamListener): void {
    const id = this.#nextStream;
    this.#nextStream += 2;
    const stream = listener as OpenStream;
    stream.window = this.#peerStreamWindow;
    stream.unsent = request.body;
    this.#streams.set(id, stream);
    const fields = this.#fields(request);
    this.#send(frame(HEADERS, END_HEADERS | (request.body === undefined ? END_STREAM : 0), id, fields));
    if (request.body !== undefined) this.#sendBody(id, stream);
  }

  destroy(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.on('error', () => {});
    this.#socket.destroy();
  }

  #fields(request: Request): Buffer {
    const { method, path, contentType, accept, acceptEncoding } = request;
    const fixedKey = `${method} ${contentType} ${accept} ${acceptEncoding}`;
    let fixed = this.#fixed.get(fixedKey);
    if (fixed === undefined) {
      const parts = [methodFields[method] ?? literal(nameIndex.method, method), Buffer.from([0x87])];
      parts.push(literal(nameIndex.authority, this.#host), literal(nameIndex.userAgent, 'skypod-peers'));
      if (contentType !== undefined) parts.push(literal(nameIndex.contentType, contentType));
      if (accept !== undefined) parts.push(literal(nameIndex.accept, accept));
      if (acceptEncoding !== undefined) parts.push(literal(nameIndex.acceptEncoding, acceptEncoding));
      fixed = Buffer.concat(parts);
      this.#fixed.set(fixedKey, fixed);
    }
    // Pseudo-header fields first: method and scheme open `fixed`, so the path goes before them.
    return Buffer.concat([literal(nameIndex.path, path), fixed]);
  }

  #sendBody(id: number, stream: OpenStream): void {
    while (stream.unsent !== undefined) {
      const length = Math.min(stream.unsent.length, stream.window, this.#sendWindow, 16_384);
      if (length === 0 && stream.unsent.length > 0) {
        this.#blocked.push(id);
        return;
      }
      const last = length === stream.unsent.length;
      this.#send(frame(DATA, last ? END_STREAM : 0, id, stream.unsent.subarray(0, length)));
      stream.window -= length;
      this.#sendWindow -= length;
      stream.unsent = last ? undefined : stream.unsent.subarray(length);
    }
  }

  #unblock(): void {
    for (const id of this.#blocked.splice(0)) {
      const stream = this.#streams.get(id);
      if (stream !== undefined) this.#sendBody(id, stream);
    }
  }

  /** What one turn of the event loop sends goes out as one record. */
  #send(bytes: Buffer): void {
    this.#outgoing.push(bytes);
    if (this.#outgoing.length > 1) return;
    setImmediate(() => {
      const outgoing = this.#outgoing;
      this.#outgoing = [];
      if (!this.#socket.destroyed) this.#socket.write(outgoing.length === 1 ? outgoing[0]! : Buffer.concat(outgoing));
    });
  }

  #receive(chunk: Buffer): void {
    this.bytesReceived += chunk.length;
    const bytes = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    let at = 0;
    while (bytes.length - at >= frameHeadBytes) {
      const end = at + frameHeadBytes + bytes.readUIntBE(at, 3);
      if (end > bytes.length) break;
      const payload = bytes.subarray(at + frameHeadBytes, end);
      this.#handle(bytes[at + 3]!, bytes[at + 4]!, bytes.readUInt32BE(at + 5) & largeWindow, payload);
      at = end;
    }
    this.#unread = at === bytes.length ? Buffer.alloc(0) : bytes.subarray(at);
    if (this.#received > 2 ** 26) {
      this.#send(windowUpdate(0, this.#received));
      this.#received = 0;
    }
  }

  #handle(type: number, flags: number, id: number, payload: Buffer): void {
    const stream = this.#streams.get(id);
    switch (type) {
      case DATA:
        this.#received += payload.length;
        if (payload.length > 0) stream?.onData?.(payload);
        break;
      case HEADERS:
        if ((flags & END_HEADERS) === 0) throw new Error('continued headers are not read here');
        stream?.onStatus?.(statusOf(payload));
        break;
      case RST_STREAM:
        this.#streams.delete(id);
        stream?.onError(new Error(`the server reset the stream (code ${payload.readUInt32BE(0)})`));
        return;
      case SETTINGS:
        if ((flags & ACK) !== 0) return;
        for (let at = 0; at < payload.length; at += 6) {
          if (payload.readUInt16BE(at) !== 4) continue;
          const value = payload.readUInt32BE(at + 2);
          for (const open of this.#streams.values()) open.window += value - this.#peerStreamWindow;
          this.#peerStreamWindow = value;
        }
        this.#send(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
        this.#unblock();
        return;
      case PING:
        if ((flags & ACK) === 0) this.#send(frame(PING, ACK, 0, Buffer.from(payload)));
        return;
      case GOAWAY:
        return;
      case WINDOW_UPDATE: {
        const increment = payload.readUInt32BE(0) & largeWindow;
        if (id === 0) this.#sendWindow += increment;
        else if (stream !== undefined) stream.window += increment;
        if (this.#blocked.length > 0) this.#unblock();
        return;
      }
      default:
        return;
    }
    if ((flags & END_STREAM) !== 0 && stream !== undefined) {
      this.#streams.delete(id);
      stream.onEnd();
    }
  }
}

function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const out = Buffer.allocUnsafe(frameHeadBytes + payload.length);
  out.writeUIntBE(payload.length, 0, 3);
  out[3] = type;
  out[4] = flags;
  out.writeUInt32BE(id, 5);
  payload.copy(out, frameHeadBytes);
  return out;
}

function windowUpdate(id: number, increment: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(increment);
  return frame(WINDOW_UPDATE, 0, id, payload);
}

/** A field whose name is in the static table, its value as it is, not indexed. */
function literal(name: number, value: string): Buffer {
  const bytes = Buffer.from(value);
  const head = name < 15 ? [name] : [15, name - 15];
  const length = bytes.length < 127 ? [bytes.length] : integerAfter127(bytes.length);
  return Buffer.concat([Buffer.from([...head, ...length]), bytes]);
}

function integerAfter127(value: number): number[] {
  const out = [127];
  for (value -= 127; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) + 128);
  out.push(value);
  return out;
}

/** Indexed statuses of the static table. */
const indexedStatus: Record<number, number> = {
  136: 200,
  137: 204,
  138: 206,
  139: 304,
  140: 400,
  141: 404,
  142: 500,
};
/** Digits in Huffman code: 0, 1 and 2 are five bits, the rest six. */
const digitCodes: [bits: string, digit: string][] = [
  ...['0', '1', '2'].map((digit, index): [string, string] => [index.toString(2).padStart(5, '0'), digit]),
  ...['3', '4', '5', '6', '7', '8', '9'].map((digit, index): [string, string] => [
    (0x19 + index).toString(2).padStart(6, '0'),
    digit,
  ]),
];

/** `:status` is the first field, after at most a change of the table's size. */
function statusOf(fields: Buffer): number {
  let at = 0;
  while ((fields[at]! & 0xe0) === 0x20) at++;
  const first = fields[at]!;
  if (first >= 0x80) return indexedStatus[first] ?? 0;
  const length = fields[at + 1]! & 0x7f;
  const value = fields.subarray(at + 2, at + 2 + length);
  if ((fields[at + 1]! & 0x80) === 0) return Number(value.toString('latin1'));
  let bits = [...value].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  let text = '';
  while (text.length < 3) {
    const code = digitCodes.find(([prefix]) => bits.startsWith(prefix));
    if (code === undefined) return 0;
    text += code[1];
    bits = bits.slice(code[0].length);
  }
  return Number(text);
}
