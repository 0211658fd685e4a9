import { Duplex, PassThrough, Writable } from 'node:stream';
import type { ExecSession } from '../sandbox-runtime.ts';
import { SpdyConnection, type SpdyStreamEvents } from './spdy-connection.ts';

export interface SessionOptions {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

/** Opens the URL that Exec or Attach answered: one SPDY stream each for what was asked for, and one for the outcome. */
export async function openSession(url: string, options: SessionOptions): Promise<ExecSession> {
  const connection = await SpdyConnection.open(url, 'v4.channel.k8s.io');
  const { promise: done, resolve, reject } = Promise.withResolvers<{ exitCode: number }>();
  // Nobody needs to wait for the end of a session.
  done.catch(() => {});
  let openOutputs = 1;
  const outputEnded = () => {
    if (--openOutputs === 0) connection.close();
  };
  let outcome = '';
  const error = connection.openStream(
    { streamtype: 'error' },
    {
      onData(data) {
        outcome += data;
        return true;
      },
      onEnd() {
        settle(outcome, resolve, reject);
        outputEnded();
      },
    },
  );
  error.end();
  const output = (name: 'stdout' | 'stderr') => {
    openOutputs++;
    const stream = new PassThrough();
    connection.openStream({ streamtype: name }, feeding(stream, connection, outputEnded)).end();
    return stream;
  };
  const stdin = options.stdin ? stdinOf(connection) : undefined;
  const stdout = options.stdout ? output('stdout') : undefined;
  const stderr = options.stderr && !options.tty ? output('stderr') : undefined;
  const ignoring: SpdyStreamEvents = { onData: () => true, onEnd() {} };
  const resize = options.tty ? connection.openStream({ streamtype: 'resize' }, ignoring) : undefined;
  connection.onClose(() => stdin?.destroy());
  return {
    stdin,
    stdout,
    stderr,
    done,
    resize: (width, height) => resize?.write(Buffer.from(JSON.stringify({ Width: width, Height: height })), () => {}),
    close: () => connection.close(),
  };
}

/** The error stream carries one metav1.Status, or nothing when the connection broke. */
function settle(text: string, resolve: (end: { exitCode: number }) => void, reject: (error: Error) => void): void {
  let status: { status?: string; reason?: string; message?: string; details?: { causes?: any[] } };
  try {
    status = JSON.parse(text);
  } catch {
    reject(new Error(text || 'the stream to the container was closed before it ended'));
    return;
  }
  const cause = status.details?.causes?.find((candidate) => candidate.reason === 'ExitCode');
  if (status.status === 'Success') resolve({ exitCode: 0 });
  else if (status.reason === 'NonZeroExitCode' && cause !== undefined) resolve({ exitCode: Number(cause.message) });
  else reject(new Error(status.message ?? text));
}

function stdinOf(connection: SpdyConnection): Writable {
  const stream = connection.openStream({ streamtype: 'stdin' }, { onData: () => true, onEnd() {} });
  const stdin = new Writable({
    write: (chunk: Buffer, _encoding, done) => stream.write(chunk, done),
    final(done) {
      stream.end();
      done();
    },
  });
  // The process may end with input still under way: that is not its caller's failure.
  stdin.on('error', () => {});
  return stdin;
}

/** Hands a SPDY stream's data to a readable, pausing the connection while its reader is behind. */
function feeding(target: PassThrough, connection: SpdyConnection, ended: () => void): SpdyStreamEvents {
  target.on('drain', () => connection.resume());
  // A reader that left takes nothing more, and must not hold up the others.
  target.on('close', () => connection.resume());
  return {
    onData: (data) => target.destroyed || target.write(data),
    onEnd() {
      target.end();
      ended();
    },
  };
}

/**
 * Opens the URL that PortForward answered, as one connection to `port`; a failure is the stream's error. containerd does
 * not hand a half-close on: it closes the connection half a second after either side has said all.
 */
export async function openPortForward(url: string, port: number): Promise<Duplex> {
  const connection = await SpdyConnection.open(url, 'portforward.k8s.io');
  let failure = '';
  let openStreams = 2;
  // Only both ends together tell how it went: the error may come after the end of the data.
  const streamEnded = () => {
    if (--openStreams > 0 || stream.destroyed) return;
    if (failure === '') stream.push(null);
    else stream.destroy(new Error(failure));
  };
  const headers = { port: String(port), requestid: '0' };
  const errorStream = connection.openStream(
    { streamtype: 'error', ...headers },
    {
      onData(data) {
        failure += data;
        return true;
      },
      onEnd: streamEnded,
    },
  );
  errorStream.end();
  const dataStream = connection.openStream(
    { streamtype: 'data', ...headers },
    {
      onData: (data) => stream.destroyed || stream.push(data),
      onEnd: streamEnded,
    },
  );
  const stream: Duplex = new Duplex({
    read: () => connection.resume(),
    write: (chunk: Buffer, _encoding, done) => dataStream.write(chunk, done),
    final(done) {
      dataStream.end();
      done();
    },
    destroy(error, done) {
      connection.close();
      done(error);
    },
  });
  return stream;
}
