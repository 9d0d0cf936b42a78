import { httpRefusal } from '#kernel/http/refusals.ts';
import { isObject } from '#kernel/kinds/schema/own.ts';
import { refuseTooDeep } from '#kernel/kinds/schema/depth.ts';
import type { DocumentLimits } from '#kernel/kinds/schema/weight.ts';
import type { DecodedText } from '../text/json.ts';
import { malformedProtobuf } from '../text/malformed-body.ts';
import { Tally, decodeMessage } from './decode-message.ts';
import { MESSAGE_OF_KIND } from './kinds.ts';
import { message, one } from './message.ts';
import { DeleteOptions } from './meta.ts';

export const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf';

/** The first bytes of every Kubernetes object in protobuf. */
const MAGIC = Buffer.from('k8s\0');

/** The envelope of an object: which kind it is, and its own message. */
const Unknown = message({
  1: one('typeMeta', message({ 1: one('apiVersion'), 2: one('kind') })),
  2: one('raw', 'bytes'),
  3: one('contentEncoding'),
});

/**
 * Reads an object that a client sent as protobuf into the JSON object that it stands for. Throws a Refusal: 415 for kinds
 * that do not travel so, 400 for what cannot be read, 413 for what holds more than the limits.
 */
export function decodeProtobuf(bytes: Uint8Array, limits: DocumentLimits): DecodedText {
  const tally = new Tally(limits);
  if (bytes.length < MAGIC.length || MAGIC.compare(bytes, 0, MAGIC.length) !== 0) {
    throw malformedProtobuf([], 'it does not begin with the four bytes 6b 38 73 00');
  }
  const { typeMeta, raw, contentEncoding } = parts(decodeMessage(bytes.subarray(MAGIC.length), Unknown, tally));
  const { apiVersion, kind } = parts(typeMeta);
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') {
    throw malformedProtobuf([], 'it does not say its apiVersion and kind');
  }
  // Options are registered in every group: clients say the one of the object that they delete.
  const fields = kind === 'DeleteOptions' ? DeleteOptions : MESSAGE_OF_KIND.get(`${apiVersion}/${kind}`);
  if (fields === undefined || contentEncoding !== undefined) {
    const what = fields === undefined ? `of ${apiVersion} ${kind}` : `encoded as ${String(contentEncoding)}`;
    throw httpRefusal(
      'unsupported-media-type',
      `the body of the request was in an unknown format (${PROTOBUF_TYPE} ${what}) - accepted media types include: ` +
        'application/json, application/yaml',
    );
  }
  const object = parts(decodeMessage(Buffer.from(typeof raw === 'string' ? raw : '', 'base64'), fields, tally));
  const value = { kind, apiVersion, ...object };
  refuseTooDeep(value);
  return { value, duplicates: [] };
}

function parts(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : {};
}
