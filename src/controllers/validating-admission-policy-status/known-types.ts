import type { StructTypes } from '../../api/cel/checker.ts';
import { joinedStructs } from '../../api/cel/declared-structs.ts';
import { KnownSchemaTypes } from '../../api/cel/schema-types.ts';
import type { CelType } from '../../api/cel/types.ts';
import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts';
import { schemaOf, schemaOfKind } from '../../api/generated-schema.ts';
import type { GroupVersionKind } from '../../api/object.ts';
import { declaredType, SchemaTypes } from '../../api/structural-schema/cel/declared-type.ts';
import type { JsonSchema } from '../../api/structural-schema/json-schema.ts';

export interface KnownType {
  type: CelType;
  structs: StructTypes;
}

/** Of Kubernetes' own kinds. */
export function builtinType({ group, version, kind }: GroupVersionKind): KnownType | undefined {
  const schema = schemaOfKind(group, version, kind);
  if (schema === undefined) return undefined;
  const structs = new KnownSchemaTypes(schema, kind);
  return { type: structs.root, structs };
}

/** Of one version of a custom resource; its metadata is every object's. */
export function customType(definition: CustomResourceDefinition, version: string): KnownType | undefined {
  const { kind } = definition.spec!.names!;
  const found = definition.spec!.versions!.find(({ name, served }) => served && name === version);
  const schema = found?.schema?.openAPIV3Schema as JsonSchema | undefined;
  const declared = schema === undefined ? undefined : declaredType(schema, true);
  if (declared === undefined) return undefined;
  const own = new SchemaTypes(declared, kind);
  const metadata = new KnownSchemaTypes(
    schemaOf('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta')!,
    `${kind}.metadata`,
  );
  return { type: own.self, structs: joinedStructs(metadata, own) };
}
