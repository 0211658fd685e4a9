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
}

/** One connection's worth of an API server, in JSON. */
export function askOf({ host, port, caPem, certificatePem, keyPem, prefix = '' }: ServerAt) {
  const agent = new Agent({ keepAlive: true, maxSockets: 4, ca: caPem, cert: certificatePem, key: keyPem });
  const once = (method: string, path: string, body?: unknown): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', accept: 'application/json' };
      const sent = request({ host, port, method, path: prefix + path, agent, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          try {
            resolve({ code: response.statusCode!, body: JSON.parse(text) });
          } catch {
            resolve({ code: response.statusCode!, body: text });
          }
        });
      });
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  // A server may close an idle connection just when it is used again.
  const ask: typeof once = (...args) => once(...args).catch(() => once(...args));
  return { ask, close: () => agent.destroy() };
}

export type Ask = ReturnType<typeof askOf>['ask'];

/** What is wrong, one line a finding, sorted; other refusals in one line; none: []. */
export function findingsOf({ code, body }: Answer): string[] {
  if (code < 300) return [];
  const causes: { reason?: string; field?: string; message?: string }[] = body?.details?.causes ?? [];
  if (code !== 422) return [`${code} ${body?.reason ?? ''} ${body?.message ?? body}`];
  return causes.map(({ reason, field, message }) => `${reason} ${field}: ${message}`).sort();
}
