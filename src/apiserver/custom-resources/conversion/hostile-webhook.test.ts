// A conversion webhook is a tenant's: an answer of any form is refused in words, and reaches nothing behind the conversion.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import type { CustomResourceDefinition } from '../../../api/generated/apiextensions-v1.ts';
import type { KubeObject } from '../../../api/object.ts';
import { StatusError } from '../../../api/status.ts';
import { until } from '../../../base/testing/until.ts';
import { conduct, startHostileServer } from '../../webhooks/testing/hostile-server.ts';
import { createWebhookClient, WebhookCallError, type WebhookClient } from '../../webhooks/webhook-client.ts';
import { webhookConverter } from './webhook-converter.ts';

type Json = any;

const original: KubeObject = {
  kind: 'Thing',
  apiVersion: 'example.com/v1',
  metadata: { name: 'one', namespace: 'default', uid: 'u-1' } as KubeObject['metadata'],
  spec: { a: 1 },
};
const converted = { ...original, apiVersion: 'example.com/v2' };
const crd = {
  spec: {
    conversion: { webhook: { conversionReviewVersions: ['v1'], clientConfig: { url: 'https://hook.example.com' } } },
  },
} as unknown as CustomResourceDefinition;

/** What comes of an answer. */
function convert(answer: (review: Json) => unknown): Promise<KubeObject[]> {
  const client = { post: async (_target: unknown, body: Json) => answer(body), close() {} };
  return webhookConverter(crd, 'red', client)([original], 'example.com/v2');
}
const review = (request: Json, response: object) => ({
  kind: 'ConversionReview',
  apiVersion: 'apiextensions.k8s.io/v1',
  response: { uid: request.request.uid, result: { status: 'Success' }, convertedObjects: [converted], ...response },
});
const withObject = (object: unknown) => convert((request) => review(request, { convertedObjects: [object] }));

/** Of every kind that JSON has. */
const oddities: unknown[] = [
  null,
  true,
  0,
  -1.5,
  '',
  'text',
  '__proto__',
  [],
  [null],
  [[]],
  {},
  { name: {} },
  { __proto__: null, a: [] },
];

async function mustBeRefused(promise: Promise<unknown>, what: string): Promise<void> {
  await promise.then(
    () => assert.fail(`${what} was taken`),
    (error) => {
      assert.ok(error instanceof StatusError, `${what}: ${error.stack}`);
      assert.equal(error.code, 500);
      assert.match(error.message, /^conversion webhook for example.com\/v1, Kind=Thing (failed|returned)/, what);
    },
  );
}

/** Taken or refused, but never an error of our own. */
async function mustBeJudged(promise: Promise<unknown>, what: string): Promise<void> {
  await promise.catch((error) => assert.ok(error instanceof StatusError, `${what}: ${error.stack}`));
}

