/** How the cases of stalls.ts ask, and at which sizes: the limits that the server allows. */

export interface Asked {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
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

export const json = 'application/json';
export const yaml = 'application/yaml';
export const jsonPatch = 'application/json-patch+json';
export const mergePatch = 'application/merge-patch+json';
export const strategicPatch = 'application/strategic-merge-patch+json';
export const applyPatch = 'application/apply-patch+yaml';

export const core = (namespace: string, resource: string) => `/api/v1/namespaces/${namespace}/${resource}`;
export const cluster = (group: string, resource: string) => `/apis/${group}/${resource}`;
export const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));
/** A body may hold so many values, and an object of it so many members; some are around what `filled` makes. */
const bodyValues = 149_000;
const objectMembers = 32_000;
const isMember = /^"(?:[^"\\]|\\.)*":/;

/** As many of `make` as fit in the bytes, the values and the members that a body may have. */
export function filled(bytes: number, make: (index: number) => string, separator = ','): string {
  const parts: string[] = [];
  for (let size = 0, values = 0, index = 0; ; index++) {
    const part = make(index);
    size += part.length + separator.length;
    values += 1 + (part.match(/[,{[]/g)?.length ?? 0);
    if (size > bytes || values > bodyValues || (index >= objectMembers && isMember.test(part))) {
      return parts.join(separator);
    }
    parts.push(part);
  }
}

export const post = (path: string, body: unknown, contentType = json): Asked => ({
  method: 'POST',
  path,
  body: typeof body === 'string' ? body : JSON.stringify(body),
  headers: { 'content-type': contentType },
});
export const patch = (path: string, body: unknown, contentType: string): Asked => ({
  ...post(path, body, contentType),
  method: 'PATCH',
});
export const get = (path: string, headers: Record<string, string> = {}): Asked => ({ method: 'GET', path, headers });

export const map = (name: string, data: string) =>
  `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"${name}"},"data":{${data}}}`;
export const smallFields = (bytes: number) => {
  const value = 'v'.repeat(Math.max(1, bytes / objectMembers - 12));
  return filled(bytes, (index) => `"k${index}":"${value}"`);
};

export const podOf = (name: string, spec: string) =>
  `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"${name}"},"spec":{${spec}}}`;
export const containersOf = (inside: string) => `"containers":[{"name":"a","image":"b",${inside}}]`;

/** A custom resource of one's own: `schema` is that of `spec`. */
export function custom(kind: string, schema: unknown, more: object = {}) {
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
    /** With one object, `o`. */
    async defineWith(ask: Ask, namespace: string, spec: string) {
      await this.define(ask);
      await must(ask, post(path(namespace), object('o', spec)));
    },
    async forget(ask: Ask) {
      await ask({ method: 'DELETE', path: `${definitions}/${plural}.stalls.example.com` });
    },
  };
}
export const definitions = cluster('apiextensions.k8s.io/v1', 'customresourcedefinitions');

export async function must(ask: Ask, asked: Asked): Promise<void> {
  const { code, text } = await ask(asked);
  if (code >= 300) throw new Error(`${asked.method} ${asked.path}: ${code} ${text.slice(0, 500)}`);
}

/** Objects of a custom resource against a schema that is dear to check. */
export function customCase(
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

export const listOf = (items: unknown, more: object = {}) => ({
  type: 'object',
  properties: { list: { type: 'array', items, ...more } },
});
export const longList = (make: (index: number) => string, bytes = objectBytes) => `{"list":[${filled(bytes, make)}]}`;

export const policies = cluster('admissionregistration.k8s.io/v1', 'validatingadmissionpolicies');
export const bindings = cluster('admissionregistration.k8s.io/v1', 'validatingadmissionpolicybindings');
export const onMaps = {
  resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['configmaps'] }],
};

export function policyCase(
  name: string,
  count: number,
  bindingsEach: number,
  expressions: string[],
  body: string,
): StallCase {
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

export async function forgetDefinitions(ask: Ask, plurals: string[]): Promise<void> {
  for (const plural of plurals) {
    await ask({ method: 'DELETE', path: `${definitions}/${plural}.stalls.example.com` });
  }
}
