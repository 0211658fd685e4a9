import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { PemPair } from '../identity/certificate-authority.ts';

export interface Called {
  code: number;
  headers: Record<string, string | string[] | undefined>;
  bytes: Buffer;
  text: string;
  /** Undefined unless the answer says it is JSON. */
  json: any;
}

export type ApiCaller = (
  method: string,
  path: string,
  options?: { body?: string | Buffer | object; headers?: Record<string, string>; as?: PemPair; signal?: AbortSignal },
) => Promise<Called>;

/** A plain HTTPS client of a test's API server. */
export function apiCaller(port: number, caPem: string, who: PemPair | undefined): ApiCaller {
  return (method, path, { body, headers = {}, as = who, signal } = {}) => {
    const isText = body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
    const sent = isText ? body : JSON.stringify(body);
    const options: RequestOptions = {
      host: '127.0.0.1',
      port,
      method,
      path,
      ca: caPem,
      cert: as?.certificatePem,
      key: as?.keyPem,
      agent: false,
      ...(signal !== undefined && { signal }),
      headers: {
        ...(!isText && { 'content-type': 'application/json' }),
        ...(sent !== undefined && { 'content-length': String(Buffer.byteLength(sent)) }),
        ...headers,
      },
    };
    return new Promise((resolve, reject) => {
      const outgoing = httpsRequest(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(chunks);
          const isJson = String(response.headers['content-type'] ?? '').startsWith('application/json');
          const text = bytes.toString();
          try {
            const json = isJson && text !== '' ? JSON.parse(text) : undefined;
            resolve({ code: response.statusCode!, headers: response.headers, bytes, text, json });
          } catch (error) {
            reject(error);
          }
        });
      });
      outgoing.on('error', reject);
      outgoing.end(sent);
    });
  };
}
