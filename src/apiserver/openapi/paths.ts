import { schemaOf, schemaOfKind } from '../../api/generated-schema.ts';
import type { GroupVersionKind } from '../../api/object.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import type { FieldSchema, TypeSchema, ValueSchema } from '../../api/schema.ts';
import type { JsonSchema, SchemaCollector } from './schemas.ts';

/** One way to call the API, in the words both versions of OpenAPI share. */
interface Operation {
  path: string;
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  action: string;
  kind: GroupVersionKind;
  parameters: Parameter[];
  body?: JsonSchema;
  answer?: JsonSchema;
  /** What a body may come as. */
  consumes: string[];
}
interface Parameter {
  name: string;
  in: 'path' | 'query';
  type: 'string' | 'integer' | 'boolean';
}

const query = (name: string, type: Parameter['type'] = 'string'): Parameter => ({ name, in: 'query', type });
const inPath = (name: string): Parameter => ({ name, in: 'path', type: 'string' });
const writing = [query('dryRun'), query('fieldManager'), query('fieldValidation')];
const listing = [
  query('allowWatchBookmarks', 'boolean'),
  query('continue'),
  query('fieldSelector'),
  query('labelSelector'),
  query('limit', 'integer'),
  query('resourceVersion'),
  query('resourceVersionMatch'),
  query('sendInitialEvents', 'boolean'),
  query('timeoutSeconds', 'integer'),
  query('watch', 'boolean'),
];
const deleting = [
  query('dryRun'),
  query('gracePeriodSeconds', 'integer'),
  query('orphanDependents', 'boolean'),
  query('propagationPolicy'),
];
const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
];
/** Nothing says how lists of custom resources are merged. */
const customPatchTypes = patchTypes.filter((type) => !type.includes('strategic'));
const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';

const methodOf: Record<string, Operation['method']> = {
  get: 'get',
  create: 'post',
  update: 'put',
  patch: 'patch',
  delete: 'delete',
};

/** What can be done with a resource and its subresources. */
export function operationsOf(definition: ResourceDefinition, schemas: SchemaCollector): Operation[] {
  const { group, version, resource, namespaced, verbs } = definition;
  const root = `${group === '' ? '/api' : `/apis/${group}`}/${version}`;
  const collection = `${root}${namespaced ? '/namespaces/{namespace}' : ''}/${resource}`;
  const item = `${collection}/{name}`;
  const scope = namespaced ? [inPath('namespace')] : [];
  const own = reference(schemas, definition, definition.schema);
  const status = schemas.reference(schemaOf(`${meta}.Status`)!);
  const options = schemas.reference(schemaOf(`${meta}.DeleteOptions`)!);
  const listSchema = definition.schema.structural
    ? listSchemaOf(definition)
    : schemaOfKind(group, version, definition.listKind);
  const list =
    listSchema === undefined ? own : reference(schemas, { ...definition, kind: definition.listKind }, listSchema);
  const operations: Operation[] = [];
  const add = (
    path: string,
    action: string,
    method: Operation['method'],
    more: Partial<Operation>,
    parameters: Parameter[],
  ) => {
    const shared = { path, method, action, kind: definition, parameters: [...parameters, query('pretty')] };
    const types = definition.schema.structural === undefined ? patchTypes : customPatchTypes;
    operations.push({ ...shared, consumes: method === 'patch' ? types : ['*/*'], ...more });
  };
  if (verbs.includes('list')) {
    add(collection, 'list', 'get', { answer: list }, [...scope, ...listing]);
    if (namespaced) add(`${root}/${resource}`, 'list', 'get', { answer: list }, listing);
  }
  if (verbs.includes('create')) add(collection, 'post', 'post', { body: own, answer: own }, [...scope, ...writing]);
  if (verbs.includes('deletecollection')) {
    add(collection, 'deletecollection', 'delete', { body: options, answer: status }, [
      ...scope,
      ...listing.slice(1, 5),
      ...deleting,
    ]);
  }
  const named = [...scope, inPath('name')];
  if (verbs.includes('get')) add(item, 'get', 'get', { answer: own }, named);
  if (verbs.includes('update')) add(item, 'put', 'put', { body: own, answer: own }, [...named, ...writing]);
  if (verbs.includes('patch'))
    add(item, 'patch', 'patch', { body: {}, answer: own }, [...named, ...writing, query('force', 'boolean')]);
  if (verbs.includes('delete'))
    add(item, 'delete', 'delete', { body: options, answer: status }, [...named, ...deleting]);
  for (const subresource of definition.subresources) {
    const kind = subresource.kind ?? definition;
    const schema =
      subresource.kind === undefined ? definition.schema : schemaOfKind(kind.group, kind.version, kind.kind);
    const shown = schema === undefined ? undefined : reference(schemas, kind, schema);
    for (const verb of subresource.verbs) {
      const method = methodOf[verb];
      if (method === undefined) continue;
      const body = method === 'get' || method === 'delete' ? undefined : method === 'patch' ? {} : shown;
      add(`${item}/${subresource.name}`, verb === 'create' ? 'connect' : verb, method, { kind, body, answer: shown }, [
        ...named,
        ...(body === undefined ? [] : writing),
      ]);
    }
  }
  return operations;
}

