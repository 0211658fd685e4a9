import { schemaOf, schemaOfKind } from '../../../api/generated-schema.ts';
import { patchTypes } from '../../../api/patch/media-types.ts';
import type { ResourceDefinition, SubresourceDefinition } from '../../../api/resource-definition.ts';
import { hasProtobuf } from '../../protobuf/encode-protobuf.ts';
import { returnsDeleted } from '../../verbs/objects/deleted-answer.ts';
import { listSchemaOf } from './list-schema.ts';
import {
  idAndTag,
  inPath,
  type Method,
  metaParameters,
  metaType,
  type Operation,
  type Parameter,
  parametersOf,
  pretty,
  titleOf,
} from './operation.ts';

const protobufType = 'application/vnd.kubernetes.protobuf';
const textTypes = ['application/json', 'application/yaml'];
export const objectTypes = [...textTypes, protobufType];
const streamTypes = ['application/json;stream=watch', `${protobufType};stream=watch`];

const streamMethods: Method[] = ['get', 'post'];
const proxyMethods: Method[] = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'];

/** Subresources that a client connects to, and how. */
const connected: Record<string, { methods: Method[]; hasPath: boolean }> = {
  attach: { methods: streamMethods, hasPath: false },
  exec: { methods: streamMethods, hasPath: false },
  portforward: { methods: streamMethods, hasPath: false },
  proxy: { methods: proxyMethods, hasPath: true },
};

/** What can be done with a resource and its subresources. Source: apiserver's APIInstaller. */
export function builtinOperations(definition: ResourceDefinition): Operation[] {
  const { group, version, resource, namespaced } = definition;
  const root = `${group === '' ? '/api' : `/apis/${group}`}/${version}`;
  const scope = namespaced ? [inPath('namespace')] : [];
  const collection = `${namespaced ? '/namespaces/{namespace}' : ''}/${resource}`;
  const at: Place = { definition, root, collection, scope, named: [...scope, inPath('name')] };
  return [
    ...readingMany(at),
    ...writingMany(at),
    ...onOne(at, undefined),
    ...definition.subresources.flatMap((subresource) =>
      connected[subresource.name] === undefined ? onOne(at, subresource) : connecting(at, subresource),
    ),
  ];
}

interface Place {
  definition: ResourceDefinition;
  /** `/apis/apps/v1` */
  root: string;
  /** `/namespaces/{namespace}/deployments` */
  collection: string;
  scope: Parameter[];
  named: Parameter[];
}

/** @param words what the id says after group and version. */
function operation(
  { definition, root }: Place,
  verb: string,
  words: string,
  path: string,
  more: Partial<Operation> & Pick<Operation, 'method' | 'action'>,
): Operation {
  const { group, version, kind, schema } = definition;
  return {
    path: root + path,
    ...idAndTag(verb, words, root),
    kind: { group, version, kind },
    codes: [200],
    answer: schema,
    consumes: ['*/*'],
    produces: hasProtobuf(definition) ? objectTypes : textTypes,
    ...more,
    parameters: [...(more.parameters ?? []), pretty],
  };
}

const wordsOf = ({ namespaced, kind }: ResourceDefinition) => `${namespaced ? 'Namespaced' : ''}${kind}`;

/** Lists, and the watches of them that have paths of their own. */
function readingMany(at: Place): Operation[] {
  const { definition, collection, scope, named } = at;
  const { group, version, resource, kind, listKind, namespaced, verbs } = definition;
  const words = wordsOf(definition);
  const listing = metaParameters('ListOptions');
  const all = [...objectTypes, ...streamTypes];
  const produces = hasProtobuf(definition) ? all : all.filter((type) => !type.startsWith(protobufType));
  const answer = schemaOfKind(group, version, listKind) ?? listSchemaOf(definition);
  const watchEvent = metaType('WatchEvent');
  const operations: Operation[] = [];
  const read = (verb: string, action: string, rest: string, path: string, parameters: Parameter[]) =>
    operations.push(
      operation(at, verb, rest, path, {
        method: 'get',
        action,
        parameters: [...parameters, ...listing],
        answer: verb === 'watch' ? watchEvent : answer,
        produces,
      }),
    );
  const lists = verbs.includes('list');
  const watches = verbs.includes('watch');
  if (lists) read('list', 'list', words, collection, scope);
  if (lists && watches) read('watch', 'watchlist', `${words}List`, `/watch${collection}`, scope);
  if (watches) read('watch', 'watch', words, `/watch${collection}/{name}`, named);
  if (namespaced && lists) read('list', 'list', `${kind}ForAllNamespaces`, `/${resource}`, []);
  if (namespaced && lists && watches) {
    read('watch', 'watchlist', `${kind}ListForAllNamespaces`, `/watch/${resource}`, []);
  }
  return operations;
}

