import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { until } from '../../base/testing/until.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { CertificateAuthority } from '../identity/certificate-authority.ts';
import type { RequestContext } from '../request-context.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { listen } from './listener.ts';

describe('requests over HTTP/2', () => {
  let server: TestServer;
  let session: ClientHttp2Session;
  const path = '/api/v1/namespaces/default/configmaps';

  before(async () => {
    server = await startTestServer(openMemoryStore(), { tenants: ['a'] });
    const { port } = await server.server.listen({ host: '127.0.0.1', port: 0 });
    const user = await server.authority.issueTenantUser('a', 'admin', ['system:masters']);
    const access = { ca: server.authority.certificatePem, cert: user.certificatePem, key: user.keyPem };
    session = connect(`https://127.0.0.1:${port}`, access);
    await once(session, 'connect');
  });
  after(async () => {
    session.destroy();
    await server.close();
  });

  async function read(
    stream: ClientHttp2Stream,
  ): Promise<{ code: number; headers: OutgoingHttpHeaders; text: string }> {
    const [headers] = await once(stream, 'response');
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    return { code: headers[':status'], headers, text: Buffer.concat(chunks).toString() };
  }

  test('a body without any data that ends after its head', async () => {
    for (const method of ['DELETE', 'POST', 'PUT', 'PATCH']) {
      const name = method === 'POST' ? '' : '/none';
      const stream = session.request({ ':method': method, ':path': path + name }, { endStream: false });
      stream.end();
      const { code } = await read(stream);
      assert.ok(code >= 400 && code < 500, `${method}: ${code}`);
    }
  });

  test('an answer to HEAD has no body', async () => {
    const { code, headers, text } = await read(session.request({ ':method': 'HEAD', ':path': path }));
    assert.deepEqual([code, text], [405, '']);
    assert.ok(Number(headers['content-length']) > 0);
  });

  test('who expects to be told to go on is told', async () => {
    const body = JSON.stringify({ metadata: { name: 'expected' } });
    const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/json', expect: '100-continue' };
    const stream = session.request(headers, { endStream: false });
    await once(stream, 'continue');
    stream.end(body);
    assert.equal((await read(stream)).code, 201);
  });

  test('who leaves in the middle of a body, or before the answer, leaves nothing behind', async () => {
    const half = session.request({ ':method': 'POST', ':path': path, 'content-length': 100 }, { endStream: false });
    half.on('error', () => {});
    half.write('{"metadata"');
    await new Promise(setImmediate);
    half.close(constants.NGHTTP2_CANCEL);
    for (let index = 0; index < 20; index++) {
      const gone = session.request({ ':path': path });
      gone.on('error', () => {});
      gone.close(constants.NGHTTP2_CANCEL);
    }
    await until(async () => {
      const { text } = await read(session.request({ ':path': '/metrics' }));
      const counts = [...text.matchAll(/^apiserver_current_inflight_requests\b.* (\d+)$/gm)].map(([, count]) =>
        Number(count),
      );
      assert.ok(counts.length > 0);
      // The question itself is one of them.
      return counts.reduce((sum, count) => sum + count, 0) <= 1;
    });
    assert.equal((await read(session.request({ ':path': path }))).code, 200);
  });
});

test('a request is given up when its client leaves before the answer, not when the answer is out', async () => {
  const authority = await CertificateAuthority.create('test');
  const serving = await authority.issueServing(['127.0.0.1']);
  const asked = new Map<string, RequestContext>();
  const listener = await listen(
    { host: '127.0.0.1', port: 0 },
    {
      servingCertificatePem: serving.certificatePem,
      servingKeyPem: serving.keyPem,
      caPem: authority.certificatePem,
      clock: systemClock,
      logger: silentLogger,
      handler: async (context) => {
        asked.set(context.info.path, context);
        if (context.info.path === '/never')
          await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
        await context.readBody();
        return { type: 'object', code: 200, object: {} };
      },
    },
  );
  const session = connect(`https://127.0.0.1:${listener.address().port}`, { ca: authority.certificatePem });
  try {
    const answered = session.request({ ':method': 'POST', ':path': '/answered' }, { endStream: false });
    answered.end('{}');
    answered.resume();
    await once(answered, 'close');
    const left = session.request({ ':path': '/never' });
    left.on('error', () => {});
    await until(() => asked.has('/never'));
    left.close(constants.NGHTTP2_CANCEL);
    await until(() => asked.get('/never')!.signal.aborted);
    assert.equal(asked.get('/answered')!.signal.aborted, false);
  } finally {
    session.destroy();
    await listener.close();
  }
});
