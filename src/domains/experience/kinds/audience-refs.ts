import { ruleRefs } from '#kernel/audiences/language/check-rule.ts';
import { AUDIENCE } from '#kernel/audiences/language/identity.ts';
import type { AudienceRule } from '#kernel/audiences/language/language.ts';
import type { Path } from '#kernel/base/failures.ts';

/** References of a targeted object: its audience, and the objects that its inline rule uses. */
export function audienceRefs(
  who: { readonly audience?: string; readonly when?: AudienceRule },
  at: Path,
): readonly { readonly path: Path; readonly kind: string; readonly name: string }[] {
  return [
    ...(who.audience === undefined ? [] : [{ path: [...at, 'audience'], kind: AUDIENCE, name: who.audience }]),
    ...(who.when === undefined ? [] : ruleRefs(who.when, [...at, 'when'])),
  ];
}
