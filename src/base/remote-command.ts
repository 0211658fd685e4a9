/**
 * The framing of exec, attach and port-forward between the API server and a host's streaming server: WebSocket
 * (subprotocol `remote-command.skypod.io`), binary messages of one channel byte and a payload. The same numbers as
 * Kubernetes' `v5.channel.k8s.io`, so a trace reads the same on both sides of the API server.
 *
 * exec, attach: the API server sends stdin, resize and closeStream; the host sends stdout, stderr, closeStream and, last,
 * exactly one status, after which it closes the WebSocket with 1000.
 * port-forward and dial: one WebSocket a connection; bytes go on stdin towards the pod and on stdout from it; closeStream
 * half-closes; a status says why connecting failed.
 */
export const REMOTE_COMMAND_PROTOCOL = 'remote-command.skypod.io';

export const channels = {
  stdin: 0,
  stdout: 1,
  stderr: 2,
  /** JSON of RemoteExit. */
  status: 3,
  /** JSON `{"Width":80,"Height":24}`, as Kubernetes' resize channel. */
  resize: 4,
  /** One byte: the channel that carries nothing more. */
  closeStream: 255,
} as const;

export type DataChannel = 'stdin' | 'stdout' | 'stderr';

/** How a command ended, or why it could not be run. */
export type RemoteExit =
  /** The command ran and left with this code (128 + signal when killed). */
  | { type: 'exited'; exitCode: number }
  /** It never ran, or the connection to it was lost; `code` and `reason` as in metav1.Status. */
  | { type: 'failed'; code: number; reason: string; message: string };

export type RemoteFrame =
  | { type: DataChannel; data: Uint8Array }
  | { type: 'status'; exit: RemoteExit }
  | { type: 'resize'; width: number; height: number }
  | { type: 'closeStream'; channel: DataChannel };

export class RemoteFrameError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RemoteFrameError';
  }
}

/** Payloads are cut to this size by senders, so that one stream does not block the others for long. */
export const MAX_PAYLOAD_BYTES = 32 * 1024;

export function encodeRemoteFrame(frame: RemoteFrame): Buffer {
  switch (frame.type) {
    case 'status':
      return withChannel(channels.status, Buffer.from(JSON.stringify(frame.exit)));
    case 'resize':
      return withChannel(channels.resize, Buffer.from(JSON.stringify({ Width: frame.width, Height: frame.height })));
    case 'closeStream':
      return Buffer.from([channels.closeStream, channels[frame.channel]]);
    default:
      return withChannel(channels[frame.type], frame.data);
  }
}

/** Throws RemoteFrameError for what no sender may send. Data payloads are views into `message`, not copies. */
export function decodeRemoteFrame(message: Uint8Array): RemoteFrame {
  if (message.length === 0) throw new RemoteFrameError('an empty message has no channel');
  const payload = message.subarray(1);
  switch (message[0]) {
    case channels.stdin:
      return { type: 'stdin', data: payload };
    case channels.stdout:
      return { type: 'stdout', data: payload };
    case channels.stderr:
      return { type: 'stderr', data: payload };
    case channels.status:
      return { type: 'status', exit: decodeExit(parseJson(payload, 'status')) };
    case channels.resize:
      return decodeResize(parseJson(payload, 'resize'));
    case channels.closeStream:
      return { type: 'closeStream', channel: decodeDataChannel(payload) };
    default:
      throw new RemoteFrameError(`unknown channel ${message[0]}`);
  }
}

function withChannel(channel: number, payload: Uint8Array): Buffer {
  const message = Buffer.allocUnsafe(payload.length + 1);
  message[0] = channel;
  message.set(payload, 1);
  return message;
}

function parseJson(payload: Uint8Array, channel: string): unknown {
  try {
    return JSON.parse(Buffer.from(payload).toString());
  } catch {
    throw new RemoteFrameError(`the ${channel} channel carries no JSON`);
  }
}

function decodeExit(value: unknown): RemoteExit {
  const exit = value as Partial<Record<string, unknown>> | null;
  if (exit?.type === 'exited' && Number.isInteger(exit.exitCode)) {
    return { type: 'exited', exitCode: exit.exitCode as number };
  }
  if (exit?.type === 'failed' && typeof exit.message === 'string') {
    return { type: 'failed', code: Number(exit.code ?? 500), reason: String(exit.reason ?? ''), message: exit.message };
  }
  throw new RemoteFrameError('the status channel carries no exit');
}

function decodeResize(value: unknown): RemoteFrame {
  const size = value as { Width?: unknown; Height?: unknown } | null;
  if (!isTerminalSize(size?.Width) || !isTerminalSize(size?.Height)) {
    throw new RemoteFrameError('the resize channel carries no size');
  }
  return { type: 'resize', width: size.Width, height: size.Height };
}

const isTerminalSize = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535;

function decodeDataChannel(payload: Uint8Array): DataChannel {
  for (const channel of ['stdin', 'stdout', 'stderr'] as const) {
    if (payload.length === 1 && payload[0] === channels[channel]) return channel;
  }
  throw new RemoteFrameError('closeStream names no data channel');
}
