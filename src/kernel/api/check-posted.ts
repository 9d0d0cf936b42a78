import { fieldPath } from '#kernel/base/failures.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { FieldValidation } from '#kernel/store/rules/operation.ts';
import { structureOf } from '#kernel/kinds/structure.ts';
import { unknownFieldProblems } from '#kernel/kinds/unknown-fields.ts';
import { invalid } from '#kernel/store/rules/write.ts';

/**
 * The object of a posted question or command, without what its kind does not know. Refuses what does not fit the schema.
 * A posted object is carried out and not kept. An unknown field is refused: nobody would see later that it did
 * nothing. Only the kinds of Kubernetes, whose clients are newer than we are, have a warning.
 */
export function checkPosted(
  kind: Kind,
  given: ResourceObject,
  fieldValidation: FieldValidation,
): { readonly object: ResourceObject; readonly warnings: readonly string[] } {
  const structure = structureOf(kind);
  // The answer is written into the status: the one that was sent is ignored.
  const { status: _sent, ...sent } = given;
  const { value: known, unknown } = structure.prune(sent);
  const value = structure.applyDefaults(known);
  const isTheirs = kind.group.endsWith('.k8s.io');
  const isTolerant = fieldValidation === 'Ignore' || (isTheirs && fieldValidation === 'Warn');
  const problems = [...(isTolerant ? [] : unknownFieldProblems(structure, unknown)), ...structure.validate(value)];
  if (problems.length > 0) throw invalid(kind, given.metadata.name ?? '', problems);
  const warnings = fieldValidation === 'Warn' ? unknown.map((path) => `unknown field "${fieldPath(path)}"`) : [];
  return { object: value as ResourceObject, warnings };
}
