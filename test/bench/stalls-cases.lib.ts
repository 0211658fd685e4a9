/** The dearest requests a tenant can send, at the limits the server allows. */

export interface Asked {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

export type Ask = (asked: Asked) => Promise<{ code: number; text: string }>;

export interface StallCase {
  name: string;
  /** Makes what is there already when the requests come; `namespace` is the case's own. */
  prepare?(ask: Ask, namespace: string): Promise<void>;
  requests(round: number, namespace: string): Asked[];
  cleanUp?(ask: Ask, namespace: string): Promise<void>;
}

/** A body may be so long, and an object half of it. */
export const bodyBytes = 3 * 1024 * 1024 - 1024;
export const objectBytes = 1.4 * 1024 * 1024;

const json = 'application/json';
const yaml = 'application/yaml';
const jsonPatch = 'application/json-patch+json';
const mergePatch = 'application/merge-patch+json';
const strategicPatch = 'application/strategic-merge-patch+json';
const applyPatch = 'application/apply-patch+yaml';

const core = (namespace: string, resource: string) => `/api/v1/namespaces/${namespace}/${resource}`;
const cluster = (group: string, resource: string) => `/apis/${group}/${resource}`;
const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
/** As many of `make` as fit. */
export function filled(bytes: number, make: (index: number) => string, separator = ','): string {
  const parts: string[] = [];
  for (let size = 0, index = 0; ; index++) {
    const part = make(index);
    size += part.length + separator.length;
    if (size > bytes) return parts.join(separator);
    parts.push(part);
  }
}

const post = (path: string, body: unknown, contentType = json): Asked => ({
  method: 'POST',
  path,
  body: typeof body === 'string' ? body : JSON.stringify(body),
  headers: { 'content-type': contentType },
});
const patch = (path: string, body: unknown, contentType: string): Asked => ({
  ...post(path, body, contentType),
  method: 'PATCH',
});
const get = (path: string, headers: Record<string, string> = {}): Asked => ({ method: 'GET', path, headers });

const map = (name: string, data: string) =>
  `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"${name}"},"data":{${data}}}`;
const smallFields = (bytes: number) => filled(bytes, (index) => `"k${index}":"v"`);

const podOf = (name: string, spec: string) =>
  `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"${name}"},"spec":{${spec}}}`;
const containersOf = (inside: string) => `"containers":[{"name":"a","image":"b",${inside}}]`;

/** A custom resource of one's own: `schema` is that of `spec`. */
function custom(kind: string, schema: unknown, more: object = {}) {
  const plural = `${kind.toLowerCase()}s`;
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.stalls.example.com` },
    spec: {
      group: 'stalls.example.com',
      scope: 'Namespaced',
      names: { plural, kind },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: { type: 'object', properties: { spec: schema } },
          },
          ...more,
        },
      ],
    },
  };
  const path = (namespace: string) => `/apis/stalls.example.com/v1/namespaces/${namespace}/${plural}`;
  const object = (name: string, spec: string) =>
    `{"apiVersion":"stalls.example.com/v1","kind":"${kind}","metadata":{"name":"${name}"},"spec":${spec}}`;
  return {
    path,
    object,
    definition,
    async define(ask: Ask) {
      await must(ask, post(definitions, definition));
      for (let tries = 0; tries < 500; tries++) {
        if ((await ask(get(path('default')))).code === 200) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw new Error(`${plural} are not served`);
    },
    async forget(ask: Ask) {
      await ask({ method: 'DELETE', path: `${definitions}/${plural}.stalls.example.com` });
    },
  };
}
const definitions = cluster('apiextensions.k8s.io/v1', 'customresourcedefinitions');

async function must(ask: Ask, asked: Asked): Promise<void> {
  const { code, text } = await ask(asked);
  if (code >= 300) throw new Error(`${asked.method} ${asked.path}: ${code} ${text.slice(0, 500)}`);
}

/** Objects of a custom resource against a schema that is dear to check. */
function customCase(
  name: string,
  kind: string,
  schema: unknown,
  spec: (round: number) => string,
  more: object = {},
): StallCase {
  const made = custom(kind, schema, more);
  return {
    name,
    prepare: (ask) => made.define(ask),
    requests: (round, namespace) => [post(made.path(namespace), made.object(`o-${round}`, spec(round)))],
    cleanUp: (ask) => made.forget(ask),
  };
}

const listOf = (items: unknown, more: object = {}) => ({
  type: 'object',
  properties: { list: { type: 'array', items, ...more } },
});
const longList = (make: (index: number) => string, bytes = objectBytes) => `{"list":[${filled(bytes, make)}]}`;

const policies = cluster('admissionregistration.k8s.io/v1', 'validatingadmissionpolicies');
const bindings = cluster('admissionregistration.k8s.io/v1', 'validatingadmissionpolicybindings');
const onMaps = {
  resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['configmaps'] }],
};

function policyCase(name: string, count: number, bindingsEach: number, expressions: string[], body: string): StallCase {
  return {
    name,
    async prepare(ask, namespace) {
      for (let index = 0; index < count; index++) {
        const policy = `p${index}`;
        const validations = expressions.map((expression) => ({ expression }));
        const spec = { failurePolicy: 'Ignore', matchConstraints: onMaps, validations };
        await must(ask, post(policies, { metadata: { name: policy }, spec }));
        const matchResources = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } };
        for (let binding = 0; binding < bindingsEach; binding++) {
          const bound = { policyName: policy, validationActions: ['Audit'], matchResources };
          await must(ask, post(bindings, { metadata: { name: `${policy}-${binding}` }, spec: bound }));
        }
      }
    },
    requests: (round, namespace) => [post(core(namespace, 'configmaps'), map(`m-${round}`, body))],
    async cleanUp(ask) {
      await ask({ method: 'DELETE', path: bindings });
      await ask({ method: 'DELETE', path: policies });
    },
  };
}

export const stallCases: StallCase[] = [
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
    name: 'labels: 3 MiB of bad ones',
    requests: (_round, namespace) => [
      post(
        core(namespace, 'configmaps'),
        `{"metadata":{"name":"l","labels":{${filled(bodyBytes - 200, (index) => `"!${index}":""`)}}}}`,
      ),
    ],
  },
  {
    name: 'labels: 1.4 MiB of good ones',
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
  {
    name: 'json patch: 10,000 insertions before a list of 300,000',
    requests: (_round, namespace) => [
      patch(
        `${core(namespace, 'configmaps')}/kube-root-ca.crt`,
        `[{"op":"add","path":"/x","value":[${'0,'.repeat(300_000)}0]},${times(9998, () => '{"op":"add","path":"/x/0","value":0}')}]`,
        jsonPatch,
      ),
    ],
  },
  {
    name: 'json patch: 10,000 moves within a list of 300,000',
    requests: (_round, namespace) => [
      patch(
        `${core(namespace, 'configmaps')}/kube-root-ca.crt`,
        `[{"op":"add","path":"/x","value":[${'0,'.repeat(300_000)}0]},${times(9998, () => '{"op":"move","from":"/x/300000","path":"/x/0"}')}]`,
        jsonPatch,
      ),
    ],
  },
  {
    name: 'json patch: 10,000 tests and copies of nothing in a map of 100,000',
    requests: (_round, namespace) => [
      patch(
        `${core(namespace, 'configmaps')}/kube-root-ca.crt`,
        `[{"op":"add","path":"/x","value":{${smallFields(1_500_000)}}},${times(4999, () => '{"op":"copy","from":"/x/q","path":"/y"},{"op":"remove","path":"/x/k0"},{"op":"add","path":"/x/k0","value":0}'.split('},').join('},')).slice(0, 3300)}]`,
        jsonPatch,
      ),
    ],
  },
  {
    name: 'json patch: 10,000 copies that are too much',
    requests: (_round, namespace) => [
      patch(
        `${core(namespace, 'configmaps')}/kube-root-ca.crt`,
        `[{"op":"add","path":"/x","value":{${smallFields(1_000_000)}}},${times(9998, (i) => `{"op":"copy","from":"/x/k${i}","path":"/y${i}"}`)}]`,
        jsonPatch,
      ),
    ],
  },
  {
    name: 'json patch: deep pointers',
    requests: (_round, namespace) => [
      patch(
        `${core(namespace, 'configmaps')}/kube-root-ca.crt`,
        `[{"op":"add","path":"/x","value":${'{"a":'.repeat(900)}0${'}'.repeat(900)}},${times(1500, () => `{"op":"test","path":"/x${'/a'.repeat(899)}","value":{"a":0}}`)}]`,
        jsonPatch,
      ),
    ],
  },
  {
    name: 'merge patch: 3 MiB of small fields',
    requests: (_round, namespace) => [
      patch(`${core(namespace, 'configmaps')}/kube-root-ca.crt`, `{"data":{${smallFields(bodyBytes)}}}`, mergePatch),
    ],
  },
  {
    name: 'strategic patch: 30,000 keyed items onto 14,000',
    async prepare(ask, namespace) {
      await must(
        ask,
        post(
          core(namespace, 'pods'),
          podOf('p', containersOf(`"env":[${times(14_000, (i) => `{"name":"E${i}","value":"v"}`)}]`)),
        ),
      );
    },
    requests: (_round, namespace) => [
      patch(
        `${core(namespace, 'pods')}/p`,
        `{"spec":{"containers":[{"name":"a","env":[${times(14_000, (i) => `{"name":"E${13_999 - i}","value":"w"}`)}]}]}}`,
        strategicPatch,
      ),
      patch(
        `${core(namespace, 'pods')}/p`,
        `{"spec":{"containers":[{"name":"a","$setElementOrder/env":[${times(30_000, (i) => `{"name":"F${i}"}`)}],"env":[${times(30_000, (i) => `{"name":"F${i}","value":"w"}`)}]}]}}`,
        strategicPatch,
      ),
      patch(
        `${core(namespace, 'pods')}/p`,
        `{"spec":{"containers":[{"name":"a","env":[${times(14_000, (i) => `{"$patch":"delete","name":"E${i}"}`)}]}]}}`,
        strategicPatch,
      ),
    ],
  },
  {
    name: 'strategic patch: primitive lists',
    async prepare(ask, namespace) {
      await must(
        ask,
        post(core(namespace, 'configmaps'), {
          metadata: { name: 'f', finalizers: times(40_000, (i) => `a.b/f${i}`) },
        }),
      );
    },
    requests: (_round, namespace) => [
      patch(
        `${core(namespace, 'configmaps')}/f`,
        { metadata: { '$deleteFromPrimitiveList/finalizers': times(40_000, (i) => `a.b/g${i}`) } },
        strategicPatch,
      ),
      patch(
        `${core(namespace, 'configmaps')}/f`,
        { metadata: { finalizers: times(60_000, (i) => `a.b/g${i}`) } },
        strategicPatch,
      ),
    ],
  },
  {
    name: 'apply: 20,000 keyed items, twice by two managers',
    requests: (round, namespace) => [
      ...['a', 'b'].map((manager) =>
        patch(
          `${core(namespace, 'pods')}/p-${round}?fieldManager=${manager}&force=true`,
          podOf(`p-${round}`, containersOf(`"env":[${times(20_000, (i) => `{"name":"E${i}","value":"${manager}"}`)}]`)),
          applyPatch,
        ),
      ),
    ],
  },
  {
    name: 'apply: a map of 60,000, again, with conflicts, without them',
    requests: (round, namespace) => [
      ...['a', 'b', 'c'].map((manager) =>
        patch(
          `${core(namespace, 'configmaps')}/p-${round}?fieldManager=${manager}&force=${manager === 'c'}`,
          map(
            `p-${round}`,
            filled(objectBytes / 2, (i) => `"k${i}":"${manager}"`),
          ),
          applyPatch,
        ),
      ),
      patch(`${core(namespace, 'configmaps')}/p-${round}?fieldManager=c`, map(`p-${round}`, '"a":"b"'), applyPatch),
    ],
  },
  {
    name: 'apply: 300 managers of 100 fields',
    async prepare(ask, namespace) {
      for (let manager = 0; manager < 300; manager++) {
        await must(
          ask,
          patch(
            `${core(namespace, 'configmaps')}/m?fieldManager=m${manager}&force=true`,
            map('m', times(100, (i) => `"k${manager}-${i}":""`).join(',')),
            applyPatch,
          ),
        );
      }
    },
    requests: (round, namespace) => [
      patch(`${core(namespace, 'configmaps')}/m?fieldManager=x&force=true`, map('m', `"x":"${round}"`), applyPatch),
      patch(`${core(namespace, 'configmaps')}/m`, `{"data":{"y":"${round}"}}`, mergePatch),
    ],
  },
  {
    name: 'managedFields: 3 MiB of small entries, as sent',
    requests: (round, namespace) => [
      post(
        core(namespace, 'configmaps'),
        `{"metadata":{"name":"f-${round}","managedFields":[${filled(objectBytes, (i) => `{"manager":"m${i}","operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:a":{}}}}`)}]},"data":{"a":"b"}}`,
      ),
      post(
        core(namespace, 'configmaps'),
        `{"metadata":{"name":"g-${round}","managedFields":[{"manager":"m","operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:data":{${filled(objectBytes, (i) => `"f:k${i}":{}`)}}}}]},"data":{"a":"b"}}`,
      ),
    ],
  },
  {
    name: 'managedFields: keyed items by 200,000 keys, as sent',
    requests: (round, namespace) => [
      post(
        core(namespace, 'pods'),
        `{"metadata":{"name":"g-${round}","managedFields":[{"manager":"m","operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:containers":{${filled(objectBytes, (i) => `"k:{\\"name\\":\\"${i}\\"}":{}`)}}}}}]},"spec":{${containersOf('"tty":true')}}}`,
      ),
    ],
  },
  customCase('schema: a set of 300,000', 'Set', listOf({ type: 'integer' }, { 'x-kubernetes-list-type': 'set' }), () =>
    longList((index) => String(index)),
  ),
  customCase(
    'schema: a list-map of 60,000, all the same key',
    'Keyed',
    listOf(
      { type: 'object', properties: { k: { type: 'string' } }, required: ['k'] },
      { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'] },
    ),
    () => longList(() => '{"k":"a"}'),
  ),
  {
    ...(() => {
      const made = custom(
        'Ratchet',
        listOf(
          {
            type: 'object',
            properties: { k: { type: 'string' }, v: { type: 'string' } },
            required: ['k'],
          },
          { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'] },
        ),
      );
      return {
        name: 'schema: an update of a list-map of 20,000',
        async prepare(ask: Ask, namespace: string) {
          await made.define(ask);
          await must(
            ask,
            post(
              made.path(namespace),
              made.object(
                'o',
                longList((i) => `{"k":"k${i}"}`),
              ),
            ),
          );
        },
        requests: (round: number, namespace: string) => [
          patch(
            `${made.path(namespace)}/o`,
            `{"spec":${longList((i) => `{"k":"k${i}","v":"${round}"}`, objectBytes / 4)}}`,
            mergePatch,
          ),
        ],
        cleanUp: (ask: Ask) => made.forget(ask),
      };
    })(),
  },
  customCase('schema: 3 MiB of items of the wrong type', 'Wrong', listOf({ type: 'string' }), () =>
    longList(() => '0', bodyBytes - 300),
  ),
  customCase(
    'schema: 3 MiB of fields that are pruned',
    'Pruned',
    listOf({ type: 'object', properties: { a: { type: 'string' } } }),
    () => longList((i) => `{"b${i}":0}`, bodyBytes - 300),
  ),
  customCase(
    'schema: 400,000 items of an enum of 50,000',
    'Enum',
    listOf({ type: 'string', enum: times(50_000, (i) => `e${i}`) }),
    () => longList((index) => `"e${index % 50_000}"`),
  ),
  customCase(
    'schema: 100,000 items of none of 3,000 alternatives',
    'Alternative',
    listOf({
      type: 'object',
      properties: { a: { type: 'integer' } },
      anyOf: times(3000, (i) => ({ properties: { a: { minimum: 1_000_000 + i } } })),
    }),
    () => longList((index) => `{"a":${index}}`),
  ),
  customCase(
    'schema: alternatives within alternatives',
    'Nested',
    listOf({
      type: 'object',
      properties: { a: { type: 'integer' } },
      ...(function nested(depth: number): object {
        return depth === 0
          ? { properties: { a: { minimum: 1_000_000 } } }
          : { anyOf: [nested(depth - 1), nested(depth - 1), nested(depth - 1)] };
      })(7),
    }),
    () => longList((index) => `{"a":${index}}`),
  ),
  customCase(
    'schema: items without 3,000 required fields',
    'Required',
    listOf({
      type: 'object',
      properties: Object.fromEntries(times(3000, (i) => [`p${i}`, { type: 'string' }])),
      required: times(3000, (i) => `p${i}`),
    }),
    () => longList(() => '{}'),
  ),
  customCase(
    'schema: items of 3,000 defaults',
    'Defaulted',
    listOf({
      type: 'object',
      properties: Object.fromEntries(times(3000, (i) => [`p${i}`, { type: 'string', default: 'a' }])),
    }),
    () => longList(() => '{}'),
  ),
  customCase(
    'schema: a pattern that backtracks, on 1.4 MiB',
    'Backtrack',
    { type: 'object', properties: { s: { type: 'string', pattern: '^(a+)+$' } } },
    () => `{"s":"${'a'.repeat(objectBytes)}b"}`,
  ),
  customCase(
    'schema: a long literal pattern, on 1.4 MiB',
    'Literal',
    { type: 'object', properties: { s: { type: 'string', pattern: `${'a'.repeat(130)}b` } } },
    () => `{"s":"${'a'.repeat(objectBytes)}"}`,
  ),
  customCase(
    'schema: patterns on 100,000 items',
    'Patterns',
    listOf({ type: 'string', pattern: '^([a-z0-9]+[-.])*[a-z0-9]+$' }),
    () => longList((i) => `"a-b.c${i}!"`),
  ),
  customCase(
    'schema: large repeated patterns on 30,000 items',
    'Counted',
    listOf({ type: 'string', pattern: '^((a?){30}){10}a{300}$' }),
    () => longList(() => `"${'a'.repeat(40)}"`),
  ),
  ...[
    'date-time',
    'email',
    'hostname',
    'uri',
    'ipv6',
    'byte',
    'duration',
    'cidr',
    'uuid',
    'mac',
    'isbn',
    'creditcard',
  ].map((format) =>
    customCase(
      `schema: format ${format} of 1.4 MiB`,
      `Format${format.replace('-', '')}`,
      listOf({ type: 'string', format }),
      (round) =>
        `{"list":["${(['1', 'a.', '::', 'a'][round % 4] as string).repeat(objectBytes / 4)}","${'1h'.repeat(objectBytes / 6)}x"]}`,
    ),
  ),
  customCase(
    'cel: a rule for each of 100,000 items',
    'Ruled',
    listOf({ type: 'integer', 'x-kubernetes-validations': [{ rule: 'self >= 0' }] }, { maxItems: 100_000 }),
    () => `{"list":[${times(100_000, (i) => i)}]}`,
  ),
  customCase(
    'cel: all, exists and map over 300 items twice',
    'Looped',
    listOf(
      { type: 'integer' },
      {
        maxItems: 300,
        'x-kubernetes-validations': [
          { rule: 'self.all(a, self.exists(b, b >= a))' },
          { rule: 'self.map(a, a + 1).all(b, b > 0)' },
        ],
      },
    ),
    () => `{"list":[${times(300, (i) => i)}]}`,
  ),
  customCase(
    'cel: rules up to the budget of a request',
    'Budget',
    listOf(
      {
        type: 'string',
        maxLength: 1000,
        'x-kubernetes-validations': [{ rule: "self.matches('^([a-z0-9]+[-.])*[a-z0-9]+$')" }],
      },
      { maxItems: 3000 },
    ),
    () => `{"list":[${times(1300, () => `"${'a-b.c'.repeat(199)}"`)}]}`,
  ),
  customCase(
    'cel: every rule fails with a long message',
    'Failing',
    listOf(
      { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self < 0', message: 'm'.repeat(2000) }] },
      { maxItems: 100_000 },
    ),
    () => `{"list":[${times(100_000, (i) => i)}]}`,
  ),
  policyCase(
    'policies: 100 of 10 expressions',
    100,
    1,
    times(10, (i) => `object.data.size() >= 0 && ${i} >= 0`),
    '"a":"b"',
  ),
  policyCase('policies: one of 1,000 bindings', 1, 1000, ['object.data.size() >= 0'], '"a":"b"'),
  policyCase(
    'policies: dear expressions up to their budgets',
    10,
    1,
    times(20, () => 'object.data.all(k, object.data[k].matches("^(a|b|c)*$"))'),
    times(20_000, (i) => `"k${i}":"${'abc'.repeat(5)}"`).join(','),
  ),
  policyCase(
    'policies: loops up to their budgets',
    1,
    1,
    times(10, (i) => `object.data.all(k, object.data.map(l, l).size() > ${i})`),
    times(900, (i) => `"k${i}":"v"`).join(','),
  ),
  {
    name: 'policies: a policy of 1.4 MiB',
    requests: (round) => [
      post(policies, {
        metadata: { name: `big-${round}` },
        spec: {
          matchConstraints: onMaps,
          validations: times(8000, (i) => ({
            expression: `object.metadata.name.startsWith("${'x'.repeat(100)}${i}")`,
          })),
        },
      }),
      post(policies, {
        metadata: { name: `deep-${round}` },
        spec: {
          matchConstraints: onMaps,
          validations: [{ expression: `${'1+'.repeat(400_000)}1 > 0` }],
        },
      }),
      post(policies, {
        metadata: { name: `list-${round}` },
        spec: { matchConstraints: onMaps, validations: [{ expression: `[${'1,'.repeat(400_000)}1].size() > 0` }] },
      }),
      post(policies, {
        metadata: { name: `macros-${round}` },
        spec: {
          matchConstraints: onMaps,
          validations: times(2000, () => ({
            expression: `[1].all(a, [1].all(b, [1].all(c, [1].all(d, [1].all(e, a+b+c+d+e > ${'x'.length})))))`,
          })),
        },
      }),
    ],
    async cleanUp(ask) {
      await ask({ method: 'DELETE', path: policies });
    },
  },
  {
    name: 'definitions: 1.4 MiB of properties',
    requests: (round) => [
      post(
        definitions,
        custom(`Wide${round}`, {
          type: 'object',
          properties: Object.fromEntries(times(30_000, (i) => [`p${i}`, { type: 'string', maxLength: 9 }])),
        }).definition,
      ),
    ],
    cleanUp: (ask) =>
      forgetDefinitions(
        ask,
        times(3, (i) => `wide${i}s`),
      ),
  },
  {
    name: 'definitions: 1.4 MiB of rules with CEL',
    requests: (round) => [
      post(
        definitions,
        custom(`Rules${round}`, {
          type: 'object',
          properties: Object.fromEntries(
            times(10_000, (i) => [
              `p${i}`,
              { type: 'string', maxLength: 9, 'x-kubernetes-validations': [{ rule: `self.startsWith("p${i}")` }] },
            ]),
          ),
        }).definition,
      ),
    ],
    cleanUp: (ask) =>
      forgetDefinitions(
        ask,
        times(3, (i) => `rules${i}s`),
      ),
  },
  {
    name: 'definitions: one type of 10,000 fields with 3,000 rules of it',
    requests: (round) => [
      post(
        definitions,
        custom(`Rooted${round}`, {
          type: 'object',
          properties: Object.fromEntries(times(10_000, (i) => [`p${i}`, { type: 'string', maxLength: 9 }])),
          'x-kubernetes-validations': times(3000, (i) => ({ rule: `self.p${i}.size() < 10` })),
        }).definition,
      ),
    ],
    cleanUp: (ask) =>
      forgetDefinitions(
        ask,
        times(3, (i) => `rooted${i}s`),
      ),
  },
  {
    name: 'definitions: 20 rules over nested lists, deep',
    requests: (round) => [
      post(
        definitions,
        custom(
          `Deep${round}`,
          (function deep(depth: number): object {
            return depth === 0
              ? { type: 'integer' }
              : {
                  type: 'array',
                  maxItems: 2,
                  items: deep(depth - 1),
                  'x-kubernetes-validations': [{ rule: 'self.size() < 3' }],
                };
          })(180),
        ).definition,
      ),
    ],
    cleanUp: (ask) =>
      forgetDefinitions(
        ask,
        times(3, (i) => `deep${i}s`),
      ),
  },
  {
    name: 'definitions: 1,000 columns, read as a table',
    ...(() => {
      const made = custom(
        'Column',
        { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        {
          additionalPrinterColumns: times(2000, (i) => ({
            name: `c${i}`,
            type: 'string',
            jsonPath: '.spec.list[*].a[*]',
          })),
        },
      );
      return {
        async prepare(ask: Ask, namespace: string) {
          await made.define(ask);
          await must(
            ask,
            post(
              made.path(namespace),
              made.object(
                'o',
                longList(() => '{"a":[1,2,3]}'),
              ),
            ),
          );
        },
        requests: (_round: number, namespace: string) => [
          get(`${made.path(namespace)}/o`, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }),
          get(made.path(namespace), { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }),
        ],
        cleanUp: (ask: Ask) => made.forget(ask),
      };
    })(),
  },
  {
    name: 'openapi: after ten definitions of 1.4 MiB',
    async prepare(ask) {
      for (let index = 0; index < 10; index++) {
        await must(
          ask,
          post(
            definitions,
            custom(`Open${index}`, {
              type: 'object',
              properties: Object.fromEntries(
                times(20_000, (i) => [`p${i}`, { type: 'string', description: `what ${i} means` }]),
              ),
            }).definition,
          ),
        );
      }
      for (let tries = 0; tries < 500; tries++) {
        if ((await ask(get('/apis/stalls.example.com/v1/namespaces/default/open9s'))).code === 200) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    requests: () => [
      get('/openapi/v2'),
      get('/openapi/v2', { accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf' }),
      get('/openapi/v3'),
      get('/openapi/v3/apis/stalls.example.com/v1'),
      get('/apis'),
    ],
    cleanUp: (ask) =>
      forgetDefinitions(
        ask,
        times(10, (i) => `open${i}s`),
      ),
  },
  {
    name: 'rbac: a cluster role of 1.4 MiB, and a binding to it, asked of',
    async prepare(ask) {
      const rules = times(12_000, (i) => ({ apiGroups: ['x.example'], resources: [`r${i}`], verbs: ['get'] }));
      await must(
        ask,
        post(cluster('rbac.authorization.k8s.io/v1', 'clusterroles'), { metadata: { name: 'big' }, rules }),
      );
      for (let index = 0; index < 20; index++) {
        await must(
          ask,
          post(cluster('rbac.authorization.k8s.io/v1', 'clusterrolebindings'), {
            metadata: { name: `big-${index}` },
            roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'big' },
            subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'guest' }],
          }),
        );
      }
    },
    requests: (round, namespace) => [
      get(core(namespace, 'pods'), { 'impersonate-user': 'guest' }),
      {
        ...post('/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', { spec: { namespace } }),
        headers: { 'content-type': json, 'impersonate-user': 'guest' },
      },
      {
        ...post(`/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`, {
          metadata: { name: `r-${round}` },
          rules: times(5000, (i) => ({ apiGroups: ['x.example'], resources: [`r${i}`], verbs: ['get', 'list'] })),
        }),
        headers: { 'content-type': json, 'impersonate-user': 'guest' },
      },
    ],
    async cleanUp(ask) {
      for (let index = 0; index < 20; index++) {
        await ask({
          method: 'DELETE',
          path: `${cluster('rbac.authorization.k8s.io/v1', 'clusterrolebindings')}/big-${index}`,
        });
      }
    },
  },
  {
    name: 'rbac: who writes a role is held to 5,000 rules of one’s own',
    async prepare(ask) {
      const rules = [
        { apiGroups: ['rbac.authorization.k8s.io'], resources: ['*'], verbs: ['*'] },
        ...times(5000, (i) => ({ apiGroups: ['x.example'], resources: [`r${i}`], verbs: ['get'] })),
      ];
      await must(
        ask,
        post(cluster('rbac.authorization.k8s.io/v1', 'clusterroles'), { metadata: { name: 'own' }, rules }),
      );
      await must(
        ask,
        post(cluster('rbac.authorization.k8s.io/v1', 'clusterrolebindings'), {
          metadata: { name: 'own' },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'own' },
          subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'owner' }],
        }),
      );
    },
    requests: (round, namespace) => [
      {
        ...post(`/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`, {
          metadata: { name: `r-${round}` },
          rules: times(5000, (i) => ({ apiGroups: ['x.example'], resources: [`r${4999 - i}`, 'z'], verbs: ['get'] })),
        }),
        headers: { 'content-type': json, 'impersonate-user': 'owner' },
      },
    ],
    cleanUp: async (ask) => {
      await ask({ method: 'DELETE', path: `${cluster('rbac.authorization.k8s.io/v1', 'clusterrolebindings')}/own` });
    },
  },
  {
    name: 'quota: 500 quotas of a namespace, each of 100 things, and a pod',
    async prepare(ask, namespace) {
      for (let index = 0; index < 500; index++) {
        await must(
          ask,
          post(core(namespace, 'resourcequotas'), {
            metadata: { name: `q-${index}` },
            spec: { hard: Object.fromEntries(times(100, (i) => [`requests.example.com/r${i}`, '1000'])) },
          }),
        );
      }
    },
    requests: (round, namespace) => [
      post(core(namespace, 'pods'), podOf(`p-${round}`, containersOf('"resources":{"requests":{"cpu":"1"}}'))),
    ],
  },
  {
    name: 'quota: one of 40,000 things and 1.4 MiB of scopes',
    requests: (round, namespace) => [
      post(
        core(namespace, 'resourcequotas'),
        `{"metadata":{"name":"s-${round}"},"spec":{"hard":{${filled(objectBytes, (i) => `"count/r${i}.example.com":"1"`)}}}}`,
      ),
      post(
        core(namespace, 'resourcequotas'),
        `{"metadata":{"name":"t-${round}"},"spec":{"scopeSelector":{"matchExpressions":[${filled(objectBytes, (i) => `{"scopeName":"PriorityClass","operator":"In","values":["c${i}"]}`)}]}}}`,
      ),
    ],
  },
  {
    name: 'webhooks: a configuration of 1.4 MiB with match conditions',
    requests: (round) => [
      post(cluster('admissionregistration.k8s.io/v1', 'validatingwebhookconfigurations'), {
        metadata: { name: `w-${round}` },
        webhooks: times(2500, (i) => ({
          name: `w${i}.example.com`,
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
          clientConfig: { url: 'https://192.0.2.1/' },
          failurePolicy: 'Ignore',
          rules: [{ apiGroups: ['x.example'], apiVersions: ['v1'], operations: ['*'], resources: ['r'] }],
          matchConditions: [{ name: 'a', expression: `object.metadata.name == "${i}"` }],
        })),
      }),
    ],
    cleanUp: async (ask) => {
      await ask({
        method: 'DELETE',
        path: cluster('admissionregistration.k8s.io/v1', 'validatingwebhookconfigurations'),
      });
    },
  },
  {
    name: 'webhooks: 50 of 64 match conditions each, and an object of 1.4 MiB',
    async prepare(ask, namespace) {
      await must(
        ask,
        post(cluster('admissionregistration.k8s.io/v1', 'validatingwebhookconfigurations'), {
          metadata: { name: 'conditions' },
          webhooks: times(50, (i) => ({
            name: `w${i}.example.com`,
            sideEffects: 'None',
            admissionReviewVersions: ['v1'],
            clientConfig: { url: 'https://192.0.2.1/' },
            failurePolicy: 'Ignore',
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
            rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['configmaps'] }],
            matchConditions: times(64, (c) => ({
              name: `c${c}`,
              expression: c === 63 ? 'false' : 'object.data.size() >= 0',
            })),
          })),
        }),
      );
    },
    requests: (round, namespace) => [post(core(namespace, 'configmaps'), map(`m-${round}`, smallFields(objectBytes)))],
    cleanUp: async (ask) => {
      await ask({
        method: 'DELETE',
        path: cluster('admissionregistration.k8s.io/v1', 'validatingwebhookconfigurations'),
      });
    },
  },
  {
    name: 'list: 2,000 objects by long selectors, as tables, as YAML, gzipped',
    async prepare(ask, namespace) {
      for (let index = 0; index < 2000; index++) {
        await must(
          ask,
          post(core(namespace, 'configmaps'), {
            metadata: { name: `m-${index}`, labels: { a: `${index}` } },
            data: { a: 'x'.repeat(5000) },
          }),
        );
      }
    },
    requests: (_round, namespace) => {
      const wanted = filled(9000, (index) => `v${index}`);
      return [
        get(`${core(namespace, 'configmaps')}?labelSelector=${encodeURIComponent(`a notin (${wanted})`)}`),
        get(`${core(namespace, 'configmaps')}?labelSelector=${filled(12_000, (i) => `!b${i}`)}`),
        get(core(namespace, 'configmaps'), { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }),
        get(`${core(namespace, 'configmaps')}?pretty=true`, { 'accept-encoding': 'gzip' }),
        get(`${core(namespace, 'configmaps')}`, { accept: 'application/yaml', 'accept-encoding': 'gzip' }),
        get(`${core(namespace, 'configmaps')}?fieldSelector=${filled(9000, (i) => `metadata.name!=m-${i}`)}`),
      ];
    },
  },
  {
    name: 'get: 0.7 MiB of small fields as YAML, as a table, pretty, gzipped, in protobuf',
    async prepare(ask, namespace) {
      await must(ask, post(core(namespace, 'configmaps'), map('m', smallFields(objectBytes / 2))));
    },
    requests: (_round, namespace) => [
      get(`${core(namespace, 'configmaps')}/m`, { accept: 'application/yaml' }),
      get(`${core(namespace, 'configmaps')}/m`, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }),
      get(`${core(namespace, 'configmaps')}/m?pretty=true`, { 'accept-encoding': 'gzip' }),
      get(`${core(namespace, 'configmaps')}/m`, { accept: 'application/vnd.kubernetes.protobuf' }),
      get(core(namespace, 'configmaps'), { accept: 'application/yaml' }),
      get(core(namespace, 'configmaps'), { accept: 'application/vnd.kubernetes.protobuf' }),
    ],
  },
  {
    name: 'reviews: 3 MiB of groups and extras',
    requests: () => [
      post(
        '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        `{"spec":{"user":"a","resourceAttributes":{"verb":"get","resource":"pods"},"groups":[${filled(bodyBytes - 200, (i) => `"g${i}"`)}]}}`,
      ),
      post(
        '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        `{"spec":{"user":"a","resourceAttributes":{"verb":"get","resource":"pods"},"extra":{${filled(bodyBytes - 200, (i) => `"e${i}":["a"]`)}}}}`,
      ),
      post('/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token: 'a.'.repeat(bodyBytes / 2 - 100) } }),
      post('/apis/authentication.k8s.io/v1/tokenreviews', {
        spec: { token: `${'a'.repeat(1_000_000)}.${'a'.repeat(1_000_000)}.a` },
      }),
    ],
  },
  {
    name: 'services: 20,000 ports',
    requests: (round, namespace) => [
      post(
        core(namespace, 'services'),
        `{"metadata":{"name":"s-${round}"},"spec":{"ports":[${times(20_000, (i) => `{"name":"p${i}","port":${i + 1}}`)}]}}`,
      ),
    ],
  },
  {
    name: 'watch: 200 watches of 0.7 MiB, in other forms, and a change',
    async prepare(ask, namespace) {
      await must(ask, post(core(namespace, 'configmaps'), map('m', smallFields(objectBytes / 2))));
      const forms = [
        json,
        'application/json;as=Table;v=v1;g=meta.k8s.io',
        'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
        'application/vnd.kubernetes.protobuf',
      ];
      for (let index = 0; index < 200; index++) {
        void ask(
          get(
            `${core(namespace, 'configmaps')}?watch=1&resourceVersion=0&timeoutSeconds=60&labelSelector=a!%3D${index}`,
            {
              accept: forms[index % forms.length]!,
            },
          ),
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 2000));
    },
    requests: (round, namespace) => [
      patch(`${core(namespace, 'configmaps')}/m`, `{"data":{"y":"${round}"}}`, mergePatch),
    ],
  },
];

async function forgetDefinitions(ask: Ask, plurals: string[]): Promise<void> {
  for (const plural of plurals) {
    await ask({ method: 'DELETE', path: `${definitions}/${plural}.stalls.example.com` });
  }
}
