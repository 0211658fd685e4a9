import {
  bodyBytes,
  containersOf,
  core,
  filled,
  map,
  objectBytes,
  podOf,
  post,
  type StallCase,
  smallFields,
  times,
  yaml,
} from './requests.lib.ts';

/** What a body holds: many fields, deep ones, long lists. */
export const requestBodyCases: StallCase[] = [
  {
    name: 'plain: a secret of one 1.4 MiB value',
    requests: (round, namespace) => [
      post(core(namespace, 'configmaps'), map(`m-${round}`, `"a":"${'x'.repeat(objectBytes)}"`)),
    ],
  },
  {
    name: 'body: 1.4 MiB of small fields, kept',
    requests: (round, namespace) => [post(core(namespace, 'configmaps'), map(`m-${round}`, smallFields(objectBytes)))],
  },
  {
    name: 'body: 3 MiB of small fields',
    requests: (round, namespace) => [post(core(namespace, 'configmaps'), map(`m-${round}`, smallFields(bodyBytes)))],
  },
  {
    name: 'body: 3 MiB of unknown small fields in a pod',
    requests: (round, namespace) => [
      post(
        core(namespace, 'pods'),
        podOf(`m-${round}`, `${containersOf('"tty":true')},${smallFields(bodyBytes - 200)}`),
      ),
    ],
  },
  {
    name: 'body: 3 MiB of the same unknown field',
    requests: (round, namespace) => [
      post(
        `${core(namespace, 'pods')}?fieldValidation=Strict`,
        podOf(`m-${round}`, `${containersOf('"tty":true')},${filled(bodyBytes - 200, () => '"k":0')}`),
      ),
    ],
  },
  {
    name: 'body: 3 MiB that is no JSON at its end',
    requests: (round, namespace) => [
      post(core(namespace, 'configmaps'), `${map(`m-${round}`, smallFields(bodyBytes)).slice(0, -1)},}`),
    ],
  },
  {
    name: 'body: 3 MiB of brackets, 999 deep',
    requests: (round, namespace) => [
      post(
        core(namespace, 'configmaps'),
        map(
          `m-${round}`,
          filled(bodyBytes - 100, (index) => `"k${index}":${'['.repeat(990)}${']'.repeat(990)}`),
        ),
      ),
    ],
  },
  {
    name: 'body: 3 MiB of empty lists where a map is wanted',
    requests: (round, namespace) => [
      post(core(namespace, 'pods'), podOf(`m-${round}`, `"containers":[${filled(bodyBytes - 200, () => '[]')}]`)),
    ],
  },
  {
    name: 'yaml: 4 KiB of aliases, read inline',
    requests: (round, namespace) => [
      post(
        core(namespace, 'configmaps'),
        `metadata: {name: m-${round}}\nx: &x {a: b}\ny: &y [${filled(1900, () => '*x')}]\nz: [${filled(1900, () => '*y')}]`,
        yaml,
      ),
    ],
  },
  {
    name: 'yaml: 3 MiB of small fields',
    requests: (round, namespace) => [
      post(
        core(namespace, 'configmaps'),
        `metadata: {name: m-${round}}\ndata:\n${filled(bodyBytes - 100, (index) => ` k${index}: v`, '\n')}`,
        yaml,
      ),
    ],
  },
  {
    name: 'pod: 10,000s of containers',
    requests: (round, namespace) => [
      post(
        core(namespace, 'pods'),
        podOf(`m-${round}`, `"containers":[${filled(objectBytes, (index) => `{"name":"c${index}","image":"b"}`)}]`),
      ),
    ],
  },
  {
    name: 'pod: 10,000s of ports of one container',
    requests: (round, namespace) => [
      post(
        core(namespace, 'pods'),
        podOf(
          `m-${round}`,
          containersOf(`"ports":[${filled(objectBytes, (i) => `{"containerPort":${(i % 65535) + 1}}`)}]`),
        ),
      ),
    ],
  },
  {
    name: 'pod: 10,000s of ports that are all the same',
    requests: (round, namespace) => [
      post(
        core(namespace, 'pods'),
        podOf(`m-${round}`, containersOf(`"ports":[${filled(objectBytes, () => '{"containerPort":1}')}]`)),
      ),
    ],
  },
  {
    name: 'pod: 10,000s of volumes and mounts',
    requests: (round, namespace) => [
      post(
        core(namespace, 'pods'),
        podOf(
          `m-${round}`,
          `"volumes":[${times(14_000, (i) => `{"name":"v${i}","emptyDir":{}}`)}],${containersOf(
            `"volumeMounts":[${times(14_000, (i) => `{"name":"v${i}","mountPath":"/m${i}"}`)}]`,
          )}`,
        ),
      ),
    ],
  },
  {
    name: 'pod: 10,000s of environment variables that name one another',
    requests: (round, namespace) => [
      post(
        core(namespace, 'pods'),
        podOf(
          `m-${round}`,
          containersOf(`"env":[${filled(objectBytes, (i) => `{"name":"E${i}","value":"$(E${i - 1})"}`)}]`),
        ),
      ),
    ],
  },
  {
    name: 'labels: 32,000 bad ones',
    requests: (_round, namespace) => [
      post(
        core(namespace, 'configmaps'),
        `{"metadata":{"name":"l","labels":{${filled(bodyBytes - 200, (index) => `"!${index}":""`)}}}}`,
      ),
    ],
  },
  {
    name: 'labels: 32,000 good ones',
    requests: (round, namespace) => [
      post(
        core(namespace, 'configmaps'),
        `{"metadata":{"name":"l-${round}","labels":{${filled(objectBytes - 200, (index) => `"l${index}":""`)}}}}`,
      ),
    ],
  },
  {
    name: 'metadata: 1.4 MiB of finalizers and owners',
    requests: (round, namespace) => [
      post(
        core(namespace, 'configmaps'),
        `{"metadata":{"name":"l-${round}","finalizers":[${filled(objectBytes / 2, (index) => `"a.b/f${index}"`)}],"ownerReferences":[${filled(objectBytes / 2, (index) => `{"apiVersion":"v1","kind":"Pod","name":"p${index}","uid":"${index}"}`)}]}}`,
      ),
    ],
  },
  {
    name: 'selector: 1.4 MiB of match expressions in a deployment',
    requests: (round, namespace) => [
      post(
        `/apis/apps/v1/namespaces/${namespace}/deployments`,
        `{"metadata":{"name":"d-${round}"},"spec":{"selector":{"matchLabels":{"a":"b"},"matchExpressions":[${filled(objectBytes / 2, (i) => `{"key":"k${i}","operator":"DoesNotExist"}`)}]},"template":{"metadata":{"labels":{"a":"b"}},"spec":{${containersOf('"tty":true')}}}}}`,
      ),
    ],
  },
];
