import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Refusal } from '#kernel/base/failures.ts';
import { flagRefusal } from '#domains/experience/refusals.ts';

/** Requirements for a document before translation. */
export interface Format<Schema extends TSchema> {
  /** Noun for "This is not a …". */
  readonly name: string;
  readonly check: (document: unknown) => document is Static<Schema>;
  readonly firstError: (document: unknown) => { readonly at: string; readonly says: string };
  /** Where to get such a document, as a sentence. */
  readonly remedy: string;
}

export function format<Schema extends TSchema>(name: string, schema: Schema, remedy: string): Format<Schema> {
  const compiled = Compile(schema);
  return {
    name,
    remedy,
    check: (document) => compiled.Check(document),
    firstError: (document) => {
      const [error] = compiled.Errors(document);
      return { at: error?.instancePath ?? '', says: error?.message ?? 'must be something else' };
    },
  };
}

/** The parsed document. Throws a Refusal that names the fault, its position and the expected value. */
export function parseDocument<Schema extends TSchema>(expected: Format<Schema>, document: unknown): Static<Schema> {
  if (expected.check(document)) return document;
  const { at, says } = expected.firstError(document);
  throw notSuch(expected, `${at === '' ? 'the document' : at} ${says}`);
}

/** Refusal of a document in another format. `because` is a sentence without its full stop. */
export function notSuch({ name, remedy }: Pick<Format<TSchema>, 'name' | 'remedy'>, because: string): Refusal {
  return flagRefusal('not-importable', `This is not a ${name}: ${because}.`, { remedy });
}
