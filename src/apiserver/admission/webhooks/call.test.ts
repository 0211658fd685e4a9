import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../../base/log.ts';
import type { AdmissionRequest } from '../admission.ts';
import { answerTo, callWebhook } from './call.ts';
import type { CompiledWebhook } from './compiled-webhook.ts';
import { requestedForm } from './forms.ts';
import { Patience } from './patience.ts';
import { InvalidReview, readReview } from './review.ts';
import { addWarning } from './warnings.ts';

const webhook = {
  name: 'a.example.com',
  allowsDryRun: false,
  reviewVersion: 'v1',
  timeoutMs: 10_000,
  target: { tenant: 'red' },
} as CompiledWebhook;

const requestWith = (more: Partial<AdmissionRequest> = {}) =>
  ({
    operation: 'CREATE',
    definition: { group: '', version: 'v1', resource: 'configmaps', kind: 'ConfigMap' },
    subresource: '',
    tenant: 'red',
    namespace: 'default',
    name: 'one',
    object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'one' } },
    identity: { name: 'alice', groups: [] },
    dryRun: false,
    warnings: [],
    ...more,
  }) as unknown as AdmissionRequest;

const ask = (request: AdmissionRequest, response: object, asked: { timeoutMs: number }[] = [], patience?: Patience) => {
  const client = {
    async post(_target: unknown, body: any, options: { timeoutMs: number }) {
      asked.push(options);
      return {
        kind: 'AdmissionReview',
        apiVersion: 'admission.k8s.io/v1',
        response: { uid: body.request.uid, ...response },
      };
    },
  };
  const states = { object: request.object, oldObject: undefined };
  return callWebhook(
    { client, patience: patience ?? new Patience() } as never,
    webhook,
    requestedForm(request),
    request,
    states,
    true,
  );
};

describe('calling one webhook', () => {
  it('notes what it says beside its decision', async () => {
    const request = requestWith();
    await ask(request, {
      allowed: true,
      warnings: ['mind\nthe gap', 'mind the gap', ''],
      auditAnnotations: { why: 'because' },
    });
    assert.deepEqual(request.warnings, ['mind the gap']);
    assert.deepEqual(request.auditAnnotations, { 'a.example.com/why': 'because' });
  });

  it('waits no longer than the request may', async () => {
    const asked: { timeoutMs: number }[] = [];
    const request = requestWith({ deadlineMs: performance.now() + 2000 });
    await ask(request, { allowed: true }, asked);
    assert.ok(asked[0]!.timeoutMs <= 2000);
    await assert.rejects(ask(requestWith({ deadlineMs: performance.now() - 1 }), { allowed: true }, asked), {
      code: 504,
      reason: 'Timeout',
      message: 'Timeout: request did not complete within requested timeout',
    });
    assert.equal(asked.length, 1);
  });

  it('is not made on a dry run that it would not survive', async () => {
    await assert.rejects(ask(requestWith({ dryRun: true }), { allowed: true }), {
      code: 400,
      message: 'admission webhook "a.example.com" does not support dry run',
    });
  });

  it('takes no patch that is nested too deeply', async () => {
    const deep = `[{"op":"add","path":"/a","value":${'['.repeat(100_000)}${']'.repeat(100_000)}}]`;
    const patch = Buffer.from(deep).toString('base64');
    await assert.rejects(ask(requestWith(), { allowed: true, patchType: 'JSONPatch', patch }), {
      message:
        'failed calling webhook "a.example.com": received undecodable patch in webhook response: json: exceeded max depth',
    });
  });

  it('takes a bad patch for a failed call', async () => {
    const failure = await ask(requestWith(), { allowed: true, patchType: 'JSONPatch', patch: 'eA==' }).catch(
      (error) => error,
    );
    assert.match(
      failure.message,
      /^failed calling webhook "a.example.com": received undecodable patch in webhook response: /,
    );
    const options = { logger: silentLogger } as never;
    assert.equal((answerTo(failure, webhook, options) as { code: number }).code, 500);
    assert.equal(answerTo(failure, { ...webhook, failsOpen: true }, options), undefined);
  });

  it('takes an answer of other types than an answer has for a failed call', async () => {
    const odd = { valueOf: 1, toString: null };
    const answers: [object, string][] = [
      [{ patch: 9, patchType: 'JSONPatch' }, 'response.patch is no string'],
      [{ patch: { length: 1 }, patchType: 'JSONPatch' }, 'response.patch is no string'],
      [{ patch: 'W10=', patchType: odd }, 'response.patchType is no string'],
      [{ allowed: false, status: { message: odd } }, 'response.status.message is no string'],
      [{ allowed: false, status: { reason: ['x'] } }, 'response.status.reason is no string'],
    ];
    for (const [answer, why] of answers) {
      const message = `failed calling webhook "a.example.com": received invalid webhook response: ${why}`;
      await assert.rejects(ask(requestWith(), { allowed: true, ...answer }), { message });
    }
    assert.throws(() => readReview({ kind: odd, response: { uid: 'u' } }, 'u', 'v1', true), InvalidReview);
    assert.throws(() => readReview({ apiVersion: odd, response: { uid: 'u' } }, 'u', 'v1', true), InvalidReview);
    const denied = ask(requestWith(), { allowed: false, status: { code: odd, message: 'no', details: [1] } });
    await assert.rejects(denied, { code: 400, message: 'admission webhook "a.example.com" denied the request: no' });
  });

  it('lets a slow tenant hold only a few of the platform’s workers', async () => {
    let nowMs = 0;
    const patience = new Patience({ limit: 3, limitWhenSlow: 1, now: () => nowMs });
    const all = [1, 2, 3].map(() => patience.begin('red')!);
    assert.equal(patience.begin('red'), undefined);
    assert.ok(patience.begin('blue'));
    const ofPlatform = requestWith({ identity: { name: 'x', groups: [], kind: 'platform' } });
    await assert.rejects(
      ask(ofPlatform, { allowed: true }, [], patience),
      /too many requests of the platform are waiting/,
    );
    await ask(requestWith(), { allowed: true }, [], patience);
    nowMs = 1500;
    for (const end of all) end();
    const only = patience.begin('red')!;
    assert.equal(patience.begin('red'), undefined, 'it was slow');
    only();
    nowMs += 61_000;
    assert.ok(patience.begin('red'));
    assert.ok(patience.begin('red'), 'that is forgotten');
  });

  it('passes on no more warnings than a header holds', () => {
    const warnings: string[] = [];
    for (let n = 0; n < 100; n++) addWarning(warnings, `${n} ${'x'.repeat(500)}`);
    assert.ok(warnings.join('').length <= 8 * 1024);
  });
});
