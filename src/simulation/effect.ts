/** The effect of a variant on listeners who see it: a factor on their behaviour. */
interface VariantEffect {
  readonly flag: string;
  readonly variant: string;
  readonly on: 'plays' | 'skips' | 'subscriptions';
  readonly factor: number;
}

/** The effect of a release on listeners in its cohort. */
interface ReleaseEffect {
  readonly release: string;
  readonly on: 'conversions';
  readonly factor: number;
}

export type Effect = VariantEffect | ReleaseEffect;

/** The factor on the behaviour of a listener who saw these variants and is in the cohorts of these releases. */
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