const deleteOptions = () => ({ payload: metaType('DeleteOptions'), required: false });

function writingMany(at: Place): Operation[] {
  const { definition, collection, scope } = at;
  const { verbs, schema } = definition;
  const words = wordsOf(definition);
  const operations: Operation[] = [];
  if (verbs.includes('create')) {
    operations.push(
      operation(at, 'create', words, collection, {
        method: 'post',
        action: 'post',
        parameters: [...scope, ...metaParameters('CreateOptions')],
        body: { payload: schema, required: true },
        codes: [200, 201, 202],
      }),
    );
  }
  if (verbs.includes('deletecollection')) {
    const listing = metaParameters('ListOptions', ['watch', 'allowWatchBookmarks']);
    operations.push(
      operation(at, 'delete', `Collection${words}`, collection, {
        method: 'delete',
        action: 'deletecollection',
        parameters: [...scope, ...metaParameters('DeleteOptions').filter(isNew(listing)), ...listing],
        body: deleteOptions(),
        answer: metaType('Status'),
      }),
    );
  }
  return operations;
}

const isNew = (known: Parameter[]) => (one: Parameter) => !known.some(({ name }) => name === one.name);

/** On one object, or a part of it. */
function onOne(at: Place, subresource: SubresourceDefinition | undefined): Operation[] {
  const { definition, named } = at;
  const kind = subresource?.kind ?? definition;
  const schema =
    subresource?.kind === undefined ? definition.schema : schemaOfKind(kind.group, kind.version, kind.kind);
  if (schema === undefined) return [];
  const path = `${at.collection}/{name}${subresource === undefined ? '' : `/${subresource.name}`}`;
  const words = wordsOf(definition) + titleOf(subresource?.name ?? '');
  const isLog = subresource?.name === 'log';
  const made = (verb: string, method: Method, options: string, more: Partial<Operation>) =>
    operation(at, verb, words, path, {
      method,
      action: method,
      kind: { group: kind.group, version: kind.version, kind: kind.kind },
      answer: schema,
      parameters: [...named, ...(options === '' ? [] : metaParameters(options))],
      ...more,
    });
  const byVerb: Record<string, () => Operation> = {
    get: () =>
      made('read', 'get', '', {
        ...(isLog && {
          answer: 'string',
          parameters: [...named, ...parametersOf('io.k8s.api.core.v1.PodLogOptions')],
          produces: ['text/plain', ...objectTypes],
        }),
      }),
    update: () =>
      made('replace', 'put', 'UpdateOptions', { body: { payload: schema, required: true }, codes: [200, 201] }),
    patch: () =>
      made('patch', 'patch', 'PatchOptions', {
        body: { payload: metaType('Patch'), required: true },
        codes: [200, 201],
        consumes: [...patchTypes],
      }),
    create: () =>
      made('create', 'post', 'CreateOptions', { body: { payload: schema, required: true }, codes: [200, 201, 202] }),
    delete: () =>
      made('delete', 'delete', 'DeleteOptions', {
        body: deleteOptions(),
        answer: returnsDeleted(definition) ? schema : metaType('Status'),
        codes: [200, 202],
      }),
  };
  // Creating is of the collection, unless it is a subresource that is created.
  const verbs = subresource?.verbs ?? definition.verbs.filter((verb) => verb !== 'create');
  return verbs.flatMap((verb) => byVerb[verb]?.() ?? []);
}

/** Streams and proxies: what they take and give is theirs. */
function connecting(at: Place, { name, kind }: SubresourceDefinition): Operation[] {
  const { definition, root, collection, named } = at;
  const { methods, hasPath } = connected[name]!;
  const of = kind ?? definition;
  const options = `io.k8s.api.core.v1.${of.kind}`;
  const asked = schemaOf(options) === undefined ? [] : parametersOf(options);
  return ['', ...(hasPath ? ['/{path}'] : [])].flatMap((rest) =>
    methods.map((method): Operation => {
      const words = titleOf(method) + wordsOf(definition) + titleOf(name) + (rest === '' ? '' : 'WithPath');
      return {
        path: `${root}${collection}/{name}/${name}${rest}`,
        method,
        ...idAndTag('connect', words, root),
        action: 'connect',
        kind: { group: of.group, version: of.version, kind: of.kind },
        parameters: [...named, ...(rest === '' ? [] : [inPath('path')]), ...asked],
        codes: [200],
        answer: 'string',
        consumes: ['*/*'],
        produces: ['*/*'],
      };
    }),
  );
}
