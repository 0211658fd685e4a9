import { Duplex, PassThrough, Writable } from 'node:stream';
import WebSocket from 'ws';
import type { ExecSession } from '../sandbox-runtime.ts';

/** containerd's streaming server numbers an exec's or attach's streams like this (`v4.channel.k8s.io`). */
const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 };

export interface SessionOptions {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

/** Opens the URL that Exec or Attach answered. @param what for the words of errors. */
export async function openSession(url: string, options: SessionOptions): Promise<ExecSession> {
  const socket = await open(url, 'v4.channel.k8s.io');
  const stdout = options.stdout ? new PassThrough() : undefined;
  const stderr = options.stderr && !options.tty ? new PassThrough() : undefined;
  const stdin = options.stdin ? stdinOf(socket) : undefined;
  const { promise: done, resolve, reject } = Promise.withResolvers<{ exitCode: number }>();
  // Nobody needs to wait for the end of a session.
  done.catch(() => {});
  socket.on('message', (data: Buffer) => {
    const payload = data.subarray(1);
    if (data[0] === channels.stdout) stdout?.write(payload);
    else if (data[0] === channels.stderr) stderr?.write(payload);
    else if (data[0] === channels.error && payload.length > 0) settle(payload.toString(), resolve, reject);
  });
  socket.on('close', () => {
    stdout?.end();
    stderr?.end();
    stdin?.destroy();
    reject(new Error('the stream to the container was closed before it ended'));
  });
  return {
    stdin,
    stdout,
    stderr,
    done,
    resize(width, height) {
      if (socket.readyState === WebSocket.OPEN) {
        socket.send(withChannel(channels.resize, Buffer.from(JSON.stringify({ Width: width, Height: height }))));
      }
    },
    close: () => socket.terminate(),
  };
}

/** The error channel carries one metav1.Status. */
function settle(text: string, resolve: (end: { exitCode: number }) => void, reject: (error: Error) => void): void {
  let status: { status?: string; reason?: string; message?: string; details?: { causes?: any[] } };
  try {
    status = JSON.parse(text);
  } catch {
    reject(new Error(text));
    return;
  }
  const cause = status.details?.causes?.find((candidate) => candidate.reason === 'ExitCode');
  if (status.status === 'Success') resolve({ exitCode: 0 });
  else if (status.reason === 'NonZeroExitCode' && cause !== undefined) resolve({ exitCode: Number(cause.message) });
  else reject(new Error(status.message ?? text));
}

function stdinOf(socket: WebSocket): Writable {
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => socket.send(withChannel(channels.stdin, chunk), done),
  });
}

function withChannel(channel: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([channel]), payload]);
}

function open(url: string, protocol: string): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace(/^http/, 'ws'), [protocol], { perMessageDeflate: false });
    socket.once('open', () => resolve(socket));
    socket.on('error', reject);
  });
}

/** Opens the URL that PortForward answered: channel 0 carries the data, channel 1 an error, both begin with the port. */
export async function openPortForward(url: string, port: number): Promise<Duplex> {
  const address = new URL(url);
  address.searchParams.set('port', String(port));
  const socket = await open(address.toString(), 'v4.channel.k8s.io');
  const portBytesLeft = [2, 2];
  const stream = new Duplex({
    read: () => socket.resume(),
    write: (chunk: Buffer, _encoding, done) => socket.send(withChannel(0, chunk), done),
    final(done) {
      done();
    },
    destroy(error, done) {
      socket.terminate();
      done(error);
    },
  });
  socket.on('message', (data: Buffer) => {
    const channel = data[0];
    const skip = Math.min(portBytesLeft[channel] ?? 0, data.length - 1);
    if (channel < 2) portBytesLeft[channel] -= skip;
    const payload = data.subarray(1 + skip);
    if (payload.length === 0) return;
    if (channel === 0) {
      if (!stream.push(payload)) socket.pause();
    } else stream.destroy(new Error(payload.toString()));
  });
  socket.on('close', () => stream.push(null));
  return stream;
}
