import type { AudienceRule, Condition } from './language.ts';

/** Values that a sentence names; longer lists are given by their length. */
const VALUES_NAMED_MAX = 5;

/** A rule in words: `country is SE or NO, and appVersion is >=9; or …`. */
export function describeRule({ anyOf }: AudienceRule): string {
  return anyOf.map(({ allOf }) => allOf.map(describeCondition).join(', and ')).join('; or ');
}

function describeCondition(condition: Condition): string {
  const { attribute, audience, time, not = false, absent } = condition;
  const whole =
    attribute !== undefined
      ? `${attribute}${condition.as === undefined ? '' : ` (as ${condition.as})`} ${describeTest(condition)}`
      : audience !== undefined
        ? `audience ${audience}`
        : `time ${describeTime(time ?? {})}`;
  const positive = absent === 'match' ? `(${whole}, or is not known)` : whole;
  return not ? `not (${positive})` : positive;
}

function describeTest(condition: Condition): string {
  const { in: members, notIn, exists, startsWith, endsWith, contains, matches, semver, cidr } = condition;
  if (members !== undefined) return `is ${list(members)}`;
  if (notIn !== undefined) return `is not ${list(notIn)}`;
  if (exists !== undefined) return exists ? 'is known' : 'is not known';
  if (startsWith !== undefined) return `starts with ${list(startsWith)}`;
  if (endsWith !== undefined) return `ends with ${list(endsWith)}`;
  if (contains !== undefined) return `contains ${list(contains)}`;
  if (matches !== undefined) return `matches /${matches}/`;
  if (semver !== undefined) return `is version ${semver}`;
  if (cidr !== undefined) return `is in ${list(cidr)}`;
  const { atLeast, above, atMost, below } = condition;
  return Object.entries({ 'is at least': atLeast, 'is above': above, 'is at most': atMost, 'is below': below })
    .filter(([, bound]) => bound !== undefined)
    .map(([words, bound]) => `${words} ${String(bound)}`)
    .join(' and ');
}

function describeTime({ zone, days, from, until, after, before }: NonNullable<Condition['time']>): string {
  const isDaily = days !== undefined || from !== undefined || until !== undefined;
  return [
    days === undefined ? '' : `on ${days.join(', ')}`,
    from === undefined ? '' : `from ${from}`,
    until === undefined ? '' : `until ${until}`,
    isDaily ? `(${zone ?? 'UTC'})` : '',
    after === undefined ? '' : `after ${after}`,
    before === undefined ? '' : `before ${before}`,
  ]
    .filter((part) => part !== '')
    .join(' ');
}

function list(values: readonly unknown[]): string {
  return values.length <= VALUES_NAMED_MAX ? values.map(String).join(' or ') : `one of ${values.length} values`;
}
