import { randomUUID } from 'node:crypto';
import type { CustomResourceDefinition } from '../../../api/generated/apiextensions-v1.ts';
import type { KubeObject } from '../../../api/object.ts';
import { LoopPace } from '../../pace.ts';
import { WebhookCallError, type WebhookClient, type WebhookTarget } from '../../webhooks/webhook-client.ts';
import { checkConverted, describeVersion, failed, withMetadataOf } from './converted-object.ts';

/** Brings objects of any version of one definition into another. The answer has one object for each, in order. */
export type Converter = (objects: KubeObject[], apiVersion: string) => Promise<KubeObject[]>;

const timeoutMs = 30_000;
/** What one call carries at most: upstream sends a list whole, but its lists are pages, and others wait for this process. */
const batchLimitBytes = 2 * 1024 * 1024;
/** Beside as much as was sent. */
const responseAllowanceBytes = 8 * 1024 * 1024;

/** Conversion by the definition's webhook. Source: apiextensions' conversion/webhook_converter.go. */
export function webhookConverter(
  crd: CustomResourceDefinition,
  tenant: string,
  client: WebhookClient | undefined,
): Converter {
  const { clientConfig, conversionReviewVersions = [] } = crd.spec.conversion?.webhook ?? {};
  const { service, url, caBundle } = clientConfig ?? {};
  const reviewVersion = conversionReviewVersions.find((version) => version === 'v1' || version === 'v1beta1');
  const target: WebhookTarget = {
    tenant,
    ...(service && { service }),
    ...(url && { url }),
    ...(caBundle && { caBundle }),
  };

  const callOnce = async (objects: KubeObject[], bytes: number, apiVersion: string): Promise<KubeObject[]> => {
    const of = describeVersion(objects[0]!);
    if (reviewVersion === undefined || client === undefined) throw failed('no supported conversion review versions');
    const uid = randomUUID();
    const body = {
      kind: 'ConversionReview',
      apiVersion: `apiextensions.k8s.io/${reviewVersion}`,
      request: { uid, desiredAPIVersion: apiVersion, objects },
    };
    let answer: any;
    try {
      answer = await client.post(target, body, { timeoutMs, responseLimitBytes: bytes + responseAllowanceBytes });
    } catch (error) {
      if (!(error instanceof WebhookCallError)) throw error;
      throw failed(`conversion webhook for ${of} failed: ${error.message}`);
    }
    const converted = convertedObjects(answer, uid, reviewVersion, of);
    if (converted.length !== objects.length) {
      throw failed(`conversion webhook for ${of} returned ${converted.length} objects, expected ${objects.length}`);
    }
    const pace = new LoopPace();
    const results: KubeObject[] = [];
    for (const [index, original] of objects.entries()) {
      const object = converted[index] as KubeObject;
      checkConverted(original, object, apiVersion, index);
      results.push(withMetadataOf(original, object));
      if (pace.isDue) await pace.rest();
    }
    return results;
  };

  return async (objects, apiVersion) => {
    const results = [...objects];
    let batch: number[] = [];
    let bytes = 0;
    const flush = async () => {
      if (batch.length === 0) return;
      const converted = await callOnce(
        batch.map((index) => withoutTenant(objects[index]!)),
        bytes,
        apiVersion,
      );
      batch.forEach((index, at) => {
        results[index] = withTenantOf(objects[index]!, converted[at]!);
      });
      batch = [];
      bytes = 0;
    };
    for (const [index, object] of objects.entries()) {
      if (object.apiVersion === apiVersion) continue;
      const size = JSON.stringify(object).length;
      if (bytes + size > batchLimitBytes) await flush();
      batch.push(index);
      bytes += size;
    }
    await flush();
    return results;
  };
}

function convertedObjects(answer: any, uid: string, version: string, of: string): unknown[] {
  const fail = (why: string) => failed(`conversion webhook for ${of} failed: ${why}`);
  const text = (value: unknown, field: string): string => {
    if (value === undefined || value === null) return '';
    if (typeof value !== 'string') throw fail(`${field} of the response is no string`);
    return value;
  };
  const response = answer?.response;
  if (version === 'v1') {
    const expected = 'apiextensions.k8s.io/v1, Kind=ConversionReview';
    const got = `${text(answer?.apiVersion, 'apiVersion')}, Kind=${text(answer?.kind, 'kind')}`;
    if (got !== expected) throw fail(`expected webhook response of ${expected}, got ${got}`);
  }
  if (typeof response !== 'object' || response === null) throw fail('no response provided');
  if (version === 'v1' && response.uid !== uid) {
    throw fail(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(text(response.uid, 'uid'))}`);
  }
  const status = text(response.result?.status, 'result.status');
  if (status !== 'Success') {
    const message = text(response.result?.message, 'result.message');
    throw fail(message !== '' ? message : `response.result.status was '${status}', not 'Success'`);
  }
  return Array.isArray(response.convertedObjects) ? response.convertedObjects : [];
}

function withoutTenant(object: KubeObject): KubeObject {
  if (object.metadata.clusterName === undefined) return object;
  const { clusterName: _clusterName, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function withTenantOf(original: KubeObject, converted: KubeObject): KubeObject {
  const { clusterName } = original.metadata;
  return clusterName === undefined ? converted : { ...converted, metadata: { ...converted.metadata, clusterName } };
}
