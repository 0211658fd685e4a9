import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { CertificateAuthority } from '../../../../../src/apiserver/identity/certificate-authority.ts';

export interface Reply {
  /** Of the AdmissionReview; the request's uid is set where it has none. */
  response?: Record<string, unknown> | undefined;
  kind?: string;
  apiVersion?: string;
  /** Instead of a review. */
  text?: string;
  status?: number;
  headers?: Record<string, string>;
  delayMs?: number;
  hangUp?: boolean;
}

/** One webhook for both servers: `/SIDE/PATH` is answered by the reply of PATH, and kept under SIDE. */
export async function startWebhook() {
  const authority = await CertificateAuthority.create('webhook-ca');
  const { certificatePem: cert, keyPem: key } = await authority.issueServing(['127.0.0.1']);
  const replies = new Map<string, Reply>();
  const seen = new Map<string, { path: string; review: any }[]>();
  const server = createServer({ cert, key }, async (request, response) => {
    const [, side, path] = new URL(request.url!, 'https://x').pathname.split('/') as [string, string, string];
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    // What follows a redirection has no body.
    const review = text === '' ? undefined : JSON.parse(text);
    seen.set(side, [...(seen.get(side) ?? []), { path, review }]);
    const reply = (review && replies.get(path)) ?? { status: 404, text: 'nothing here' };
    if (reply.hangUp) return void request.socket.destroy();
    if (reply.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, reply.delayMs));
    const answer = {
      kind: reply.kind ?? 'AdmissionReview',
      apiVersion: reply.apiVersion ?? review?.apiVersion,
      ...(reply.response !== undefined && { response: { uid: review?.request.uid, ...reply.response } }),
    };
    response.writeHead(reply.status ?? 200, { 'content-type': 'application/json', ...reply.headers });
    response.end(reply.text ?? JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    replies,
    seen,
    caBundle: Buffer.from(authority.certificatePem).toString('base64'),
    url: (side: string, path: string) => `https://127.0.0.1:${port}/${side}/${path}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
