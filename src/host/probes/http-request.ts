import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import type { Container, HTTPGetAction } from '../../api/generated/core-v1.ts';

/** Opens a TCP connection into the pod's VPC. */
export type Connect = (address: string, port: number, timeoutMs: number) => Promise<Socket>;

/** A named port is looked up in the container's ports; throws with the kubelet's words. */
export function resolvePort(port: number | string, container: Container): number {
  let number = typeof port === 'number' ? port : Number(port);
  if (typeof port === 'string' && !Number.isInteger(number)) {
    const named = container.ports?.find(({ name }) => name === port);
    if (named === undefined) throw new Error(`couldn't find port: "${port}" in container: "${container.name}"`);
    number = named.containerPort;
  }
  if (number > 0 && number < 65_536) return number;
  throw new Error(`invalid port number: ${number}`);
}

export interface HttpAnswer {
  statusCode: number;
  headers: IncomingMessage['headers'];
  /** Up to 10 KiB of it. */
  body: string;
}

const LONGEST_BODY_BYTES = 10 * 1024;
const MOST_REDIRECTS = 10;

export interface HttpGet {
  action: HTTPGetAction;
  container: Container;
  podIp: string;
  /** `probe` or `lifecycle`: part of the User-Agent. */
  purpose: string;
  timeoutMs: number;
}

/** GET as the kubelet's: no certificate check, no keep-alive, redirects on the same host followed. */
export async function httpGet(
  get: HttpGet,
  connect: Connect,
): Promise<HttpAnswer & { url: string; redirected: boolean }> {
  const { action, container, podIp } = get;
  const scheme = (action.scheme ?? 'HTTP').toLowerCase();
  const host = action.host !== undefined && action.host !== '' ? action.host : podIp;
  const path = action.path ?? '';
  const authority = `${host.includes(':') ? `[${host}]` : host}:${resolvePort(action.port, container)}`;
  let url = new URL(`${scheme}://${authority}${path.startsWith('/') || path === '' ? path : `/${path}`}`);
  const deadline = performance.now() + get.timeoutMs;
  for (let hops = 0; ; hops++) {
    const remaining = deadline - performance.now();
    if (remaining <= 0) throw new Error(timeoutMessage(url));
    const answer = await getOnce(url, get, connect, remaining);
    const location = answer.headers.location;
    const isRedirect = [301, 302, 303, 307, 308].includes(answer.statusCode) && location !== undefined;
    if (!isRedirect) return { ...answer, url: url.href, redirected: false };
    const next = new URL(location, url);
    if (next.hostname !== url.hostname) return { ...answer, url: url.href, redirected: true };
    if (hops >= MOST_REDIRECTS - 1) throw new Error(`Get "${next.href}": stopped after 10 redirects`);
    url = next;
  }
}

const timeoutMessage = (url: URL) =>
  `Get "${url.href}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`;

async function getOnce(url: URL, get: HttpGet, connect: Connect, timeoutMs: number): Promise<HttpAnswer> {
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  const hostname = url.hostname.replace(/^\[|\]$/g, '');
  let socket: Socket;
  try {
    socket = await connect(hostname, port, timeoutMs);
  } catch (error) {
    throw new Error(`Get "${url.href}": ${dialError(error, hostname, port)}`);
  }
  return await new Promise<HttpAnswer>((resolve, reject) => {
    const stream = url.protocol === 'https:' ? tlsConnect({ socket, rejectUnauthorized: false }) : socket;
    let request: ClientRequest;
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      settle();
      stream.destroy();
      socket.destroy();
    };
    const fail = (message: string) => finish(() => reject(new Error(message)));
    const timer = setTimeout(() => fail(timeoutMessage(url)), timeoutMs);
    stream.on('error', (error) => fail(`Get "${url.href}": ${goErrorText(error)}`));
    try {
      request = httpRequest({
        createConnection: () => stream,
        method: 'GET',
        path: `${url.pathname}${url.search}`,
        headers: headersOf(get, url),
        setHost: false,
      });
    } catch (error) {
      return fail(`Get "${url.href}": ${(error as Error).message}`);
    }
    request.on('error', (error) => fail(`Get "${url.href}": ${goErrorText(error)}`));
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      const done = () =>
        finish(() =>
          resolve({
            statusCode: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).subarray(0, LONGEST_BODY_BYTES).toString(),
          }),
        );
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        length += chunk.length;
        if (length >= LONGEST_BODY_BYTES) done();
      });
      response.on('end', done);
      response.on('error', done);
    });
    request.end();
  });
}

function headersOf({ action, purpose }: HttpGet, url: URL): Record<string, string | string[]> {
  const headers: Record<string, string[]> = {};
  const names = new Map<string, string>();
  for (const { name, value } of action.httpHeaders ?? []) {
    const key = names.get(name.toLowerCase()) ?? name;
    names.set(name.toLowerCase(), key);
    (headers[key] ??= []).push(value);
  }
  const result: Record<string, string | string[]> = {};
  for (const [name, values] of Object.entries(headers)) result[name] = values.length === 1 ? values[0]! : values;
  if (!names.has('host')) result['Host'] = url.host;
  if (!names.has('user-agent')) result['User-Agent'] = `kube-${purpose}/1.36`;
  if (!names.has('accept')) result['Accept'] = '*/*';
  else if (result[names.get('accept')!] === '') delete result[names.get('accept')!];
  result['Connection'] = 'close';
  return result;
}

/** What Go's dialer says: tools and people search for these words. */
export function dialError(error: unknown, host: string, port: number): string {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ECONNREFUSED') return `dial tcp ${address}: connect: connection refused`;
  if (code === 'EHOSTUNREACH') return `dial tcp ${address}: connect: no route to host`;
  if (code === 'ENETUNREACH') return `dial tcp ${address}: connect: network is unreachable`;
  if (code === 'ETIMEDOUT' || /time/i.test((error as Error).message)) return `dial tcp ${address}: i/o timeout`;
  return `dial tcp ${address}: ${(error as Error).message}`;
}

function goErrorText(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code === 'ECONNRESET') return /hang up/.test(error.message) ? 'EOF' : 'read: connection reset by peer';
  if (code === 'EPROTO' || code.startsWith('ERR_SSL')) return 'http: server gave HTTP response to HTTPS client';
  if (code.startsWith('HPE_')) return `net/http: HTTP/1.x transport connection broken: malformed HTTP response`;
  return error.message;
}
