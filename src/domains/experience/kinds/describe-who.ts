import { describeRule } from '#kernel/audiences/language/describe-rule.ts';
import type { AudienceRule } from '#kernel/audiences/language/language.ts';

export const EVERYBODY = 'everybody';

/** Who something is for, in parts that must all hold; none where it is for everybody. */
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

/** `, for audience staff`, or nothing where it is for everybody. */
export function forWhom(who: Parameters<typeof whoParts>[0]): string {
  const parts = whoParts(who);
  return parts.length === 0 ? '' : `, for ${parts.join(' and ')}`;
}
