import type { ResourceDefinition } from '../../api/resource-definition.ts';
import { operationsOf, paths2, paths3 } from './paths.ts';
import { type JsonSchema, SchemaCollector } from './schemas.ts';

const info = (version: string) => ({ title: 'Kubernetes', version });

/** Swagger 2.0 of everything a tenant has. */
export function openApi2(definitions: ResourceDefinition[], version: string): JsonSchema {
  const schemas = new SchemaCollector(2);
  const operations = definitions.flatMap((definition) => operationsOf(definition, schemas));
  return { swagger: '2.0', info: info(version), paths: paths2(operations), definitions: schemas.schemas };
}

/** OpenAPI 3.0 of one group and version. */
export function openApi3(definitions: ResourceDefinition[], version: string): JsonSchema {
  const schemas = new SchemaCollector(3);
  const operations = definitions.flatMap((definition) => operationsOf(definition, schemas));
  return { openapi: '3.0.0', info: info(version), paths: paths3(operations), components: { schemas: schemas.schemas } };
}

/** `api/v1`, `apis/apps/v1`: the names of version 3's documents. */
export const documentName = ({ group, version }: { group: string; version: string }) =>
  group === '' ? `api/${version}` : `apis/${group}/${version}`;
