import { schemaOf } from '../../../api/generated-schema.ts';
import { customPatchTypes } from '../../../api/patch/media-types.ts';
import type { ResourceDefinition, SubresourceDefinition } from '../../../api/resource-definition.ts';
import { listSchemaOf } from './list-schema.ts';
import {
  idAndTag,
  inPath,
  type Method,
  metaParameters,
  metaType,
  type Operation,
  type Parameter,
  pretty,
  titleOf,
} from './operation.ts';

const types = ['application/json', 'application/yaml'];

/** What can be done with a custom resource, as upstream says it. Source: apiextensions' openapi builder. */
export function customOperations(definition: ResourceDefinition): Operation[] {
  const { group, version, resource, namespaced, kind, schema } = definition;
  const root = `/apis/${group}/${version}`;
  const scope = namespaced ? [inPath('namespace')] : [];
  const collection = `${root}${namespaced ? '/namespaces/{namespace}' : ''}/${resource}`;
  const item = `${collection}/{name}`;
  const named = [...scope, inPath('name')];
  const words = `${namespaced ? 'Namespaced' : ''}${kind}`;
  const list = listSchemaOf(definition);
  const status = metaType('Status');
  const deleteOptions = { payload: metaType('DeleteOptions'), required: false };
  const made = (
    verb: string,
    rest: string,
    method: Method,
    action: string,
    path: string,
    parameters: Parameter[],
    options: string,
    more: Partial<Operation>,
  ): Operation => ({
    path,
    method,
    ...idAndTag(verb, rest, root),
    action,
    kind: { group, version, kind },
    parameters: [...parameters, ...metaParameters(options), pretty],
    codes: [200],
    answer: schema,
    consumes: types,
    produces: types,
    ...more,
  });
  const onOne = (subresource: SubresourceDefinition | undefined): Operation[] => {
    const path = subresource === undefined ? item : `${item}/${subresource.name}`;
    const rest = words + titleOf(subresource?.name ?? '');
    const answer = subresource?.name === 'scale' ? schemaOf('io.k8s.api.autoscaling.v1.Scale')! : schema;
    const body = { payload: answer, required: true };
    return [
      made('read', rest, 'get', 'get', path, named, 'GetOptions', { answer }),
      made('replace', rest, 'put', 'put', path, named, 'UpdateOptions', { answer, body, codes: [200, 201] }),
      made('patch', rest, 'patch', 'patch', path, named, 'PatchOptions', {
        answer,
        body: { payload: metaType('Patch'), required: true },
        consumes: [...customPatchTypes],
      }),
    ];
  };
  return [
    ...(namespaced
      ? [
          made('list', `${kind}ForAllNamespaces`, 'get', 'list', `${root}/${resource}`, [], 'ListOptions', {
            answer: list,
          }),
        ]
      : []),
    made('list', words, 'get', 'list', collection, scope, 'ListOptions', { answer: list }),
    made('create', words, 'post', 'post', collection, scope, 'CreateOptions', {
      body: { payload: schema, required: true },
      codes: [200, 201, 202],
    }),
    made('delete', `Collection${words}`, 'delete', 'deletecollection', collection, scope, 'ListOptions', {
      answer: status,
    }),
    ...onOne(undefined),
    made('delete', words, 'delete', 'delete', item, named, 'DeleteOptions', {
      answer: status,
      body: deleteOptions,
      codes: [200, 202],
    }),
    ...definition.subresources.flatMap(onOne),
  ];
}
