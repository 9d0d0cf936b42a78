import { attributeTable } from '#kernel/audiences/language/attributes.ts';
import { compileRule } from '#kernel/audiences/compile-audience.ts';
import type { Context } from '#kernel/audiences/language/language.ts';
import type { Path } from '#kernel/base/failures.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { toRule } from '../expression.ts';
import { UnsupportedSource } from '../unsupported-source.ts';
import { conditionExpression } from './condition.ts';
import type { FeatureValues } from './feature-values.ts';
import type { GrowthbookCondition } from './payload.ts';

/** The only attribute of a prerequisite condition. */
const VALUE = 'value';

/**
 * Variants of a feature whose value satisfies a condition, and whether null does. Decided at import, as the
 * values are known.
 */
export function variantsThatPass(
  condition: GrowthbookCondition,
  { type, variants }: Pick<FeatureValues, 'type' | 'variants'>,
  path: Path,
): { readonly names: readonly string[]; readonly onNull: boolean } {
  // Objects are compared for existence only, so their type does not matter.
  if (type === 'object' && !asksOnlyForExistence(condition))
    throw new UnsupportedSource(path, 'the value is an object; a prerequisite can only test whether it exists');
  const kind = { type: type === 'object' ? 'string' : type } as const;
  const expression = conditionExpression(condition, path, {
    kindOf: (attribute, at) => {
      if (attribute !== VALUE) throw new UnsupportedSource(at, 'a prerequisite can test only the value of a feature');
      return kind;
    },
    name: (attribute) => attribute,
    inGroup: (_group, _attribute, at) => {
      throw new UnsupportedSource(at, 'a prerequisite cannot test a saved group');
    },
    savedGroup: (_reference, at) => {
      throw new UnsupportedSource(at, 'a prerequisite cannot test a saved group');
    },
  });
  const rule = toRule(expression, path);
  const attributes = attributeTable([{ name: VALUE, ...kind, multiValued: false }]);
  const matches = typeof rule === 'boolean' ? () => rule : compileRule(rule, { attributes, matcher: () => undefined });
  const holds = (context: Context) => matches(context, 0) === true;
  return {
    names: variants.filter(({ value }) => holds({ [VALUE]: value })).map(({ name }) => name),
    onNull: holds({}),
  };
}

function asksOnlyForExistence(condition: GrowthbookCondition): boolean {
  return Object.entries(condition).every(
    ([key, value]) =>
      key === VALUE &&
      (value === null || (isRecord(value) && Object.keys(value).every((operator) => operator === '$exists'))),
  );
}
