import type { Steps } from '../../../base/steps.ts';
import type { Operation, Parameter } from '../operations/operation.ts';
import type { JsonSchema, SchemaCollector } from '../schemas/schema-collector.ts';

type Paths = Record<string, JsonSchema>;

const said = { 200: 'OK', 201: 'Created', 202: 'Accepted' };
const unauthorized = { description: 'Unauthorized' };

/** Methods in the order in which upstream writes them. */
const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'];

interface PathItem {
  path: string;
  operations: Operation[];
  /** What all of them take. */
  common: Parameter[];
}

/** Operations by path, in the order of the paths. Source: kube-openapi's findCommonParameters. */
function itemsOf(operations: Operation[]): PathItem[] {
  return [...Map.groupBy(operations, ({ path }) => path)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, list]) => ({
      path,
      operations: list.sort((a, b) => methods.indexOf(a.method) - methods.indexOf(b.method)),
      common: list[0]!.parameters.filter((one) => list.every(({ parameters }) => parameters.some(isSame(one)))),
    }));
}

const isSame = (one: Parameter) => (other: Parameter) => other.name === one.name && other.in === one.in;

const inOrder = (parameters: Parameter[]) =>
  parameters.toSorted((a, b) => (a.name === b.name ? (a.in < b.in ? -1 : 1) : a.name < b.name ? -1 : 1));

const ownParameters = ({ parameters }: Operation, common: Parameter[]) =>
  inOrder(parameters.filter((one) => !common.some(isSame(one))));

/** Paths of Swagger 2.0, and the parameters that many of them share. */
export function* renderPaths2(
  operations: Operation[],
  schemas: SchemaCollector,
): Steps<{ paths: Paths; parameters: Paths }> {
  const shared = new SharedParameters();
  const paths: Paths = {};
  for (const { path, operations: list, common } of itemsOf(operations)) {
    const item: JsonSchema = (paths[path] = {});
    for (const operation of list) item[operation.method] = operation2(operation, common, schemas, shared);
    if (common.length > 0) item['parameters'] = inOrder(common).map((one) => shared.refer(parameter2(one)));
    yield;
  }
  return { paths, parameters: shared.definitions };
}

function operation2(
  operation: Operation,
  common: Parameter[],
  schemas: SchemaCollector,
  shared: SharedParameters,
): JsonSchema {
  const { id, tag, action, kind, body, codes, answer, consumes, produces } = operation;
  const schema = schemas.payload(answer);
  const parameters = ownParameters(operation, common).map(parameter2);
  if (body !== undefined) {
    parameters.push({
      name: 'body',
      in: 'body',
      ...(body.required && { required: true }),
      schema: schemas.payload(body.payload),
    });
    parameters.sort((a, b) => (a['name'] < b['name'] ? -1 : 1));
  }
  return {
    ...(consumes.length > 0 && { consumes }),
    produces,
    schemes: ['https'],
    tags: [tag],
    operationId: id,
    ...(parameters.length > 0 && { parameters: parameters.map((one) => shared.refer(one)) }),
    responses: {
      ...Object.fromEntries(codes.map((code) => [code, { description: said[code], schema }])),
      401: unauthorized,
    },
    ...(action !== undefined && { 'x-kubernetes-action': action }),
    ...(kind !== undefined && {
      'x-kubernetes-group-version-kind': { group: kind.group, kind: kind.kind, version: kind.version },
    }),
  };
}

const parameter2 = ({ name, in: place, type }: Parameter): JsonSchema => ({
  uniqueItems: true,
  type,
  name,
  in: place,
  ...(place === 'path' && { required: true }),
});

/** Paths of OpenAPI 3.0. */
export function* renderPaths3(operations: Operation[], schemas: SchemaCollector): Steps<Paths> {
  const paths: Paths = {};
  for (const { path, operations: list, common } of itemsOf(operations)) {
    const item: JsonSchema = (paths[path] = {});
    for (const operation of list) item[operation.method] = operation3(operation, common, schemas);
    if (common.length > 0) item['parameters'] = inOrder(common).map(parameter3);
    yield;
  }
  return paths;
}

function operation3(operation: Operation, common: Parameter[], schemas: SchemaCollector): JsonSchema {
  const { id, tag, action, kind, body, codes, answer, consumes, produces } = operation;
  const content = contentOf(produces, schemas.payload(answer));
  const parameters = ownParameters(operation, common);
  return {
    tags: [tag],
    operationId: id,
    ...(parameters.length > 0 && { parameters: parameters.map(parameter3) }),
    ...(body !== undefined && {
      requestBody: {
        content: contentOf(consumes, schemas.payload(body.payload)),
        ...(body.required && { required: true }),
      },
    }),
    responses: {
      ...Object.fromEntries(codes.map((code) => [code, { description: said[code], content }])),
      401: unauthorized,
    },
    ...(action !== undefined && { 'x-kubernetes-action': action }),
    ...(kind !== undefined && {
      'x-kubernetes-group-version-kind': { group: kind.group, version: kind.version, kind: kind.kind },
    }),
  };
}

const contentOf = (types: string[], schema: JsonSchema) =>
  Object.fromEntries(types.toSorted().map((type) => [type, { schema }]));

const parameter3 = ({ name, in: place, type }: Parameter): JsonSchema => ({
  name,
  in: place,
  ...(place === 'path' && { required: true }),
  schema: { type, uniqueItems: true },
});

const apimachinery = '#/definitions/io.k8s.apimachinery';
/** Older kubectl looks for these two where they are used, and finds by them what the server can. */
const unshared = new Set(['name', 'fieldValidation', 'dryRun']);

/** Parameters are said once, under a name with a hash of what they say. Source: kube-openapi's deduplicateParameters. */
class SharedParameters {
  readonly #names = new Map<string, string>();
  readonly #byName = new Map<string, JsonSchema>();

  refer(parameter: JsonSchema): JsonSchema {
    const { name, in: place, schema } = parameter as { name: string; in: string; schema?: { $ref?: string } };
    if (unshared.has(name)) return parameter;
    if (place === 'body' && schema?.$ref?.startsWith(apimachinery) !== true) return parameter;
    const text = JSON.stringify(parameter);
    let shared = this.#names.get(text);
    if (shared === undefined) {
      shared = `${name}-${hashOf(text)}`;
      this.#names.set(text, shared);
      this.#byName.set(shared, parameter);
    }
    return { $ref: `#/parameters/${shared}` };
  }

  get definitions(): Paths {
    return Object.fromEntries([...this.#byName].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

/** FNV-1, 64 bits, the first six bytes in base64. */
function hashOf(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text)) {
    hash = BigInt.asUintN(64, hash * 0x100000001b3n) ^ BigInt(byte);
  }
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(hash);
  return bytes.subarray(0, 6).toString('base64url');
}