describe('a conversion webhook that means harm', () => {
  it('is taken at its word where it is right', async () => {
    assert.deepEqual(await convert((request) => review(request, {})), [converted]);
  });

  it('may answer with anything that is no review', async () => {
    for (const odd of oddities) {
      const what = JSON.stringify(odd);
      await mustBeRefused(
        convert(() => odd),
        what,
      );
      await mustBeRefused(
        convert((request) => ({ ...review(request, {}), response: odd })),
        `response ${what}`,
      );
      await mustBeRefused(
        convert((request) => ({ ...review(request, {}), kind: odd })),
        `kind ${what}`,
      );
      await mustBeRefused(
        convert((request) => ({ ...review(request, {}), apiVersion: odd })),
        `apiVersion ${what}`,
      );
      for (const field of ['uid', 'result', 'convertedObjects']) {
        await mustBeRefused(
          convert((request) => review(request, { [field]: odd })),
          `${field} ${what}`,
        );
      }
      for (const field of ['status', 'message']) {
        const result = { status: 'Failure', [field]: odd };
        await mustBeRefused(
          convert((request) => review(request, { result })),
          `result.${field} ${what}`,
        );
      }
    }
  });

  it('may convert into anything that is no object', async () => {
    for (const odd of oddities) {
      const what = JSON.stringify(odd);
      await mustBeRefused(withObject(odd), what);
      for (const field of ['apiVersion', 'kind', 'metadata']) {
        await mustBeRefused(withObject({ ...converted, [field]: odd }), `${field} ${what}`);
      }
      for (const field of ['name', 'namespace', 'uid']) {
        const metadata = { ...converted.metadata, [field]: odd };
        await mustBeRefused(withObject({ ...converted, metadata }), `metadata.${field} ${what}`);
      }
      for (const field of ['labels', 'annotations']) {
        const metadata = { ...converted.metadata, [field]: odd };
        await mustBeJudged(withObject({ ...converted, metadata }), `metadata.${field} ${what}`);
        await mustBeJudged(
          withObject({ ...converted, metadata: { ...converted.metadata, [field]: { a: odd } } }),
          `metadata.${field}.a ${what}`,
        );
      }
    }
  });

  it('may not pass another object off as the one it was given', async () => {
    const { metadata } = converted;
    for (const [field, value] of [
      ['name', 'two'],
      ['namespace', 'kube-system'],
      ['uid', 'u-2'],
      ['uid', undefined],
    ] as const) {
      await mustBeRefused(withObject({ ...converted, metadata: { ...metadata, [field]: value } }), field);
    }
    const [kept] = await withObject({
      ...converted,
      metadata: { ...metadata, clusterName: 'blue', ownerReferences: [], deletionTimestamp: 'now', finalizers: ['x'] },
    });
    assert.deepEqual(kept!.metadata, metadata);
    await mustBeRefused(
      convert((request) => review(request, { convertedObjects: [converted, converted] })),
      'two for one',
    );
  });

  it('is heard of only so far', async () => {
    const long = 'x'.repeat(1024 * 1024);
    for (const ask of [
      () => convert((request) => review(request, { result: { status: 'Failure', message: long } })),
      () => convert((request) => review(request, { result: { status: long } })),
      () => convert((request) => review(request, { uid: long })),
      () => convert((request) => ({ ...review(request, {}), kind: long })),
      () => withObject({ ...converted, kind: long }),
      () => withObject({ ...converted, metadata: { ...converted.metadata, name: long } }),
      () => withObject({ ...converted, metadata: { ...converted.metadata, labels: { [long]: long } } }),
    ]) {
      const error = await ask().then(
        () => undefined,
        (failure) => failure as StatusError,
      );
      assert.ok(error instanceof StatusError);
      assert.ok(error.message.length < 10_000, `${error.message.length} characters`);
    }
  });

  it('fails with its connection, whatever becomes of that', async () => {
    const server = await startHostileServer('hook.shop.svc', () => '{}');
    const client = createWebhookClient({ dialService: async () => connect(server.port, '127.0.0.1') });
    const clientConfig = { service: { namespace: 'shop', name: 'hook' }, caBundle: server.caBundle };
    try {
      for (const [path, [, why]] of Object.entries(conduct)) {
        const service = { ...clientConfig.service, path };
        const webhook = { conversionReviewVersions: ['v1'], clientConfig: { ...clientConfig, service } };
        const ofPath = { spec: { conversion: { webhook } } } as unknown as CustomResourceDefinition;
        const isFlood = /endless|deep/.test(path);
        const impatient: WebhookClient = {
          post: (target, body, options) => client.post(target, body, { ...options, timeoutMs: isFlood ? 20_000 : 200 }),
          close() {},
        };
        await assert.rejects(
          webhookConverter(ofPath, 'red', impatient)([original], 'example.com/v2'),
          (error: StatusError) => {
            assert.equal(error.code, 500, path);
            const prefix = 'conversion webhook for example.com/v1, Kind=Thing failed: ';
            assert.ok(error.message.startsWith(prefix) && why.test(error.message.slice(prefix.length)), error.message);
            return true;
          },
        );
      }
      await until(() => server.connections() === 0);
    } finally {
      client.close();
      await server.close();
    }
  });

  it('fails with the words of its call', async () => {
    await mustBeRefused(
      convert(() => {
        throw new WebhookCallError('Post "https://hook.example.com": EOF');
      }),
      'EOF',
    );
  });
});
