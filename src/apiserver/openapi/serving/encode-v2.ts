import type { Steps } from '../../../base/steps.ts';
import type { JsonSchema } from '../schemas/schema-collector.ts';
import {
  any,
  boolean,
  double,
  type Encode,
  encodeWith,
  flag,
  named,
  namedSteps,
  part,
  parts,
  shape,
  text,
  texts,
  whole,
  wrapped,
} from './protobuf.ts';

/**
 * Swagger 2.0 as the protobuf message kubectl up to 1.26 (and newer ones as a last resort) asks for. Message names and
 * numbers: openapiv2/OpenAPIv2.proto of google/gnostic-models. Only what our documents contain is written.
 */
export function* encodeOpenApi2(document: JsonSchema): Steps<Buffer> {
  return Buffer.concat([
    encodeWith(beforePaths, document),
    yield* namedSteps(8, 2, pathItem, document['paths']),
    yield* namedSteps(9, 1, schema, document['definitions']),
    encodeWith(afterDefinitions, document),
  ]);
}

const own: Encode = (writer, value) => schema(writer, value);
const externalDocs = shape([
  ['description', text(1)],
  ['url', text(2)],
]);
const schema = shape(
  [
    ['$ref', text(1)],
    ['format', text(2)],
    ['title', text(3)],
    ['description', text(4)],
    ['default', part(5, any)],
    ['multipleOf', double(6)],
    ['maximum', double(7)],
    ['exclusiveMaximum', flag(8)],
    ['minimum', double(9)],
    ['exclusiveMinimum', flag(10)],
    ['maxLength', whole(11)],
    ['minLength', whole(12)],
    ['pattern', text(13)],
    ['maxItems', whole(14)],
    ['minItems', whole(15)],
    ['uniqueItems', flag(16)],
    ['maxProperties', whole(17)],
    ['minProperties', whole(18)],
    ['required', texts(19)],
    ['enum', parts(20, any)],
    // AdditionalPropertiesItem {schema = 1, boolean = 2}
    [
      'additionalProperties',
      part(21, (writer, value) => (typeof value === 'boolean' ? boolean(2) : wrapped(1, own))(writer, value)),
    ],
    // TypeItem {value = 1}
    ['type', part(22, text(1))],
    // ItemsItem {schema = 1}
    ['items', part(23, wrapped(1, own))],
    // Properties {additional_properties = 1}
    ['properties', part(25, named(1, own))],
    ['externalDocs', part(29, externalDocs)],
    ['example', part(30, any)],
  ],
  31,
);

const bodyParameter = shape([
  ['description', text(1)],
  ['name', text(2)],
  ['in', text(3)],
  ['required', flag(4)],
  ['schema', part(5, schema)],
]);
/** Parameters of queries have one number more: whether they may be empty. */
const plainParameter = (more: 0 | 1) =>
  shape([
    ['required', flag(1)],
    ['in', text(2)],
    ['description', text(3)],
    ['name', text(4)],
    ['type', text(5 + more)],
    ['uniqueItems', flag(19 + more)],
  ]);
// NonBodyParameter {query_parameter_sub_schema = 3, path_parameter_sub_schema = 4}
const queryParameter = wrapped(3, plainParameter(1));
const pathParameter = wrapped(4, plainParameter(0));
/** Parameter {body_parameter = 1, non_body_parameter = 2}. */
const parameter: Encode = (writer, value) => {
  if (value.in === 'body') wrapped(1, bodyParameter)(writer, value);
  else wrapped(2, value.in === 'query' ? queryParameter : pathParameter)(writer, value);
};
const reference = shape([['$ref', text(1)]]);
/** ParametersItem {parameter = 1, json_reference = 2}. */
const parametersItem: Encode = (writer, value) =>
  (value.$ref === undefined ? wrapped(1, parameter) : wrapped(2, reference))(writer, value);

/** ResponseValue {response = 1}, SchemaItem {schema = 1}. */
const response = wrapped(
  1,
  shape([
    ['description', text(1)],
    ['schema', part(2, wrapped(1, schema))],
  ]),
);

const operation = shape(
  [
    ['tags', texts(1)],
    ['description', text(3)],
    ['operationId', text(5)],
    ['produces', texts(6)],
    ['consumes', texts(7)],
    ['parameters', parts(8, parametersItem)],
    ['responses', part(9, named(1, response))],
    ['schemes', texts(10)],
  ],
  13,
);

const pathItem = shape([
  ['get', part(2, operation)],
  ['put', part(3, operation)],
  ['post', part(4, operation)],
  ['delete', part(5, operation)],
  ['options', part(6, operation)],
  ['head', part(7, operation)],
  ['patch', part(8, operation)],
  ['parameters', parts(9, parametersItem)],
]);

const info = shape([
  ['title', text(1)],
  ['version', text(2)],
]);
const apiKey = shape([
  ['type', text(1)],
  ['name', text(2)],
  ['in', text(3)],
  ['description', text(4)],
]);

const beforePaths = shape([
  ['swagger', text(1)],
  ['info', part(2, info)],
]);
const afterDefinitions = shape([
  ['parameters', part(10, named(1, parameter))],
  // SecurityRequirement {additional_properties = 1}, of StringArray {value = 1}
  ['security', parts(12, named(1, texts(1)))],
  // SecurityDefinitionsItem {api_key_security = 2}
  ['securityDefinitions', part(13, named(1, wrapped(2, apiKey)))],
]);
