import type { Duplex } from 'node:stream';
import type { Status } from '../../../api/status.ts';
import type { CommandClient } from '../run-command.ts';
import type { CommandTarget } from '../target.ts';
import { parseSizes } from '../terminal-size.ts';
import { SpdyConnection, type SpdyStream } from './connection.ts';

/** Newest first. v2 fixed closing, v3 added resizing, v4 the status as JSON. */
export const commandProtocols = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'];

const streamsTimeoutMs = 30_000;

/**
 * Speaks SPDY remote command with the client, and resolves once it has opened every stream the request asked for.
 * Rejects when the client does something else.
 */
export function spdyCommandClient(
  transport: Duplex,
  protocol: string,
  options: CommandTarget['options'],
): Promise<CommandClient> {
  const expected = new Set(['error']);
  if (options.stdin) expected.add('stdin');
  if (options.stdout) expected.add('stdout');
  if (options.stderr && !options.tty) expected.add('stderr');
  const resizable = protocol === 'v4.channel.k8s.io' || protocol === 'v3.channel.k8s.io';
  if (options.tty && resizable) expected.add('resize');

  const streams = new Map<string, SpdyStream>();
  const gone = new AbortController();
  return new Promise((resolve, reject) => {
    const fail = (message: string) => {
      clearTimeout(timeout);
      connection.destroy();
      reject(new Error(message));
    };
    const connection = new SpdyConnection(transport, (stream) => {
      const type = stream.headers.streamtype ?? '';
      if (!expected.has(type) || streams.has(type)) {
        stream.destroy();
        return;
      }
      streams.set(type, stream);
      if (streams.size < expected.size) return;
      clearTimeout(timeout);
      resolve(clientOf(connection, streams, protocol, gone.signal));
    });
    const timeout = setTimeout(() => fail('Timed out waiting for client to create streams'), streamsTimeoutMs);
    void connection.run().then(() => {
      gone.abort();
      fail('the client closed the connection');
    });
  });
}

function clientOf(
  connection: SpdyConnection,
  streams: Map<string, SpdyStream>,
  protocol: string,
  gone: AbortSignal,
): CommandClient {
  const error = streams.get('error')!;
  return {
    stdin: streams.get('stdin'),
    stdout: streams.get('stdout'),
    stderr: streams.get('stderr'),
    gone,
    onResize(listener) {
      const resize = streams.get('resize');
      if (resize === undefined) return;
      const parse = parseSizes(listener);
      resize.on('data', (chunk: Buffer) => parse(chunk.toString()));
    },
    async finish(status) {
      const word = lastWord(status, protocol);
      const ending = [...streams.values()].map((stream) => {
        const ended = new Promise<void>((settle) => {
          stream.once('close', () => settle());
          stream.once('finish', () => settle());
        });
        if (stream === error && word !== '') stream.end(word);
        else stream.end();
        return ended;
      });
      await Promise.race([
        Promise.all(ending),
        new Promise<void>((settle) => gone.addEventListener('abort', () => settle())),
      ]);
      connection.close();
    },
  };
}

/** Before v4 a failure was told as text, success by silence. */
export function lastWord(status: Status, protocol: string): string {
  if (protocol.startsWith('v4.') || protocol.startsWith('v5.')) return JSON.stringify(status);
  return status.status === 'Success' ? '' : (status.message ?? 'command failed');
}
