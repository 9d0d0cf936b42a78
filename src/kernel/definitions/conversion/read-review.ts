import { isDeepStrictEqual } from 'node:util';
import { fieldPath, Refusal } from '#kernel/base/failures.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { validateMetadata } from '#kernel/kinds/metadata.ts';
import { getOwn, isObject, type JsonObject } from '#kernel/kinds/schema/own.ts';
import { refuseTooHeavy } from '#kernel/kinds/schema/weight.ts';
import { objectLimits } from '#kernel/store/rules/write.ts';

export const REVIEW = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'ConversionReview' } as const;

/** Fields of metadata that a conversion leaves as they are. Labels and annotations may change, all others are put back. */
const IDENTITY = ['name', 'namespace', 'uid'] as const;

/** Most characters of the message of a webhook that are repeated. */
const MESSAGE_CHARS_MAX = 500;

/** The request of a ConversionReview. */
export interface ReviewRequest {
  readonly uid: string;
  readonly desiredAPIVersion: string;
  readonly objects: readonly ResourceObject[];
}

/** The converted objects, or what is wrong with the answer. */
export type ReviewAnswer =
  | { readonly objects: readonly ResourceObject[]; readonly problem?: undefined }
  | { readonly objects?: undefined; readonly problem: string };

/** Reads the answer of a webhook to a ConversionReview, and holds it against the request: nothing in it is taken on trust. */
export function readReview(kind: Kind, request: ReviewRequest, text: string): ReviewAnswer {
  let review: unknown;
  try {
    review = JSON.parse(text);
  } catch {
    return { problem: 'its answer is not JSON' };
  }
  if (!isObject(review) || review['apiVersion'] !== REVIEW.apiVersion || review['kind'] !== REVIEW.kind) {
    return { problem: `its answer is no ${REVIEW.kind} of ${REVIEW.apiVersion}` };
  }
  const { response } = review;
  if (!isObject(response)) return { problem: 'its answer has no response' };
  if (response['uid'] !== request.uid)
    return { problem: `its response is for uid ${textOf(response['uid'])}, not for ${request.uid}` };
  const { result, convertedObjects } = response;
  if (!isObject(result) || result['status'] !== 'Success') return { problem: failureIn(result) };
  if (!Array.isArray(convertedObjects)) return { problem: 'its response has no convertedObjects' };
  const { length } = request.objects;
  if (convertedObjects.length !== length)
    return { problem: `it returned ${convertedObjects.length} objects, expected ${length}` };
  const objects: ResourceObject[] = [];
  for (const [index, original] of request.objects.entries()) {
    const converted: unknown = convertedObjects[index];
    const problem = problemOf(original, converted, request.desiredAPIVersion);
    const where = `object ${index} ("${original.metadata.name}")`;
    if (problem !== undefined) return { problem: `${where}: ${problem}` };
    const object = withMetadataOf(original, converted as ResourceObject);
    const excess = excessOf(kind, object);
    if (excess !== undefined) return { problem: `${where}: ${excess}` };
    objects.push(object);
  }
  return { objects };
}

function failureIn(result: unknown): string {
  const message = isObject(result) ? result['message'] : undefined;
  return typeof message === 'string' && message !== ''
    ? `it failed: ${message.slice(0, MESSAGE_CHARS_MAX)}`
    : 'its result is no success, and says nothing';
}

function problemOf({ kind, metadata }: ResourceObject, converted: unknown, apiVersion: string): string | undefined {
  if (!isObject(converted)) return 'it is no object';
  if (converted['apiVersion'] !== apiVersion)
    return `its apiVersion is ${textOf(converted['apiVersion'])}, expected ${apiVersion}`;
  if (converted['kind'] !== kind) return `its kind is ${textOf(converted['kind'])}, expected ${kind}`;
  const found = converted['metadata'];
  if (!isObject(found)) return 'it has no metadata';
  for (const field of IDENTITY) {
    if ((found[field] ?? '') !== (metadata[field] ?? ''))
      return `its metadata.${field} changed to ${textOf(found[field])}`;
  }
  for (const field of ['labels', 'annotations'] as const) {
    const texts = found[field];
    if (texts !== undefined && texts !== null && !isTexts(texts)) return `its metadata.${field} are not texts by key`;
  }
  return undefined;
}

/** The first thing that no client could write: too much, too deep, or a wrong label or annotation. */
function excessOf(kind: Kind, object: ResourceObject): string | undefined {
  try {
    refuseTooHeavy(object, objectLimits(kind));
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
  const { name, namespace, labels = {}, annotations = {} } = object.metadata;
  const [problem] = validateMetadata(kind, {
    name,
    ...(namespace !== undefined && { namespace }),
    labels,
    annotations,
  });
  return problem && `${fieldPath(problem.path)}: ${problem.detail}`;
}

function isTexts(value: unknown): boolean {
  return isObject(value) && Object.values(value).every((text) => typeof text === 'string');
}

function withMetadataOf({ metadata }: ResourceObject, converted: ResourceObject): ResourceObject {
  const { labels: _labels, annotations: _annotations, ...others } = metadata;
  const found: JsonObject = converted.metadata as unknown as JsonObject;
  const texts = ['labels', 'annotations'].flatMap((field) => {
    const value = getOwn(found, field);
    return value === undefined || value === null || isDeepStrictEqual(value, {}) ? [] : [[field, value] as const];
  });
  return { ...converted, metadata: { ...others, ...Object.fromEntries(texts) } };
}

function textOf(value: unknown): string {
  return (JSON.stringify(value) ?? 'absent').slice(0, 100);
}
