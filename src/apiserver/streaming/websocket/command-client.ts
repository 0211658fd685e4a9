import type { WebSocket } from 'ws';
import type { CommandClient } from '../run-command.ts';
import { lastWord } from '../spdy/command-client.ts';
import type { CommandTarget } from '../target.ts';
import { parseSizes } from '../terminal-size.ts';
import { ChannelSocket } from './channels.ts';

/** Newest first. v5 added closing a stream, which v4 cannot. None at all is taken as `channel.k8s.io`. */
export const commandSubprotocols = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
];

const stdinChannel = 0;
const stdoutChannel = 1;
const stderrChannel = 2;
const errorChannel = 3;
const resizeChannel = 4;
const closeChannel = 255;

export function webSocketCommandClient(
  socket: WebSocket,
  protocol: string,
  options: CommandTarget['options'],
): CommandClient {
  const channels = new ChannelSocket(socket, protocol.includes('base64'));
  const stderr = options.stderr && !options.tty;
  const client: CommandClient = {
    ...(options.stdin && { stdin: channels.readable(stdinChannel) }),
    ...(options.stdout && { stdout: channels.writable(stdoutChannel) }),
    ...(stderr && { stderr: channels.writable(stderrChannel) }),
    gone: channels.gone,
    onResize: (listener) => {
      const parse = parseSizes(listener);
      channels.onMessage(resizeChannel, (payload) => parse(payload.toString()));
    },
    finish: (status) =>
      new Promise((resolve) => {
        channels.gone.addEventListener('abort', () => resolve());
        const word = lastWord(status, protocol);
        if (word !== '') channels.send(errorChannel, Buffer.from(word), () => resolve());
        else resolve();
        channels.close();
      }),
  };
  if (protocol === 'v5.channel.k8s.io') {
    channels.onMessage(closeChannel, (payload) => {
      if (payload[0] === stdinChannel) channels.endReading(stdinChannel);
    });
  }
  // Upstream greets so on the first channel it may write to; some clients wait for it.
  channels.send(options.stdout ? stdoutChannel : stderr ? stderrChannel : errorChannel, Buffer.alloc(0));
  return client;
}
