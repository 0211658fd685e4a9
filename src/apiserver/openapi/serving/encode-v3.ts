import type { Steps } from '../../../base/steps.ts';
import type { JsonSchema } from '../schemas/schema-collector.ts';
import {
  any,
  boolean,
  double,
  type Encode,
  encodeWith,
  flag,
  headOf,
  named,
  namedSteps,
  number,
  part,
  parts,
  shape,
  text,
  texts,
  whole,
  wrapped,
} from './protobuf.ts';

/**
 * OpenAPI 3.0 as a protobuf message. Message names and numbers: openapiv3/OpenAPIv3.proto of google/gnostic-models.
 * Only what our documents contain is written.
 */
export function* encodeOpenApi3(document: JsonSchema): Steps<Buffer> {
  const { schemas, securitySchemes } = document['components'];
  const paths = yield* namedSteps(4, 1, pathItem, document['paths']);
  const components = [
    ...(schemas === undefined ? [] : [yield* namedSteps(1, 1, schema, schemas)]),
    encodeWith(afterSchemas, { securitySchemes }),
  ];
  const length = components.reduce((sum, one) => sum + one.length, 0);
  return Buffer.concat([encodeWith(beforePaths, document), paths, headOf(5, length), ...components]);
}

const reference = shape([['$ref', text(1)]]);
/** SchemaOrReference {schema = 1, reference = 2}. */
const schema: Encode = (writer, value) =>
  (value.$ref === undefined ? wrapped(1, plainSchema) : wrapped(2, reference))(writer, value);
const externalDocs = shape([
  ['description', text(1)],
  ['url', text(2)],
]);
const plainSchema = shape(
  [
    ['nullable', flag(1)],
    ['externalDocs', part(6, externalDocs)],
    ['example', part(7, any)],
    ['title', text(9)],
    ['multipleOf', double(10)],
    ['maximum', double(11)],
    ['exclusiveMaximum', flag(12)],
    ['minimum', double(13)],
    ['exclusiveMinimum', flag(14)],
    ['maxLength', whole(15)],
    ['minLength', whole(16)],
    ['pattern', text(17)],
    ['maxItems', whole(18)],
    ['minItems', whole(19)],
    ['uniqueItems', flag(20)],
    ['maxProperties', whole(21)],
    ['minProperties', whole(22)],
    ['required', texts(23)],
    ['enum', parts(24, any)],
    ['type', text(25)],
    ['allOf', parts(26, schema)],
    ['oneOf', parts(27, schema)],
    ['anyOf', parts(28, schema)],
    ['not', part(29, (writer, value) => plainSchema(writer, value))],
    // ItemsItem {schema_or_reference = 1}
    ['items', part(30, wrapped(1, schema))],
    // Properties {additional_properties = 1}
    ['properties', part(31, named(1, schema))],
    // AdditionalPropertiesItem {schema_or_reference = 1, boolean = 2}
    [
      'additionalProperties',
      part(32, (writer, value) => (typeof value === 'boolean' ? boolean(2) : wrapped(1, schema))(writer, value)),
    ],
    ['default', part(33, (writer, value) => standard(writer, value))],
    ['description', text(34)],
    ['format', text(35)],
  ],
  36,
);

/** DefaultType {number = 1, boolean = 2, string = 3}: whatever else a default may be has no place there. */
const standard: Encode = (writer, value) => {
  if (typeof value === 'number') number(1)(writer, value);
  else if (typeof value === 'boolean') boolean(2)(writer, value);
  else if (typeof value === 'string') texts(3)(writer, [value]);
};

const parameter = wrapped(
  1,
  shape([
    ['name', text(1)],
    ['in', text(2)],
    ['description', text(3)],
    ['required', flag(4)],
    ['schema', part(10, schema)],
  ]),
);
/** MediaTypes {additional_properties = 1}. */
const content = named(1, shape([['schema', part(1, schema)]]));
const requestBody = wrapped(
  1,
  shape([
    ['description', text(1)],
    ['content', part(2, content)],
    ['required', flag(3)],
  ]),
);
const response = wrapped(
  1,
  shape([
    ['description', text(1)],
    ['content', part(3, content)],
  ]),
);
const operation = shape(
  [
    ['tags', texts(1)],
    ['description', text(3)],
    ['operationId', text(5)],
    ['parameters', parts(6, parameter)],
    ['requestBody', part(7, requestBody)],
    // Responses {response_or_reference = 2}
    ['responses', part(8, named(2, response))],
  ],
  13,
);
const pathItem = shape([
  ['get', part(4, operation)],
  ['put', part(5, operation)],
  ['post', part(6, operation)],
  ['delete', part(7, operation)],
  ['options', part(8, operation)],
  ['head', part(9, operation)],
  ['patch', part(10, operation)],
  ['parameters', parts(13, parameter)],
]);
const securityScheme = wrapped(
  1,
  shape([
    ['type', text(1)],
    ['description', text(2)],
    ['name', text(3)],
    ['in', text(4)],
  ]),
);
const afterSchemas = shape([['securitySchemes', part(7, named(1, securityScheme))]]);

const beforePaths = shape([
  ['openapi', text(1)],
  [
    'info',
    part(
      2,
      shape([
        ['title', text(1)],
        ['version', text(6)],
      ]),
    ),
  ],
]);
