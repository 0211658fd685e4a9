import { createServer } from 'node:https';
import { connect } from 'node:net';
import { CertificateAuthority } from '../../src/apiserver/identity/certificate-authority.ts';
import { listenLocally } from '../../src/base/testing/local-server.ts';
import { Random } from './random.ts';
import { mutate, mutateBytes, oddStrings, oddValue, words } from './values.ts';

/** A tenant's own server: webhooks, conversion, an API. What it says is sound, or nearly, or nothing of the kind. */
export interface TenantServer {
  port: number;
  /** Base64 of its certificate authority's PEM. */
  caBundle: string;
  /** Its answers follow from this and from what is asked, so that an input sees the same ones again. */
  turnTo(number: number): void;
  close(): Promise<void>;
}

export async function startTenantServer(name: string): Promise<TenantServer> {
  const authority = await CertificateAuthority.create();
  const { certificatePem, keyPem } = await authority.issueServing([name]);
  let random = new Random(0, 0);
  const server = createServer({ cert: certificatePem, key: keyPem }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      if (random.chance(0.03)) return void request.socket.destroy();
      const path = request.url!.split('?')[0]!;
      let text: Buffer;
      try {
        text = Buffer.from(JSON.stringify(answerTo(random, path, Buffer.concat(chunks).toString())) ?? '');
      } catch (error) {
        // What it is asked about may be nested deeper than this process can copy.
        if (!(error instanceof RangeError)) throw error;
        return void request.socket.destroy();
      }
      const bytes = random.chance(0.06) ? mutateBytes(random, text) : text;
      const code = random.chance(0.9) ? 200 : random.pick([204, 302, 400, 404, 500, 503]);
      const type = random.chance(0.95) ? 'application/json' : random.pick(['text/html', 'application/yaml', '', 'x']);
      response.writeHead(code, { 'content-type': type, ...(random.chance(0.05) && { warning: '299 - "x"' }) });
      response.end(bytes);
    });
  });
  server.on('tlsClientError', () => {});
  const port = await listenLocally(server);
  return {
    port,
    caBundle: Buffer.from(authority.certificatePem).toString('base64'),
    turnTo: (number) => (random = new Random(7, number)),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answerTo(random: Random, path: string, text: string): unknown {
  let asked: any;
  try {
    asked = JSON.parse(text);
  } catch {
    asked = {};
  }
  const answer = path.startsWith('/convert')
    ? conversion(random, asked)
    : /^\/(?:mutating|validating)/.test(path)
      ? review(random, asked, path.startsWith('/mutating'))
      : ownApi(random, path);
  return random.chance(0.3) ? mutate(random, answer) : answer;
}

function conversion(random: Random, { request = {} }: any): unknown {
  const { objects = [], desiredAPIVersion, uid } = request;
  const convertedObjects = objects.map((object: any) => {
    const converted = { ...object, apiVersion: desiredAPIVersion, moved: random.pick(words) };
    return random.chance(0.2) ? mutate(random, structuredClone(converted)) : converted;
  });
  const result = random.chance(0.9)
    ? { status: 'Success' }
    : { status: 'Failure', message: random.pick(oddStrings), reason: 'x' };
  return {
    kind: 'ConversionReview',
    apiVersion: 'apiextensions.k8s.io/v1',
    response: { uid, result, convertedObjects: random.chance(0.05) ? convertedObjects.slice(1) : convertedObjects },
  };
}

const pointers = [
  '/metadata/labels',
  '/metadata/annotations/a',
  '/spec',
  '/spec/containers/0/image',
  '/x',
  '',
  '/kind',
];

function review(random: Random, { request = {} }: any, isMutating: boolean): unknown {
  const patch = Array.from({ length: random.below(3) }, () => ({
    op: random.pick(['add', 'add', 'add', 'add', 'replace', 'remove', 'test', 'copy', 'x']),
    path: random.pick(pointers),
    from: random.pick(pointers),
    value: random.chance(0.6) ? random.pick([{ a: 'b' }, 'x', ['y'], 1]) : oddValue(random),
  }));
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    response: {
      uid: request.uid,
      allowed: random.chance(0.85),
      ...(random.chance(0.2) && {
        status: { code: random.pick([403, 0, 200, 999, -1]), message: random.pick(oddStrings) },
      }),
      ...(random.chance(0.3) && { warnings: [random.pick(oddStrings), random.pick(words)] }),
      ...(random.chance(0.3) && { auditAnnotations: { [random.pick(['a', 'a b', ''])]: random.pick(oddStrings) } }),
      ...(isMutating &&
        random.chance(0.5) && {
          patchType: random.pick(['JSONPatch', 'JSONPatch', 'JSONPatch', 'x']),
          patch: Buffer.from(JSON.stringify(random.chance(0.9) ? patch : oddValue(random)) ?? '').toString('base64'),
        }),
    },
  };
}

/** Discovery, documents and objects of an API behind ours. */
function ownApi(random: Random, path: string): unknown {
  const [, , group, version] = path.split('/');
  if (path.startsWith('/openapi')) {
    const schema = { type: 'object', properties: { a: { $ref: '#/components/schemas/a.b.C' } } };
    return {
      openapi: '3.0.0',
      swagger: '2.0',
      info: { title: 'x', version: '1' },
      paths: { [`/apis/${group}/v1/`]: { get: { operationId: 'x', responses: {} } } },
      components: { schemas: { 'a.b.C': schema } },
      definitions: { 'a.b.C': schema, [random.pick(oddStrings)]: oddValue(random) },
    };
  }
  if (path.split('/').length <= 4) {
    return {
      kind: 'APIResourceList',
      apiVersion: 'v1',
      groupVersion: `${group}/${version}`,
      resources: [
        { name: 'metrics', singularName: '', namespaced: true, kind: 'Metric', verbs: ['get', 'list'] },
        { name: 'metrics/status', namespaced: true, kind: 'Metric', verbs: ['get'] },
        random.chance(0.3) ? oddValue(random) : { name: random.pick(oddStrings), kind: random.pick(words), verbs: [] },
      ],
    };
  }
  return { kind: 'Metric', apiVersion: `${group}/${version}`, metadata: { name: 'x' }, a: oddValue(random) };
}

/** Connections to whatever port of a pod end here. */
export const dialTo = (port: number) =>
  new Promise<import('node:net').Socket>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.on('error', reject);
  });
