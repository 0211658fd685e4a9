import { schemaOf } from '../../../api/generated-schema.ts';
import type { GroupVersionKind } from '../../../api/object.ts';
import type { FieldSchema } from '../../../api/schema.ts';
import type { Payload } from '../schemas/schema-collector.ts';

export type Method = 'get' | 'put' | 'post' | 'delete' | 'options' | 'head' | 'patch';

/** One way to call the API, in the words both versions of OpenAPI share. */
export interface Operation {
  path: string;
  method: Method;
  id: string;
  tag: string;
  /** `list`, `post`, `connect`; absent where no resource is asked. */
  action?: string;
  kind?: GroupVersionKind;
  /** All there are, those of the path included. */
  parameters: Parameter[];
  body?: { payload: Payload; required: boolean };
  /** The codes of success; 401 is everywhere. */
  codes: (200 | 201 | 202)[];
  answer: Payload;
  consumes: string[];
  produces: string[];
}

export interface Parameter {
  name: string;
  in: 'path' | 'query';
  type: 'string' | 'integer' | 'boolean' | 'number';
}

export const inPath = (name: string): Parameter => ({ name, in: 'path', type: 'string' });
export const pretty: Parameter = { name: 'pretty', in: 'query', type: 'string' };

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
export const metaType = (name: string) => schemaOf(`${meta}.${name}`)!;

const types: Partial<Record<FieldSchema['type']['kind'], Parameter['type']>> = {
  string: 'string',
  boolean: 'boolean',
  int32: 'integer',
  int64: 'integer',
  double: 'number',
};

/**
 * The fields of an options type that a query can say: scalars and lists of them. Source: apiserver's AddObjectParams.
 *
 * @param typeName `io.k8s.apimachinery.pkg.apis.meta.v1.ListOptions`
 */
export function parametersOf(typeName: string, without: string[] = []): Parameter[] {
  return Object.entries(schemaOf(typeName)!.fields).flatMap(([name, { type }]): Parameter[] => {
    const said = types[type.kind === 'array' ? type.items.kind : type.kind];
    if (said === undefined || name === 'kind' || name === 'apiVersion' || without.includes(name)) return [];
    return [{ name, in: 'query', type: said }];
  });
}

export const metaParameters = (name: string, without?: string[]) => parametersOf(`${meta}.${name}`, without);

/** `log`, `logs` -> `Log`; what upstream's title case makes of a subresource. */
export const titleOf = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);

/** Without what no identifier has: `rbac.authorization` -> `rbacAuthorization`. Source: apiserver's ToValidOperationID. */
function identifier(text: string, startsUpper: boolean): string {
  const joined = text.replace(/[^\p{L}_\d]+(.?)/gu, (_all, next: string) => next.toUpperCase());
  return startsUpper ? titleOf(joined) : joined;
}

/**
 * `list`, `NamespacedDeployment` at `/apis/apps/v1/…` -> `listAppsV1NamespacedDeployment`, tag `apps_v1`. Source:
 * apiserver's GetOperationIDAndTags.
 */
export function idAndTag(verb: string, rest: string, path: string): { id: string; tag: string } {
  const [first = '', ...others] = path.split('/').filter((part) => part !== '');
  const [group, version] = first === 'api' ? ['core', ...others] : first === 'apis' ? others : [];
  if (group === undefined) return { id: verb + titleOf(rest), tag: identifier(first, false) };
  const short = group.replace(/\.k8s\.io$/, '');
  const ofVersion = version === undefined ? '' : identifier(version, true);
  return {
    id: verb + identifier(short, true) + ofVersion + titleOf(rest),
    tag: identifier(short, false) + (version === undefined ? '' : `_${identifier(version, false)}`),
  };
}
