import { describeRule } from '#kernel/audiences/language/describe-rule.ts';
import type { AudienceRule } from '#kernel/audiences/language/language.ts';

export const EVERYBODY = 'everybody';

/** Targeting as parts that must all hold; empty for everybody. */
export function audienceParts({
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
export function audienceSuffix(who: Parameters<typeof audienceParts>[0]): string {
  const parts = audienceParts(who);
  return parts.length === 0 ? '' : `, for ${parts.join(' and ')}`;
}
