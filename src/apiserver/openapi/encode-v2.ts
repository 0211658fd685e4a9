import type { JsonSchema } from './schemas.ts';

/**
 * Swagger 2.0 as the protobuf message kubectl up to 1.26 (and newer ones as a last resort) asks for. Message names and
 * numbers: openapiv2/OpenAPIv2.proto of google/gnostic-models. Only what our documents contain is written.
 */
export function encodeOpenApi2(document: JsonSchema): Buffer {
  return message(
    text(1, document['swagger']),
    field(2, message(text(1, document['info'].title), text(2, document['info'].version))),
    field(8, message(...named(2, document['paths'], pathItem))),
    field(9, message(...named(1, document['definitions'], schema))),
  );
}

type Part = Buffer | undefined;
const message = (...parts: Part[]): Buffer => Buffer.concat(parts.filter((part) => part !== undefined));

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** A length-delimited field: a message or a string. */
function field(number: number, value: Buffer): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(value.length), value]);
}
const text = (number: number, value: string | undefined): Part =>
  value === undefined || value === '' ? undefined : field(number, Buffer.from(value));
const texts = (number: number, values: string[] | undefined): Part[] =>
  (values ?? []).map((value) => field(number, Buffer.from(value)));
const flag = (number: number, value: boolean | undefined): Part =>
  value === true ? Buffer.concat([varint(number * 8), varint(1)]) : undefined;

/** NamedX {name = 1, value = 2}, one for each member. */
function named(number: number, members: Record<string, any>, encode: (value: any) => Buffer): Buffer[] {
  return Object.entries(members).map(([name, value]) => field(number, message(text(1, name), field(2, encode(value)))));
}

/** Any {yaml = 2}; JSON is YAML. */
const any = (value: unknown): Buffer => message(text(2, JSON.stringify(value)));

function extensions(number: number, holder: Record<string, any>): Buffer[] {
  const members = Object.fromEntries(Object.entries(holder).filter(([name]) => name.startsWith('x-')));
  return named(number, members, any);
}

function schema(value: JsonSchema): Buffer {
  const additional = value['additionalProperties'];
  return message(
    text(1, value['$ref']),
    text(2, value['format']),
    value['default'] === undefined ? undefined : field(5, any(value['default'])),
    ...texts(19, value['required']),
    ...(value['enum'] ?? []).map((choice: unknown) => field(20, any(choice))),
    additional === undefined ? undefined : field(21, message(field(1, schema(additional)))),
    value['type'] === undefined ? undefined : field(22, message(text(1, value['type']))),
    value['items'] === undefined ? undefined : field(23, message(field(1, schema(value['items'])))),
    value['properties'] === undefined ? undefined : field(25, message(...named(1, value['properties'], schema))),
    ...extensions(31, value),
  );
}

const methodNumbers: Record<string, number> = { get: 2, put: 3, post: 4, delete: 5, patch: 8 };

function pathItem(item: Record<string, JsonSchema>): Buffer {
  return message(...Object.entries(item).map(([method, value]) => field(methodNumbers[method]!, operation(value))));
}

function operation(value: JsonSchema): Buffer {
  return message(
    text(5, value['operationId']),
    ...texts(6, value['produces']),
    ...texts(7, value['consumes']),
    // ParametersItem {parameter = 1}
    ...value['parameters'].map((one: JsonSchema) => field(8, message(field(1, parameter(one))))),
    // Responses {response_code = 1}, each a ResponseValue {response = 1}
    field(9, message(...named(1, value['responses'], (response) => message(field(1, answer(response)))))),
    ...extensions(13, value),
  );
}

function answer(value: JsonSchema): Buffer {
  const shown = value['schema'];
  // SchemaItem {schema = 1}
  return message(
    text(1, value['description']),
    shown === undefined ? undefined : field(2, message(field(1, schema(shown)))),
  );
}

/** Parameter {body_parameter = 1, non_body_parameter = 2 {query = 3, path = 4}}. */
function parameter(value: JsonSchema): Buffer {
  if (value['in'] === 'body') {
    return field(
      1,
      message(text(2, value['name']), text(3, 'body'), flag(4, value['required']), field(5, schema(value['schema']))),
    );
  }
  const isQuery = value['in'] === 'query';
  return field(
    2,
    field(
      isQuery ? 3 : 4,
      message(
        flag(1, value['required']),
        text(2, value['in']),
        text(4, value['name']),
        text(isQuery ? 6 : 5, value['type']),
        flag(isQuery ? 20 : 19, value['uniqueItems']),
      ),
    ),
  );
}