/** Of a custom resource: built-in lists are types of their own. */
function listSchemaOf({ schema, kind, listKind }: ResourceDefinition): TypeSchema {
  const field = (type: ValueSchema, required = false): FieldSchema => ({ type, number: 0, required, optional: true });
  return {
    name: `${schema.name.slice(0, -kind.length)}${listKind}`,
    fields: {
      apiVersion: field({ kind: 'string' }),
      kind: field({ kind: 'string' }),
      metadata: field({ kind: 'object', type: `${meta}.ListMeta` }),
      items: field({ kind: 'array', items: { kind: 'object', type: schema.name, schema } }, true),
    },
  };
}

function reference(
  schemas: SchemaCollector,
  { group, version, kind }: GroupVersionKind,
  schema: TypeSchema,
): JsonSchema {
  const result = schemas.reference(schema);
  const collected = schemas.schemas[schema.name]!;
  const kinds: GroupVersionKind[] = (collected['x-kubernetes-group-version-kind'] ??= []);
  if (!kinds.some((known) => known.group === group && known.version === version && known.kind === kind)) {
    kinds.push({ group, kind, version } as GroupVersionKind);
  }
  return result;
}

const mediaTypes = ['application/json', 'application/yaml'];

export function paths2(operations: Operation[]): Record<string, JsonSchema> {
  const paths: Record<string, JsonSchema> = {};
  for (const operation of operations) {
    const { path, method, action, kind, parameters, body, answer, consumes } = operation;
    paths[path] ??= {};
    paths[path][method] = {
      consumes,
      produces: mediaTypes,
      operationId: operationId(operation),
      parameters: [
        ...(body === undefined
          ? []
          : [{ name: 'body', in: 'body', required: true, schema: method === 'patch' ? { type: 'object' } : body }]),
        ...parameters.map(({ name, in: place, type }) => ({
          name,
          in: place,
          type,
          uniqueItems: true,
          ...(place === 'path' && { required: true }),
        })),
      ],
      responses: {
        200: { description: 'OK', ...(answer !== undefined && { schema: answer }) },
        401: { description: 'Unauthorized' },
      },
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': { group: kind.group, kind: kind.kind, version: kind.version },
    };
  }
  return paths;
}

export function paths3(operations: Operation[]): Record<string, JsonSchema> {
  const paths: Record<string, JsonSchema> = {};
  for (const operation of operations) {
    const { path, method, action, kind, parameters, body, answer, consumes } = operation;
    paths[path] ??= {};
    const content = (types: string[], schema: JsonSchema) =>
      Object.fromEntries(types.map((type) => [type, { schema }]));
    paths[path][method] = {
      operationId: operationId(operation),
      parameters: parameters.map(({ name, in: place, type }) => ({
        name,
        in: place,
        schema: { type, uniqueItems: true },
        ...(place === 'path' && { required: true }),
      })),
      ...(body !== undefined && { requestBody: { content: content(consumes, body) } }),
      responses: {
        200: { description: 'OK', ...(answer !== undefined && { content: content(mediaTypes, answer) }) },
        401: { description: 'Unauthorized' },
      },
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': { group: kind.group, kind: kind.kind, version: kind.version },
    };
  }
  return paths;
}

/** `patch /apis/apps/v1/namespaces/{namespace}/deployments/{name}` -> `patchAppsV1NamespacesDeployments`: unique. */
function operationId({ action, path }: Operation): string {
  const words = path.split('/').filter((part) => part !== '' && part !== 'apis' && part !== 'api');
  return (
    action +
    words
      .map((word) => word.replace(/[{}]/g, '').replace(/(^|[.-])(\w)/g, (_all, _dot, letter) => letter.toUpperCase()))
      .join('')
  );
}
