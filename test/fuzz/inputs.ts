import { celPolicy, patch, read, remove, subresource, write } from './built-in-inputs.ts';
import { customDefinition, customResource } from './custom-inputs.ts';
import { asAnother, base, guarded, known, nodeWrite, remote, running } from './deep-inputs.ts';
import { boundPolicy, managedWrite, pathDefinition, protobufBody, watch, webhooks } from './odd-inputs.ts';
import { Random } from './random.ts';
import { rawInput } from './raw-inputs.ts';
import { accept, type Input, listParameters, place, query, resourceOf } from './request-parts.ts';
import { names, oddNumbers, oddStrings, oddValue, words } from './values.ts';

export function inputOf(seed: number, number: number): Input {
  const random = new Random(seed, number);
  let input: Input;
  try {
    input = make(random);
  } catch (error) {
    // Values nested so deeply that this process cannot copy them: written out by hand.
    if (!(error instanceof RangeError)) throw error;
    input = deep(random);
  }
  return odder(random, input);
}

function make(random: Random): Input {
  return random.weighted<() => Input>([
    [30, () => write(random)],
    [14, () => patch(random)],
    [14, () => read(random)],
    [4, () => remove(random)],
    [8, () => customDefinition(random)],
    [16, () => customResource(random)],
    [4, () => subresource(random)],
    [4, () => nowhere(random)],
    [0.5, () => deep(random)],
    [4, () => celPolicy(random)],
    [5, () => managedWrite(random)],
    [4, () => watch(random)],
    [3, () => webhooks(random)],
    [4, () => boundPolicy(random)],
    [4, () => protobufBody(random)],
    [3, () => pathDefinition(random)],
    [14, () => known(random)],
    [14, () => base(random)],
    [14, () => guarded(random)],
    [6, () => running(random)],
    [6, () => remote(random)],
    [2, () => nodeWrite(random)],
    [2, () => rawInput(random)],
  ])();
}

function deep(random: Random): Input {
  const depth = random.pick([100, 1000, 10_000, 100_000]);
  const form = random.pick(['{"a":', '[', '{"spec":', '- ', '{a: ', '[[']);
  const closing = form.startsWith('{') ? '}' : form === '[' ? ']' : form === '[[' ? ']]' : '';
  const kind = '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"fuzz-0"},"data":';
  const resource = resourceOf(random);
  return {
    method: random.pick(['POST', 'PUT', 'PATCH', 'DELETE']),
    path: place(random, resource, random.chance(0.5) ? random.pick(names) : undefined),
    headers: {
      'content-type': random.pick([
        'application/json',
        'application/yaml',
        'application/merge-patch+json',
        'application/strategic-merge-patch+json',
        'application/json-patch+json',
        'application/apply-patch+yaml',
      ]),
    },
    body: Buffer.from(`${kind}${form.repeat(depth)}1${closing.repeat(random.chance(0.8) ? depth : 1)}}`),
  };
}

const roots = [
  '/api',
  '/apis',
  '/api/v1',
  '/apis/apps',
  '/apis/apps/v1',
  '/version',
  '/healthz',
  '/livez',
  '/readyz',
  '/metrics',
  '/openapi/v2',
  '/openapi/v3',
  '/openapi/v3/apis/apps/v1',
  '/openid/v1/jwks',
  '/.well-known/openid-configuration',
  '/clusters',
  '/clusters/fuzz',
  '/clusters/*',
  '/clusters/other/api/v1/pods',
  '/api/v1/watch/pods',
  '/api/v1/namespaces/default/pods/fuzz-0/log',
  '/api/v1/proxy',
  '/',
];

function nowhere(random: Random): Input {
  let path = random.chance(0.5) ? random.pick(roots) : '';
  for (let count = random.below(5); count > 0; count--) {
    const segment = random.chance(0.6) ? random.pick(words) : random.pick(oddStrings);
    path += `/${random.chance(0.8) ? encodeURIComponent(segment.toWellFormed()) : segment.replace(/[^\x21-\x7e]|#/g, '')}`;
  }
  return {
    method: random.pick(['GET', 'GET', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD']),
    path:
      (path.startsWith('/') ? path : `/${path}`) +
      query(random, ['watch', 'verbose', 'exclude', 'timeout', 'hash', ...listParameters]),
    headers: { accept: accept(random) },
    body: random.chance(0.2) ? Buffer.from(JSON.stringify(oddValue(random)) ?? '') : undefined,
  };
}

/** What all later inputs need is not swept away. */
const keptCollections = /\/(customresourcedefinitions|clusterroles|clusterrolebindings|[a-z]*admissionpolicies)(\?|$)/;

/** Headers nobody asked for, and another tenant's door now and then. */
function odder(random: Random, input: Input): Input {
  const { headers } = input;
  if (input.method === 'RAW') return input;
  if (random.chance(0.05)) asAnother(random, input);
  // What would act on every later request is only tried.
  if (
    (input.method !== 'GET' && /webhookconfigurations|policybindings|apiservices/.test(input.path)) ||
    (input.method === 'DELETE' && keptCollections.test(input.path))
  ) {
    input.path += `${input.path.includes('?') ? '&' : '?'}dryRun=All`;
  }
  if (random.chance(0.06)) headers['accept'] ??= accept(random);
  if (random.chance(0.03)) {
    const name = random.pick([
      'impersonate-user',
      'impersonate-group',
      'impersonate-extra-a%2fb',
      'authorization',
      'audit-id',
      'user-agent',
      'accept-encoding',
      'x-forwarded-for',
      'content-type',
      'x-remote-user',
      'if-none-match',
      'traceparent',
    ]);
    const value = random.chance(0.5) ? random.pick(words) : String(random.pick([...oddStrings, ...oddNumbers]));
    headers[name] = value.replace(/[^\x20-\x7e]/g, '').trim();
  }
  if (random.chance(0.02))
    input.path = `/clusters/${random.pick(['fuzz', 'other', '*', '', '%2a', '..', 'system'])}${input.path}`;
  return input;
}
