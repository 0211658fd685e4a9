import { stringify as stringifyYaml } from 'yaml';
import { apiVersionOf } from '../../src/api/object.ts';
import { builtinResources } from '../../src/api/resources/index.ts';
import { expression } from './custom-resources.ts';
import { patchBody } from './patches.ts';
import type { Random } from './random.ts';
import {
  accept,
  encoded,
  type Input,
  listParameters,
  objectFor,
  place,
  query,
  resourceOf,
  textOf,
  watchParameters,
  writeParameters,
} from './request-parts.ts';
import { deleteOptions, subresourceTemplates, templates } from './templates.ts';
import { mutate, mutateBytes, names, oddStrings } from './values.ts';

export function write(random: Random): Input {
  const resource = resourceOf(random);
  const object = objectFor(random, resource);
  const { type, bytes } = encoded(random, object, resource);
  const replace = random.chance(0.3);
  const name = random.chance(0.9) ? object?.metadata?.name : random.pick(names);
  return {
    method: replace ? 'PUT' : 'POST',
    path:
      place(random, resource, replace ? textOf(name) : undefined, replace && random.chance(0.2) ? 'status' : '') +
      query(random, writeParameters),
    headers: { 'content-type': type },
    body: bytes,
  };
}

export function patch(random: Random): Input {
  const resource = resourceOf(random);
  const { type, value } = patchBody(random, objectFor(random, resource));
  const bytes = type.includes('yaml') && random.chance(0.5) ? yamlOf(value) : Buffer.from(JSON.stringify(value) ?? '');
  return {
    method: 'PATCH',
    path:
      place(random, resource, random.pick(names), random.chance(0.15) ? 'status' : '') +
      query(random, [
        ...writeParameters,
        'force',
        ...(type.includes('apply') ? ['fieldManager', 'fieldManager', 'fieldManager'] : []),
      ]),
    headers: { 'content-type': type },
    body: random.chance(0.1) ? mutateBytes(random, bytes) : bytes,
  };
}

function yamlOf(value: unknown): Buffer {
  try {
    return Buffer.from(stringifyYaml(value));
  } catch {
    return Buffer.from(JSON.stringify(value) ?? '');
  }
}

export function read(random: Random): Input {
  const resource = resourceOf(random);
  const one = random.chance(0.3);
  const watch = !one && random.chance(0.25);
  const parameters = query(random, watch ? watchParameters : listParameters);
  const path = place(random, resource, one ? random.pick(names) : undefined) + parameters;
  return {
    method: random.chance(0.97) ? 'GET' : 'HEAD',
    path: watch ? `${path}${parameters === '' ? '?' : '&'}watch=true` : path,
    headers: { accept: accept(random) },
    body: undefined,
  };
}

export function remove(random: Random): Input {
  const resource = resourceOf(random);
  const options = random.chance(0.5) ? mutate(random, structuredClone(deleteOptions)) : deleteOptions;
  const body = random.chance(0.5) ? encoded(random, options) : undefined;
  return {
    method: 'DELETE',
    path:
      place(random, resource, random.chance(0.8) ? random.pick(names) : undefined) +
      query(random, [
        'dryRun',
        'propagationPolicy',
        'gracePeriodSeconds',
        'labelSelector',
        'fieldSelector',
        'orphanDependents',
      ]),
    headers: body === undefined ? {} : { 'content-type': body.type },
    body: body?.bytes,
  };
}

export function subresource(random: Random): Input {
  const candidates = builtinResources.filter((resource) => resource.subresources.length > 0);
  const resource = random.pick(candidates);
  const { name } = random.pick(resource.subresources);
  const method = random.pick(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);
  const template = structuredClone(subresourceTemplates[name] ?? objectFor(random, resource));
  if (typeof template === 'object' && template !== null && random.chance(0.8)) {
    template.metadata = { name: random.pick(names) };
  }
  const value = random.chance(0.5) ? mutate(random, template) : template;
  const given = method === 'PATCH' ? patchBody(random, value) : undefined;
  const body =
    given === undefined
      ? encoded(random, value)
      : { type: given.type, bytes: Buffer.from(JSON.stringify(given.value) ?? '') };
  const rest = random.chance(0.2) ? `/${encodeURIComponent(random.pick(oddStrings).toWellFormed())}` : '';
  return {
    method,
    path: `${place(random, resource, random.pick(names), name)}${rest}${query(random, [...writeParameters, 'container', 'follow', 'tailLines', 'sinceSeconds', 'command', 'path', 'ports'])}`,
    headers: { 'content-type': body.type },
    body: method === 'GET' ? undefined : body.bytes,
  };
}

/** Expressions where only the API server compiles them: nothing of it is ever bound. */
export function celPolicy(random: Random): Input {
  const key = random.pick([
    'validatingadmissionpolicies.admissionregistration.k8s.io/v1',
    'mutatingadmissionpolicies.admissionregistration.k8s.io/v1',
    'resourceclaims.resource.k8s.io/v1',
  ]);
  const resource = builtinResources.find((one) => `${one.resource}.${one.group}/${one.version}` === key)!;
  const object = structuredClone(templates[key]);
  object.kind = resource.kind;
  object.apiVersion = apiVersionOf(resource);
  object.metadata = { name: random.pick(names) };
  const text = () =>
    expression(random, random.pick(['object', 'object.spec', 'oldObject', 'request', 'variables', 'params', 'device']));
  const visit = (value: any): void => {
    for (const [name, inner] of Object.entries(value)) {
      if (typeof inner === 'string' && /expression$/i.test(name) && random.chance(0.7)) value[name] = text();
      else if (typeof inner === 'object' && inner !== null) visit(inner);
    }
  };
  visit(object);
  const body = encoded(random, random.chance(0.2) ? mutate(random, object) : object, resource);
  return {
    method: 'POST',
    path: `${place(random, resource, undefined)}?dryRun=All`,
    headers: { 'content-type': body.type },
    body: body.bytes,
  };
}
