import parseVersion from 'semver/functions/parse.js';
import { epochMs } from '#kernel/audiences/language/instant.ts';
import type { Condition } from '#kernel/audiences/language/language.ts';
import { patternFault } from '#kernel/audiences/language/pattern.ts';
import type { Path } from '#kernel/base/failures.ts';
import type { AttributeBook } from '../attribute-book.ts';
import { all, any, leaf, not, type Expression } from '../expression.ts';
import { UnsupportedSource } from '../unsupported-source.ts';
import { inNetworks } from './networks.ts';
import type { Constraint } from './state.ts';

/** Context field that SDKs of Unleash use as the time, if present. */
export const CURRENT_TIME = 'currentTime';

const RANGES: Readonly<Record<string, string>> = {
  SEMVER_EQ: '=',
  SEMVER_GT: '>',
  SEMVER_GTE: '>=',
  SEMVER_LT: '<',
  SEMVER_LTE: '<=',
};
const BOUNDS = { NUM_GT: 'above', NUM_GTE: 'atLeast', NUM_LT: 'below', NUM_LTE: 'atMost' } as const;
const TEXTS = { STR_STARTS_WITH: 'startsWith', STR_ENDS_WITH: 'endsWith', STR_CONTAINS: 'contains' } as const;

/**
 * Translates a constraint with the semantics of unleash-client. All Unleash values are texts; absent ones
 * never match.
 */
export function constraintExpression(constraint: Constraint, path: Path, attributes: AttributeBook): Expression {
  const { operator, inverted } = constraint;
  const translated = operatorExpression(constraint, path, attributes);
  // SDKs evaluate an unknown operator to false, even inverted.
  if (translated === undefined) return false;
  const isInverted = (inverted === true) !== (operator === 'NOT_IN');
  return isInverted ? not(translated) : translated;
}

function operatorExpression(constraint: Constraint, path: Path, attributes: AttributeBook): Expression | undefined {
  const { contextName, operator, value } = constraint;
  const values = (constraint.values ?? []).filter((each) => each !== '').map((each) => each.trim());
  const about = (test: Omit<Condition, 'attribute'>): Expression =>
    leaf({ attribute: attributes.name(contextName, [...path, 'contextName']), ...test, absent: 'noMatch' });
  const folded = constraint.caseInsensitive === true ? { ignoreCase: true } : {};
  switch (operator) {
    case 'IN':
    case 'NOT_IN':
      return values.length > 0 && about({ in: values });
    case 'STR_STARTS_WITH':
    case 'STR_ENDS_WITH':
    case 'STR_CONTAINS':
      return values.length > 0 && about({ [TEXTS[operator]]: values, ...folded });
    case 'NUM_EQ':
    case 'NUM_GT':
    case 'NUM_GTE':
    case 'NUM_LT':
    case 'NUM_LTE': {
      const number = Number(value ?? undefined);
      if (Number.isNaN(number)) return false;
      if (!Number.isFinite(number)) throw new UnsupportedSource([...path, 'value'], `${String(value)} is not finite`);
      return about({ as: 'number', ...(operator === 'NUM_EQ' ? { in: [number] } : { [BOUNDS[operator]]: number }) });
    }
    case 'DATE_AFTER':
    case 'DATE_BEFORE':
      return dateExpression(operator, value ?? '', [...path, 'value'], attributes);
    case 'SEMVER_EQ':
    case 'SEMVER_GT':
    case 'SEMVER_GTE':
    case 'SEMVER_LT':
    case 'SEMVER_LTE': {
      const version = parseVersion(String(value ?? ''))?.version;
      if (version === undefined) return false;
      // Unleash rejects versions with a leading v.
      const isBare = not(about({ startsWith: ['v'] }));
      return all([about({ as: 'semver', semver: `${RANGES[operator] ?? ''}${version}` }), isBare]);
    }
    case 'REGEX': {
      if (value === undefined || value === null) return false;
      const pattern = String(value);
      if (pattern === '') return about({ startsWith: [''] });
      const fault = patternFault(pattern, constraint.caseInsensitive === true);
      // Unleash never matches an invalid expression.
      if (fault?.reason === 'syntax') return false;
      if (fault !== undefined)
        throw new UnsupportedSource(
          [...path, 'value'],
          `the expression ${pattern} has no translation: it ${fault.detail}`,
        );
      return about({ matches: pattern, ...(constraint.caseInsensitive === true ? { ignoreCase: true } : {}) });
    }
    case 'IN_CIDR':
      return inNetworks(attributes.name(contextName, [...path, 'contextName']), values, [...path, 'values']);
    default:
      return undefined;
  }
}

/** Compares the current time, from the context if it has one. */
function dateExpression(
  operator: 'DATE_AFTER' | 'DATE_BEFORE',
  value: string | number,
  path: Path,
  attributes: AttributeBook,
): Expression {
  const instant = new Date(value).getTime();
  if (Number.isNaN(instant)) return false;
  const isDate = typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value);
  if (!isDate && epochMs(value) === undefined)
    throw new UnsupportedSource(
      path,
      `"${value}" depends on the zone of the machine; write it with an offset, like 2026-12-01T00:00:00Z`,
    );
  const text = (ms: number) => new Date(ms).toISOString();
  const attribute = attributes.name(CURRENT_TIME, path);
  const isGiven = leaf({ attribute, exists: true });
  const [given, now]: [Condition, Condition] =
    operator === 'DATE_AFTER'
      ? [{ above: text(instant) }, { time: { after: text(instant + 1) } }]
      : [{ below: text(instant) }, { time: { before: text(instant) } }];
  return any([leaf({ attribute, ...given, absent: 'noMatch' }), all([not(isGiven), leaf(now)])]);
}
