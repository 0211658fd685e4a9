import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { internalError, StatusError } from '../../api/status.ts';

/** Answers an upgrade request that is not upgraded, and closes. */
export function refuseUpgrade(socket: Duplex, error: unknown, headers: Record<string, string> = {}): void {
  const status = toStatusError(error).toStatus();
  const body = Buffer.from(`${JSON.stringify(status)}\n`);
  const head = responseHead(status.code, {
    'Content-Type': 'application/json',
    'Content-Length': String(body.length),
    Connection: 'close',
    ...headers,
  });
  socket.on('error', () => {});
  socket.end(Buffer.concat([Buffer.from(head), body]));
}

export function responseHead(code: number, headers: Record<string, string>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? ''}\r\n${lines.join('')}\r\n`;
}

export const toStatusError = (error: unknown): StatusError =>
  error instanceof StatusError ? error : internalError((error as Error).message);
