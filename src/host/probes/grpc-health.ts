import { connect as http2Connect } from 'node:http2';
import { type Connect, dialError } from './http-request.ts';

const statusNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const grpcCodes = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];

/** HealthCheckRequest{service = 1: string} in a gRPC frame. */
function requestFrame(service: string): Buffer {
  const name = Buffer.from(service);
  const length: number[] = [];
  for (let rest = name.length; ; rest >>>= 7) {
    if (rest < 0x80) {
      length.push(rest);
      break;
    }
    length.push((rest & 0x7f) | 0x80);
  }
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...length]), name]);
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** HealthCheckResponse{status = 1: enum}; an absent field is UNKNOWN. */
function statusIn(frame: Buffer): number {
  return frame.length >= 7 && frame[5] === 0x08 ? frame[6]! : 0;
}

/**
 * Asks grpc.health.v1.Health/Check without TLS (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
 * @returns what to report of a failure in the kubelet's words; undefined when it is SERVING.
 */
export async function grpcHealthCheck(
  connect: Connect,
  host: string,
  port: number,
  service: string,
  timeoutMs: number,
): Promise<string | undefined> {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const unreachable = (why: string) =>
    `timeout: failed to connect service "${address}" within ${timeoutMs / 1000}s: ${why}`;
  const began = performance.now();
  let socket: Awaited<ReturnType<Connect>>;
  try {
    socket = await connect(host, port, timeoutMs);
  } catch (error) {
    return unreachable(dialError(error, host, port));
  }
  return await new Promise((resolve) => {
    const session = http2Connect(`http://${address}`, { createConnection: () => socket });
    const finish = (result: string | undefined) => {
      clearTimeout(timer);
      session.destroy();
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(
      () => finish(`timeout: health rpc did not complete within ${timeoutMs / 1000}s`),
      Math.max(timeoutMs - (performance.now() - began), 1),
    );
    session.on('error', (error) => finish(unreachable(error.message)));
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'kube-probe/1.36',
    });
    const chunks: Buffer[] = [];
    let code: number | undefined;
    let message = '';
    const note = (headers: Record<string, unknown>) => {
      if (headers['grpc-status'] !== undefined) code = Number(headers['grpc-status']);
      if (headers['grpc-message'] !== undefined) message = decodeURIComponent(String(headers['grpc-message']));
    };
    stream.on('response', note);
    stream.on('trailers', note);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', (error) => finish(`error: health rpc probe failed: ${error.message}`));
    stream.on('end', () => {
      if (code === 12)
        finish(`error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${message}`);
      else if (code !== undefined && code !== 0) {
        finish(`error: health rpc probe failed: rpc error: code = ${grpcCodes[code] ?? code} desc = ${message}`);
      } else {
        const status = statusIn(Buffer.concat(chunks));
        finish(status === 1 ? undefined : `service unhealthy (responded with "${statusNames[status] ?? status}")`);
      }
    });
    stream.end(requestFrame(service));
  });
}
