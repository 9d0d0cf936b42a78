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
  ResourceVersionTooLarge: 'Too large resource version',
};

/** The same problem, saying where and of what sort, but no value. */
export function problemWithoutValues({ path, reason }: Problem): Problem {
  return { path, reason, detail: `${WORDS[reason]} (it is secret and not shown)` };
}

/**
 * A refusal about a confidential object that shows nothing of what was sent or is stored. Only refusals of content can
 * show any: those about names, versions and permissions stay as they are.
 */
export function withoutValues(refusal: Refusal): Refusal {
  if (refusal.reason !== 'Invalid' && refusal.reason !== 'BadRequest') return refusal;
  const problems = refusal.problems.map(problemWithoutValues);
  const where = problems.map(({ path, detail }) => `${fieldPath(path)}: ${detail}`).join(', ');
  const message = `The object is refused (${refusal.code})${where === '' ? '; its content is secret and not shown' : `: ${where}`}`;
  return new Refusal(refusal.code, refusal.reason, message, { problems });
}

/** The annotation in which kubectl keeps the whole object. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const HIDDEN = '(secret)';

/** A confidential object of which every value outside its metadata is hidden; which fields it has still shows. */
export function withoutSecrets(object: ResourceObject): ResourceObject {
  const { apiVersion, kind, metadata, ...content } = object;
  const { annotations, ...rest } = metadata;
  const shown = Object.entries(annotations ?? {}).map(([key, value]) => [key, key === LAST_APPLIED ? HIDDEN : value]);
  return {
    ...(hidden(content) as object),
    apiVersion,
    kind,
    metadata: { ...rest, ...(annotations === undefined ? {} : { annotations: Object.fromEntries(shown) }) },
  };
}

function hidden(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return HIDDEN;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hidden(item)]));
}
