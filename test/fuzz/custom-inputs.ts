import { customGroup, customKinds, customObject, definition } from './custom-resources.ts';
import { patchBody } from './patches.ts';
import type { Random } from './random.ts';
import { accept, encoded, type Input, listParameters, query, writeParameters } from './request-parts.ts';
import { mutate, names } from './values.ts';

export function customDefinition(random: Random): Input {
  const object = definition(random);
  const name = random.pick(customKinds);
  const method = random.weighted([
    [6, 'POST'],
    [2, 'PUT'],
    [1, 'DELETE'],
    [1, 'PATCH'],
  ] as const);
  const body = encoded(random, object);
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  return {
    method,
    path: `${method === 'POST' ? path : `${path}/${name}.${customGroup}`}${query(random, writeParameters)}`,
    headers: { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : body.type },
    body: method === 'DELETE' ? undefined : body.bytes,
  };
}

export function customResource(random: Random): Input {
  const version = random.chance(0.9) ? 'v1' : 'v1beta1';
  const scope = random.chance(0.75) ? '/namespaces/default' : '';
  const plural = random.pick(customKinds);
  const collection = `/apis/${customGroup}/${version}${scope}/${plural}`;
  const object = customObject(random);
  if (random.chance(0.8)) {
    object.kind = plural[0]!.toUpperCase() + plural.slice(1, -1);
    object.apiVersion = `${customGroup}/${version}`;
  }
  const value = random.chance(0.3) ? mutate(random, object) : object;
  const name = random.pick(names);
  const sub = random.chance(0.15) ? random.pick(['/status', '/scale', '/x']) : '';
  const method = random.weighted([
    [6, 'POST'],
    [3, 'PUT'],
    [4, 'PATCH'],
    [2, 'GET'],
    [1, 'DELETE'],
  ] as const);
  if (method === 'PATCH') {
    const given = patchBody(random, value);
    return {
      method,
      path: `${collection}/${name}${sub}${query(random, [...writeParameters, 'force', 'fieldManager'])}`,
      headers: { 'content-type': given.type },
      body: Buffer.from(JSON.stringify(given.value) ?? ''),
    };
  }
  const body = encoded(random, value);
  const all = method === 'POST' || (method !== 'PUT' && random.chance(0.5));
  return {
    method,
    path: `${collection}${all ? '' : `/${name}${sub}`}${query(random, method === 'GET' ? listParameters : writeParameters)}`,
    headers: method === 'GET' ? { accept: accept(random) } : { 'content-type': body.type },
    body: method === 'GET' ? undefined : body.bytes,
  };
}
