import { deepEqual } from '../../api/equality.ts';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
} from '../../api/generated/apiextensions-v1.ts';
import { type KubeObject, parseApiVersion } from '../../api/object.ts';
import type { ResourceDefinition, SubresourceDefinition, VersionedForm } from '../../api/resource-definition.ts';
import type { TypeSchema } from '../../api/schema.ts';
import { firstValue, parseJsonPath, printValue } from '../../api/structural-schema/json-path.ts';
import { typeSchemaOf } from '../../api/structural-schema/type-schema.ts';
import { compareVersions } from '../discovery/documents.ts';
import { columnsOf } from './columns.ts';
import type { Converter } from './conversion/webhook-converter.ts';
import { customResourceStrategy } from './strategy.ts';
import { schemaOfVersion } from './version-schema.ts';
import { versionedForm } from './versioned-form.ts';

const verbs = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];
const partVerbs = ['get', 'patch', 'update'];

/** `example.com`, `v1`, `Foo` -> `com.example.v1.Foo`: what OpenAPI calls the type. */
const modelName = (group: string, version: string, kind: string): string =>
  `${group.split('.').reverse().join('.')}.${version}.${kind}`;

/** What built-in resources have written by hand: one version of a CustomResourceDefinition as a resource. */
export function resourceOf(
  crd: CustomResourceDefinition,
  versionName: string,
  converter?: Converter,
): ResourceDefinition {
  const version = crd.spec.versions.find(({ name }) => name === versionName)!;
  const { group } = crd.spec;
  const accepted = crd.status?.acceptedNames;
  const names = accepted?.plural ? accepted : crd.spec.names;
  const kind = names.kind || crd.spec.names.kind;
  const structural = schemaOfVersion(version);
  const scale = version.subresources?.scale;
  const { deprecated, deprecationWarning } = version;
  const schemaOf = schemasOf(crd, versionName, kind);
  return {
    group,
    version: versionName,
    resource: crd.spec.names.plural,
    singular: names.singular ?? '',
    kind,
    listKind: names.listKind || `${kind}List`,
    namespaced: crd.spec.scope === 'Namespaced',
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    verbs,
    schema: schemaOf(`${group}/${versionName}`)!,
    subresources: subresourcesOf(version),
    columns: columnsOf(version.additionalPrinterColumns ?? []),
    selectableFields: selectableFieldsOf(version),
    hasGeneration: true,
    strategy: customResourceStrategy(structural, scale),
    versioned: versionedForm(crd, versionName, converter, schemaOf),
    ...(deprecated === true && {
      deprecationWarning: deprecationWarning ?? defaultDeprecationWarning(crd.spec, versionName),
    }),
    isTerminating: crd.metadata.deletionTimestamp !== undefined,
  };
}

/** The types of a definition's versions, made when asked for; those that are like the one at hand are that one. */
function schemasOf(crd: CustomResourceDefinition, own: string, kind: string): VersionedForm['schemaOf'] {
  const { group, versions } = crd.spec;
  const made = new Map<string, TypeSchema>();
  const make = (name: string): TypeSchema | undefined => {
    const version = versions.find((one) => one.name === name);
    if (version === undefined) return undefined;
    const structural = schemaOfVersion(version);
    const isLikeOwn = name !== own && deepEqual(structural, schemaOfVersion(versions.find((one) => one.name === own)!));
    return isLikeOwn ? schemaOf(`${group}/${own}`) : typeSchemaOf(modelName(group, name, kind), structural);
  };
  const schemaOf = (apiVersion: string): TypeSchema | undefined => {
    const known = made.get(apiVersion);
    if (known !== undefined) return known;
    const { group: asked, version } = parseApiVersion(apiVersion);
    const schema = asked === group ? make(version) : undefined;
    if (schema !== undefined) made.set(apiVersion, schema);
    return schema;
  };
  return schemaOf;
}

/** Source: apiextensions' defaultDeprecationWarning. */
function defaultDeprecationWarning({ group, names, versions }: CustomResourceDefinition['spec'], name: string): string {
  const [better] = versions
    .filter(({ name: other, served, deprecated }) => served && !deprecated && compareVersions(name, other) > 0)
    .toSorted((a, b) => compareVersions(a.name, b.name));
  const warning = `${group}/${name} ${names.kind} is deprecated`;
  return better === undefined ? warning : `${warning}; use ${group}/${better.name} ${names.kind}`;
}

function subresourcesOf({ subresources }: CustomResourceDefinitionVersion): SubresourceDefinition[] {
  const list: SubresourceDefinition[] = [];
  if (subresources?.status != null) list.push({ name: 'status', verbs: partVerbs });
  if (subresources?.scale != null) {
    const { specReplicasPath, statusReplicasPath, labelSelectorPath } = subresources.scale;
    list.push({
      name: 'scale',
      kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
      verbs: partVerbs,
      scale: { specReplicasPath, statusReplicasPath, ...(labelSelectorPath && { labelSelectorPath }) },
    });
  }
  return list;
}

function selectableFieldsOf(version: CustomResourceDefinitionVersion): ResourceDefinition['selectableFields'] {
  const fields: ResourceDefinition['selectableFields'] = {};
  for (const { jsonPath } of version.selectableFields ?? []) {
    const path = parseJsonPath(jsonPath);
    fields[jsonPath.replace(/^\./, '')] = (object: KubeObject) => printValue(firstValue(path, object)[0]);
  }
  return fields;
}
