import { createHash } from 'node:crypto';
import { inTurns, type Steps } from '#kernel/base/turns.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { getOwn, isObject, type JsonObject } from '#kernel/kinds/schema/own.ts';
import { openApiV2Protobuf, protobufEntry } from './openapi-v2-protobuf.ts';
import { documentOfText, objectText, once } from './document.ts';
import type { OpenApiDocuments } from './openapi.ts';

/** The document at `/openapi/v2` in one of its forms. */
export interface OpenApiV2Document {
  readonly contentType: string;
  readonly body: string | Buffer;
  readonly etag: string;
}

/** As Kubernetes answers: clients refuse the name that they ask by, because no media type may have an @. */
const PROTOBUF_TYPE = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
/** The media types that kubectl up to 1.28 asks for. */
const PROTOBUF_TYPES: ReadonlySet<string> = new Set([
  PROTOBUF_TYPE,
  'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
  'application/com.github.googleapis.gnostic.openapiv2@68f4ded+protobuf',
]);
const JSON_TYPES: ReadonlySet<string> = new Set(['application/json', 'application/*', '*/*']);

/**
 * The one OpenAPI 2.0 document of all kinds, which older clients read instead of those of OpenAPI 3.0 that it is made of.
 * Returns what answers an Accept header; that throws a Refusal (406) for a form that there is not. Each form is made when it is
 * first asked for, in turns with other work.
 */
export function openApiV2(
  documents: OpenApiDocuments,
  version: string,
): (accept?: string) => Promise<OpenApiV2Document> {
  const json = once(() => jsonOf(documents, version));
  const protobuf = once(() => protobufOf(documents, version));
  return async (accept = '*/*') => {
    const types = accept.split(',').map((range) => range.split(';')[0]?.trim().toLowerCase() ?? '');
    const type = types.find((candidate) => PROTOBUF_TYPES.has(candidate) || JSON_TYPES.has(candidate));
    if (type === undefined) {
      throw resourceRefusal(
        'not-acceptable',
        `only the following media types are accepted: application/json, ${[...PROTOBUF_TYPES].join(', ')}`,
      );
    }
    return PROTOBUF_TYPES.has(type) ? protobuf() : json();
  };
}

async function jsonOf(documents: OpenApiDocuments, version: string): Promise<OpenApiV2Document> {
  const texts = { paths: new Map<string, string>(), definitions: new Map<string, string>() };
  await eachConverted(documents, (part, name, value) => texts[part].set(name, JSON.stringify(value)));
  const parts = `"paths":${objectText(texts.paths)},"definitions":${objectText(texts.definitions)}`;
  return documentOfText(`{"swagger":"2.0","info":${JSON.stringify(infoOf(version))},${parts}}`);
}

async function protobufOf(documents: OpenApiDocuments, version: string): Promise<OpenApiV2Document> {
  const entries = { paths: new Map<string, Uint8Array>(), definitions: new Map<string, Uint8Array>() };
  await eachConverted(documents, (part, name, value) => entries[part].set(name, protobufEntry(part, name, value)));
  const body = openApiV2Protobuf(infoOf(version), [...entries.paths.values()], [...entries.definitions.values()]);
  return { contentType: PROTOBUF_TYPE, body, etag: `"${createHash('sha256').update(body).digest('hex')}"` };
}

function infoOf(version: string): JsonObject {
  return { title: 'Backline', version };
}

/** Converts the parts of all documents, one after the other. */
async function eachConverted(
  documents: OpenApiDocuments,
  take: (part: 'paths' | 'definitions', name: string, value: JsonObject) => void,
): Promise<void> {
  for (const [at, document] of documents) {
    // The root lists the others.
    if (at === '/openapi/v3') continue;
    const { body } = await document();
    await inTurns(convertDocument(JSON.parse(body)));
  }

  function* convertDocument(group: unknown): Steps<void> {
    for (const [name, schema] of entriesAt(group, 'components', 'schemas')) {
      take('definitions', name, convertSchema(schema));
      yield;
    }
    for (const [path, item] of entriesAt(group, 'paths')) {
      take('paths', path, convertPath(item));
      yield;
    }
  }
}

