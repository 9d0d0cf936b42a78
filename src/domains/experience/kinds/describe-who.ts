import { describeRule } from '#kernel/audiences/language/describe-rule.ts';
import type { AudienceRule } from '#kernel/audiences/language/language.ts';

export const EVERYBODY = 'everybody';

/** Targeting as parts that must all hold; empty for everybody. */
export function whoParts({
  audience,
  when,
}: {
  readonly audience?: string;
  readonly when?: AudienceRule;
}): readonly string[] {
  return [
    ...(audience === undefined ? [] : [`audience ${audience}`]),
    ...(when === undefined ? [] : [describeRule(when)]),
  ];
}

/** `, for audience staff`, or empty for everybody. */
export function forWhom(who: Parameters<typeof whoParts>[0]): string {
  const parts = whoParts(who);
  return parts.length === 0 ? '' : `, for ${parts.join(' and ')}`;
}
