import type { ResourceDefinition } from '../../api/resource-definition.ts';
import type { Steps } from '../../base/steps.ts';
import { builtinOperations } from './operations/builtin-operations.ts';
import { customOperations } from './operations/custom-operations.ts';

import type { Operation } from './operations/operation.ts';
import { groupOperation, serverOperations, versionOperation } from './operations/server-operations.ts';
import { otherTypes } from './schemas/other-types.ts';
import { type JsonSchema, SchemaCollector } from './schemas/schema-collector.ts';
import { renderPaths2, renderPaths3 } from './serving/render.ts';

const info = (version: string) => ({ title: 'Kubernetes', version });

const bearerToken = {
  description: 'Bearer Token authentication',
  type: 'apiKey',
  name: 'authorization',
  in: 'header',
};

/** `api/v1`, `apis/apps/v1`: the names of version 3's documents. */
export const documentName = ({ group, version }: { group: string; version: string }) =>
  group === '' ? `api/${version}` : `apis/${group}/${version}`;

const operationsOf = (definition: ResourceDefinition): Operation[] =>
  isCustom(definition) ? customOperations(definition) : builtinOperations(definition);

const isCustom = ({ schema }: ResourceDefinition) => schema.structural !== undefined;

/** Swagger 2.0 of everything a tenant has. */
export function* openApi2(definitions: ResourceDefinition[], version: string): Steps<JsonSchema> {
  const schemas = new SchemaCollector(2, otherTypes(definitions));
  const builtin = definitions.filter((definition) => !isCustom(definition));
  const operations: Operation[] = [
    ...serverOperations().values(),
    ...groupsOf(builtin).map(groupOperation),
    ...new Set(builtin.map(documentName)).values().map(versionOperation),
    ...definitions.flatMap(operationsOf),
  ];
  const { paths, parameters } = yield* renderPaths2(operations, schemas);
  return {
    swagger: '2.0',
    info: info(version),
    paths,
    definitions: yield* schemas.collect(),
    parameters,
    securityDefinitions: { BearerToken: bearerToken },
    security: [{ BearerToken: [] }],
  };
}

/** The groups that have documents of their own; custom resources' have none. */
export const groupsOf = (definitions: readonly ResourceDefinition[]): string[] =>
  [...new Set(definitions.flatMap((definition) => (isCustom(definition) ? [] : definition.group)))].filter(
    (group) => group !== '',
  );

/** OpenAPI 3.0 of one group and version. */
export function* openApi3(definitions: ResourceDefinition[], version: string): Steps<JsonSchema> {
  const operations = definitions.flatMap(operationsOf);
  const builtin = definitions.find((definition) => !isCustom(definition));
  if (builtin !== undefined) {
    operations.push(versionOperation(documentName(builtin)));
    return yield* document3(operations, version, new SchemaCollector(3, otherTypes(definitions), builtin));
  }
  const schemas = new SchemaCollector(3, otherTypes(definitions), 'custom');
  const paths = yield* renderPaths3(operations, schemas);
  // As upstream: whoever made the definitions is not Kubernetes.
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes CRD Swagger', version: 'v0.1.0' },
    paths,
    components: { schemas: yield* schemas.collect() },
  };
}

export function* document3(
  operations: Operation[],
  version: string,
  schemas = new SchemaCollector(3),
): Steps<JsonSchema> {
  const paths = yield* renderPaths3(operations, schemas);
  const collected = yield* schemas.collect();
  const { type, ...more } = bearerToken;
  return {
    openapi: '3.0.0',
    info: info(version),
    paths,
    components: {
      ...(Object.keys(collected).length > 0 && { schemas: collected }),
      securitySchemes: { BearerToken: { type, ...more } },
    },
  };
}
