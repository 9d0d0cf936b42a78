import { isUtf8 } from 'node:buffer';
import { stringify } from 'yaml';
import { Refusal } from '#kernel/base/failures.ts';
import { httpRefusal } from '#kernel/http/refusals.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import type { Steps } from '#kernel/base/turns.ts';
import type { DocumentLimits } from '#kernel/kinds/schema/weight.ts';
import { CBOR_TYPE, decodeCbor } from './cbor.ts';
import { readJson, type DecodedText } from './text/json.ts';
import { PROTOBUF_TYPE, decodeProtobuf } from './protobuf/decode.ts';
import { parseYaml } from './text/yaml.ts';

const LIMITS = {
  /** Reading YAML takes up to 2 ms per KB and holds everybody up meanwhile; JSON takes a hundredth of that. */
  yamlCharsMax: 16 * 1024,
} as const;

const JSON_TYPES: ReadonlySet<string> = new Set(['application/json']);
const YAML_TYPES: ReadonlySet<string> = new Set([
  'application/yaml',
  'application/x-yaml',
  'text/yaml',
  'application/apply-patch+yaml',
]);

const CBOR_TYPES: ReadonlySet<string> = new Set([CBOR_TYPE, 'application/apply-patch+cbor']);

/** How much longer it takes to read YAML than JSON. */
export const YAML_FACTOR = 50;

/**
 * Reads the body of a request in steps: JSON, one YAML document, or the protobuf of a kind that has it. No content type
 * means JSON, as in Kubernetes. Calls `beforeYaml` before it reads YAML, which takes `YAML_FACTOR` times as long as JSON. Throws a
 * Refusal: 415 for other types, 400 for what cannot be read, 413 for what holds more than the limits.
 */
export function* decodeBody(
  contentType: string | undefined,
  bytes: Uint8Array,
  limits: DocumentLimits,
  beforeYaml: () => void = () => {},
): Steps<DecodedText> {
  const [type = '', ...parameters] = (contentType ?? 'application/json').toLowerCase().split(';');
  const charset = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith('charset='));
  if (type.trim() === PROTOBUF_TYPE) return decodeProtobuf(bytes, limits);
  if (CBOR_TYPES.has(type.trim())) return yield* decodeCbor(bytes, limits);
  const isYaml = YAML_TYPES.has(type.trim());
  if ((!isYaml && !JSON_TYPES.has(type.trim())) || (charset !== undefined && !/^charset="?utf-?8"?$/.test(charset))) {
    throw httpRefusal(
      'unsupported-media-type',
      `the body of the request was in an unknown format (${contentType ?? ''}) - accepted media types include: ` +
        `application/json, application/yaml, ${CBOR_TYPE}, ${PROTOBUF_TYPE}`,
    );
  }
  if (!isUtf8(bytes)) {
    throw resourceRefusal('not-utf8', 'The body is not valid UTF-8.');
  }
  const text = new TextDecoder().decode(bytes);
  // Most bodies that are called YAML are JSON.
  if (!isYaml) return yield* readJson(text, limits);
  if (/^\s*\{/.test(text)) {
    try {
      return yield* readJson(text, limits);
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== 'resources/malformed-body') throw error;
    }
  }
  beforeYaml();
  return decodeYaml(text);
}

function decodeYaml(text: string): DecodedText {
  if (text.length > LIMITS.yamlCharsMax) {
    throw resourceRefusal('yaml-too-large', `The YAML body has more than ${LIMITS.yamlCharsMax} characters.`);
  }
  const [document, ...others] = parseYaml(text);
  if (document === undefined) throw resourceRefusal('empty-body', 'The body is empty.');
  if (others.length > 0) {
    throw resourceRefusal('many-documents', 'The body holds more than one YAML document.');
  }
  return { value: document.value, duplicates: document.duplicates };
}

/** A JSON value as YAML that parsers of YAML 1.1 (kubectl) and 1.2 read alike. */
export function encodeYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false, compat: 'yaml-1.1' });
}
