import { Refusal, fieldPath, type Problem } from '#kernel/base/failures.ts';
import type { ResourceObject } from './kind.ts';

const WORDS: Readonly<Record<Problem['reason'], string>> = {
  FieldValueRequired: 'Required value',
  FieldValueInvalid: 'Invalid value',
  FieldValueDuplicate: 'Duplicate value',
  FieldValueNotSupported: 'Unsupported value',
  FieldValueForbidden: 'Forbidden',
  FieldValueNotFound: 'Not found',
  FieldValueTooLong: 'Too long',
  FieldValueTooMany: 'Too many',
  FieldValueTypeInvalid: 'Invalid type',
  FieldManagerConflict: 'Conflict',
  ResourceVersionTooLarge: 'Too large resource version',
};

const NO_BASE64 = 'it is not valid base64: line breaks are not allowed';

/** The same problem with place and sort, without values. */
export function problemWithoutValues({ path, reason, detail }: Problem): Problem {
  // A problem that is hidden already keeps its explanation.
  const isNoBase64 = detail.includes('must be of type byte') || detail.includes(NO_BASE64);
  const why = isNoBase64 ? `${NO_BASE64}; ` : '';
  return { path, reason, detail: `${WORDS[reason]} (${why}it is secret and not shown)` };
}

/** Refusals of the request around an object, whose messages hold no content of it. Policies do not see any. */
const NOT_OF_CONTENT: ReadonlySet<string> = new Set([
  'admission/denied',
  'resources/field-not-selectable',
  'resources/bad-query',
  'resources/bad-delete-options',
  'resources/invalid-delete-options',
  'resources/name-mismatch',
  'resources/namespace-mismatch',
  'resources/version-on-create',
]);

/**
 * Removes the content of a confidential object from a refusal. Only refusals of content can show any: those of names,
 * versions and permissions stay as they are.
 */
export function withoutValues(refusal: Refusal): Refusal {
  if (refusal.reason !== 'Invalid' && refusal.reason !== 'BadRequest') return refusal;
  if (NOT_OF_CONTENT.has(refusal.code)) return refusal;
  const problems = refusal.problems.map(problemWithoutValues);
  const where = problems.map(({ path, detail }) => `${fieldPath(path)}: ${detail}`).join(', ');
  const message = `The object is refused (${refusal.code})${where === '' ? '; its content is secret and not shown' : `: ${where}`}`;
  return new Refusal(refusal.code, refusal.reason, message, { problems });
}

/** The annotation in which kubectl stores the whole object. */
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const HIDDEN = '(secret)';

/** Hides every value of a confidential object outside its metadata; field names stay visible. */
export function withoutSecrets(object: ResourceObject): ResourceObject {
  const { apiVersion, kind, metadata, ...content } = object;
  const { annotations, ...rest } = metadata;
  const shown = Object.entries(annotations ?? {}).map(([key, value]) => [key, key === LAST_APPLIED ? HIDDEN : value]);
  return {
    ...(hideValues(content) as object),
    apiVersion,
    kind,
    metadata: { ...rest, ...(annotations === undefined ? {} : { annotations: Object.fromEntries(shown) }) },
  };
}

function hideValues(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return HIDDEN;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hideValues(item)]));
}
