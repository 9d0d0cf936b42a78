import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { isObject, type JsonObject } from '#kernel/kinds/schema/own.ts';

/**
 * An OpenAPI 2.0 document as the protobuf message `openapi.v2.Document` of gnostic, which kubectl reads.
 *
 * @param paths, definitions made by `protobufEntry`
 */
export function openApiV2Protobuf(
  info: JsonObject,
  paths: readonly Uint8Array[],
  definitions: readonly Uint8Array[],
): Buffer {
  const writer = new BinaryWriter();
  text(writer, 1, '2.0');
  message(writer, 2, info, () => {
    text(writer, 1, info['title']);
    text(writer, 2, info['version']);
  });
  return Buffer.concat([writer.finish(), ...messageOf(8, paths), ...messageOf(9, definitions)]);
}

/** A path or a schema of the document: one entry of the map that has all of them. */
export function protobufEntry(part: 'paths' | 'definitions', name: string, value: JsonObject): Uint8Array {
  const writer = new BinaryWriter();
  const entry = { [name]: value };
  if (part === 'paths') writeMap(writer, 2, entry, writePath);
  else writeMap(writer, 1, entry, writeSchema);
  return writer.finish();
}

/** A message of parts that were written already. */
function messageOf(field: number, parts: readonly Uint8Array[]): readonly Uint8Array[] {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return [new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(length).finish(), ...parts];
}

const OPERATIONS = { get: 2, put: 3, post: 4, delete: 5, patch: 8 };

function writePath(writer: BinaryWriter, path: JsonObject): void {
  for (const [method, field] of Object.entries(OPERATIONS)) {
    message(writer, field, path[method], (operation) => {
      texts(writer, 1, operation['tags']);
      texts(writer, 6, operation['produces']);
      texts(writer, 7, operation['consumes']);
      writeParameters(writer, 8, operation['parameters']);
      message(writer, 9, operation['responses'], (responses) =>
        writeMap(writer, 1, responses, (_, response) =>
          message(writer, 1, response, () => {
            text(writer, 1, response['description']);
            // A schema, as opposed to a file.
            message(writer, 2, response['schema'], (schema) =>
              message(writer, 1, schema, () => writeSchema(writer, schema)),
            );
          }),
        ),
      );
      extensions(writer, 13, operation);
    });
  }
  writeParameters(writer, 9, path['parameters']);
}

/** Where a parameter that is no body stands: its message among the four, and the fields that are elsewhere in each. */
const PLACES = {
  query: { field: 3, name: 4, type: 6, format: 7 },
  path: { field: 4, name: 4, type: 5, format: 6 },
};

function writeParameters(writer: BinaryWriter, field: number, parameters: unknown): void {
  for (const parameter of Array.isArray(parameters) ? parameters.filter(isObject) : []) {
    message(writer, field, parameter, () =>
      // The parameter itself, as opposed to a reference to one.
      message(writer, 1, parameter, () => {
        if (parameter['in'] === 'body') message(writer, 1, parameter, () => writeBodyParameter(writer, parameter));
        else message(writer, 2, parameter, () => writePlainParameter(writer, parameter));
      }),
    );
  }
}

function writeBodyParameter(writer: BinaryWriter, parameter: JsonObject): void {
  text(writer, 2, parameter['name']);
  text(writer, 3, 'body');
  flag(writer, 4, parameter['required']);
  message(writer, 5, parameter['schema'], (schema) => writeSchema(writer, schema));
}

function writePlainParameter(writer: BinaryWriter, parameter: JsonObject): void {
  const place = parameter['in'] === 'path' ? PLACES.path : PLACES.query;
  message(writer, place.field, parameter, () => {
    flag(writer, 1, parameter['required']);
    text(writer, 2, parameter['in']);
    text(writer, 3, parameter['description']);
    text(writer, place.name, parameter['name']);
    text(writer, place.type, parameter['type']);
    text(writer, place.format, parameter['format']);
  });
}

const SCHEMA = {
  texts: { $ref: 1, format: 2, title: 3, description: 4, pattern: 13 },
  doubles: { multipleOf: 6, maximum: 7, minimum: 9 },
  flags: { exclusiveMaximum: 8, exclusiveMinimum: 10, uniqueItems: 16 },
  counts: { maxLength: 11, minLength: 12, maxItems: 14, minItems: 15, maxProperties: 17, minProperties: 18 },
};

function writeSchema(writer: BinaryWriter, schema: JsonObject): void {
  for (const [keyword, field] of Object.entries(SCHEMA.texts)) text(writer, field, schema[keyword]);
  for (const [keyword, field] of Object.entries(SCHEMA.doubles)) {
    const value = schema[keyword];
    if (typeof value === 'number') writer.tag(field, WireType.Bit64).double(value);
  }
  for (const [keyword, field] of Object.entries(SCHEMA.flags)) flag(writer, field, schema[keyword]);
  for (const [keyword, field] of Object.entries(SCHEMA.counts)) {
    const value = schema[keyword];
    if (typeof value === 'number') writer.tag(field, WireType.Varint).int64(value);
  }
  texts(writer, 19, schema['required']);
  for (const value of Array.isArray(schema['enum']) ? schema['enum'] : []) anything(writer, 20, value);
  message(writer, 21, schema['additionalProperties'], (values) =>
    message(writer, 1, values, () => writeSchema(writer, values)),
  );
  const { type } = schema;
  if (typeof type === 'string') message(writer, 22, schema, () => text(writer, 1, type));
  message(writer, 23, schema['items'], (items) => message(writer, 1, items, () => writeSchema(writer, items)));
  message(writer, 25, schema['properties'], (properties) => writeMap(writer, 1, properties, writeSchema));
  extensions(writer, 31, schema);
}

function text(writer: BinaryWriter, field: number, value: unknown): void {
  if (typeof value === 'string') writer.tag(field, WireType.LengthDelimited).string(value);
}

function texts(writer: BinaryWriter, field: number, values: unknown): void {
  for (const value of Array.isArray(values) ? values : []) text(writer, field, value);
}

function flag(writer: BinaryWriter, field: number, value: unknown): void {
  if (value === true) writer.tag(field, WireType.Varint).bool(true);
}

function message(writer: BinaryWriter, field: number, value: unknown, write: (value: JsonObject) => void): void {
  if (!isObject(value)) return;
  writer.tag(field, WireType.LengthDelimited).fork();
  write(value);
  writer.join();
}

/** A map, which is a list of { name = 1, value = 2 } there. */
function writeMap(
  writer: BinaryWriter,
  field: number,
  map: JsonObject,
  write: (writer: BinaryWriter, value: JsonObject) => void,
): void {
  for (const [name, value] of Object.entries(map)) {
    message(writer, field, map, () => {
      text(writer, 1, name);
      message(writer, 2, value, (item) => write(writer, item));
    });
  }
}

/** Any value travels as YAML, which JSON is. */
function anything(writer: BinaryWriter, field: number, value: unknown): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  text(writer, 2, JSON.stringify(value));
  writer.join();
}

function extensions(writer: BinaryWriter, field: number, value: JsonObject): void {
  for (const [name, extension] of Object.entries(value).filter(([keyword]) => keyword.startsWith('x-'))) {
    message(writer, field, value, () => {
      text(writer, 1, name);
      anything(writer, 2, extension);
    });
  }
}
