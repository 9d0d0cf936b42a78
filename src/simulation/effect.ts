/** What a variant does to those who see it: a factor on what they would have done. */
interface VariantEffect {
  readonly flag: string;
  readonly variant: string;
  readonly on: 'plays' | 'skips' | 'subscriptions';
  readonly factor: number;
}

/** What a release does to those who get what it carries. */
interface ReleaseEffect {
  readonly release: string;
  readonly on: 'conversions';
  readonly factor: number;
}

export type Effect = VariantEffect | ReleaseEffect;

/** By how much more or less is done by whoever saw these variants, or got what these releases carry. */
export function factorOf(
  effects: readonly Effect[],
  on: Effect['on'],
  seen: {
    readonly shown?: readonly { readonly flag: string; readonly variant: string }[];
    readonly releases?: readonly string[];
  },
): number {
  const { shown = [], releases = [] } = seen;
  return effects
    .filter((effect) =>
      'release' in effect
        ? releases.includes(effect.release)
        : shown.some(({ flag, variant }) => flag === effect.flag && variant === effect.variant),
    )
    .reduce((product, effect) => (effect.on === on ? product * effect.factor : product), 1);
}
