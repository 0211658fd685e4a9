import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';

export interface Credentials {
  ca: string;
  cert: string;
  key: string;
}

export async function openSession(url: string, credentials: Credentials): Promise<ClientHttp2Session> {
  const session = connect(url, { ...credentials, settings: { initialWindowSize: 4 * 1024 * 1024 } });
  session.on('error', () => {});
  session.setMaxListeners(0);
  await once(session, 'connect');
  return session;
}

/** Resolves with the status code and how many bytes the answer had, when all of it is here. */
export function send(
  session: ClientHttp2Session,
  method: string,
  path: string,
  body?: object,
): Promise<{ code: number; bytes: number }> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': method,
      ':path': path,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    });
    let code = 0;
    let bytes = 0;
    stream.on('response', (headers) => (code = Number(headers[':status'])));
    stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
    stream.on('end', () => resolve({ code, bytes }));
    stream.on('error', reject);
    stream.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
