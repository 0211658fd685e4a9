import { Agent, request } from 'node:https';

export interface ServerAt {
  host: string;
  port: number;
  caPem: string;
  certificatePem: string;
  keyPem: string;
  /** `/clusters/TENANT` or nothing. */
  prefix?: string;
}

export interface Answer {
  code: number;
  body: any;
  /** The texts of its Warning headers, in order. */
  warnings: string[];
}

/** One connection's worth of an API server. A body that is a string goes out as it stands. */
export function askOf({ host, port, caPem, certificatePem, keyPem, prefix = '' }: ServerAt) {
  const agent = new Agent({ keepAlive: true, maxSockets: 4, ca: caPem, cert: certificatePem, key: keyPem });
  const once = (
    method: string,
    path: string,
    body?: unknown,
    contentType = 'application/json',
    more: Record<string, string> = {},
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
      const headers = {
        'content-type': contentType,
        accept: 'application/json',
        // Node sends none with DELETE, and the body would be taken for the next request.
        ...(text !== undefined && { 'content-length': String(Buffer.byteLength(text)) }),
        ...more,
      };
      const sent = request({ host, port, method, path: prefix + path, agent, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const answer = { code: response.statusCode!, warnings: warningsOf(response.rawHeaders) };
          try {
            resolve({ ...answer, body: JSON.parse(text) });
          } catch {
            resolve({ ...answer, body: text });
          }
        });
      });
      sent.on('error', reject);
      sent.end(text);
    });
  // A server may close an idle connection just when it is used again.
  const ask: typeof once = (...args) => once(...args).catch(() => once(...args));
  return { ask, close: () => agent.destroy() };
}

/** `299 - "text"` each. */
function warningsOf(rawHeaders: string[]): string[] {
  const warnings: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() !== 'warning') continue;
    for (const [, text] of rawHeaders[i + 1]!.matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)) {
      warnings.push(text!.replace(/\\(.)/g, '$1'));
    }
  }
  return warnings;
}

export type Ask = ReturnType<typeof askOf>['ask'];

/** What is wrong, one line a finding, sorted; other refusals in one line; none: []. */
export function findingsOf({ code, body }: Pick<Answer, 'code' | 'body'>): string[] {
  if (code < 300) return [];
  const causes: { reason?: string; field?: string; message?: string }[] = body?.details?.causes ?? [];
  if (code !== 422) return [`${code} ${body?.reason ?? ''} ${body?.message ?? body}`];
  return causes.map(({ reason, field, message }) => `${reason} ${field}: ${message}`).sort();
}