function entriesAt(value: unknown, ...path: string[]): [string, unknown][] {
  for (const name of path) value = isObject(value) ? getOwn(value, name) : undefined;
  return isObject(value) ? Object.entries(value) : [];
}

/** Words that OpenAPI 2.0 lacks, or that its clients misread. */
const DROPPED = [
  'nullable',
  'default',
  'anyOf',
  'oneOf',
  'not',
  'allOf',
  'properties',
  'additionalProperties',
  'items',
];

/** As Kubernetes publishes schemas in the older form: alternatives left out, open objects without properties. */
function convertSchema(schema: unknown): JsonObject {
  if (!isObject(schema)) return {};
  const { $ref, allOf, properties, additionalProperties, items, type } = schema;
  if (typeof $ref === 'string') return { $ref: $ref.replace('#/components/schemas/', '#/definitions/') };
  // A reference with a description of its own.
  if (Array.isArray(allOf) && allOf.length === 1 && isObject(allOf[0]) && '$ref' in allOf[0]) {
    return { ...convertSchema(allOf[0]), ...('description' in schema && { description: schema['description'] }) };
  }
  const open = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const kept = Object.entries(schema).filter(([keyword]) => !DROPPED.includes(keyword));
  return {
    ...Object.fromEntries(kept),
    ...(isObject(properties) && !open && { properties: mapValues(properties, convertSchema) }),
    ...(isObject(additionalProperties) && { additionalProperties: convertSchema(additionalProperties) }),
    ...(type === 'array' && { items: convertSchema(items) }),
  };
}

const METHODS: ReadonlySet<string> = new Set(['get', 'put', 'post', 'delete', 'patch']);

function convertPath(item: unknown): JsonObject {
  if (!isObject(item)) return {};
  const operations = Object.entries(item).filter(([name]) => METHODS.has(name));
  const parameters = parametersOf(item);
  return {
    ...Object.fromEntries(operations.map(([method, operation]) => [method, convertOperation(operation)])),
    ...(parameters.length > 0 && { parameters }),
  };
}

function convertOperation(operation: unknown): JsonObject {
  if (!isObject(operation)) return {};
  const { requestBody, responses, tags } = operation;
  const consumes = entriesAt(requestBody, 'content');
  const required = isObject(requestBody) && requestBody['required'] === true;
  const body = consumes
    .slice(0, 1)
    .map(([, media]) => ({ name: 'body', in: 'body', ...(required && { required }), schema: schemaOf(media) }));
  const extensions = Object.entries(operation).filter(([name]) => name.startsWith('x-'));
  return {
    tags,
    consumes: consumes.length > 0 ? consumes.map(([type]) => type) : ['*/*'],
    produces: ['application/json', 'application/yaml'],
    parameters: [...body, ...parametersOf(operation)],
    responses: isObject(responses) ? mapValues(responses, convertResponse) : {},
    ...Object.fromEntries(extensions),
  };
}

function convertResponse(response: unknown): JsonObject {
  const [media] = entriesAt(response, 'content');
  return {
    description: isObject(response) ? response['description'] : '',
    ...(media !== undefined && { schema: schemaOf(media[1]) }),
  };
}

function schemaOf(media: unknown): JsonObject {
  return convertSchema(isObject(media) ? media['schema'] : undefined);
}

/** Parameters of paths and queries carry their type themselves. */
function parametersOf({ parameters }: JsonObject): JsonObject[] {
  if (!Array.isArray(parameters)) return [];
  return parameters.filter(isObject).map(({ schema, ...rest }) => ({ ...rest, ...convertSchema(schema) }));
}

function mapValues(object: JsonObject, make: (value: unknown) => JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, make(value)]));
}
