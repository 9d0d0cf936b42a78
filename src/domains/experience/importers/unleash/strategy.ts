import type { Path } from '#kernel/base/failures.ts';
import type { AttributeBook } from '../attribute-book.ts';
import type { Traffic } from '../../kinds/parts.ts';
import { RANDOM_UNIT } from '../../kinds/parts.ts';
import { any, leaf, type Expression } from '../expression.ts';
import { UnsupportedSource } from '../unsupported-source.ts';
import { inNetworks, isPlainIpv4 } from './networks.ts';
import type { Strategy, UnleashVariant } from './state.ts';

/** Hash seed for variants; gradual releases use 0. */
const VARIANT_SEED = 86_028_157;
/** Host name, which an SDK knows itself; here the context must provide it. */
export const HOSTNAME = 'hostname';

/** Listeners that a strategy matches, without its constraints and segments. */
export interface StrategyMatch {
  readonly who: Expression;
  readonly traffic?: Traffic;
}

/** Translates a strategy that every Unleash SDK has. Throws UnsupportedSource for a custom strategy. */
export function strategyTakes({ name, parameters }: Strategy, path: Path, attributes: AttributeBook): StrategyMatch {
  const at = [...path, 'parameters'];
  const parameter = (key: string) => String(parameters?.[key] ?? '');
  const attribute = (source: string) => attributes.name(source, at);
  const isOneOf = (source: string, values: readonly string[]) =>
    values.length > 0 && leaf({ attribute: attribute(source), in: [...values], absent: 'noMatch' });
  switch (name) {
    case 'default':
      return { who: true };
    case 'userWithId': {
      const ids = parameter('userIds');
      return { who: isOneOf('userId', ids === '' ? [] : splitList(ids)) };
    }
    case 'remoteAddress': {
      const ranges = parameter('IPs') === '' ? [] : splitList(parameter('IPs'));
      const texts = ranges.filter((range) => !isPlainIpv4(range));
      const networks = ranges.filter((range) => !range.includes(':'));
      return {
        who: any([isOneOf('remoteAddress', texts), inNetworks(attribute('remoteAddress'), networks, [...at, 'IPs'])]),
      };
    }
    case 'applicationHostname': {
      const hosts = parameter('hostNames');
      const values = splitList(hosts.toLowerCase());
      return {
        who:
          hosts !== '' &&
          leaf({ attribute: attribute(HOSTNAME), in: [...values], ignoreCase: true, absent: 'noMatch' }),
      };
    }
    case 'gradualRolloutRandom':
      return gradual([RANDOM_UNIT], parameter('percentage'), '');
    case 'gradualRolloutUserId':
      return gradual(['userId'], parameter('percentage'), parameter('groupId'));
    case 'gradualRolloutSessionId':
      return gradual(['sessionId'], parameter('percentage'), parameter('groupId'));
    case 'flexibleRollout': {
      const stickiness = parameter('stickiness');
      const units =
        stickiness === '' || stickiness === 'default'
          ? ['userId', 'sessionId', RANDOM_UNIT]
          : [stickiness === 'random' ? RANDOM_UNIT : stickiness];
      return gradual(units, parameter('rollout'), parameter('groupId'));
    }
    default:
      throw new UnsupportedSource(
        [...path, 'name'],
        `the strategy "${name}" is a custom strategy, whose code the state does not contain; use constraints instead`,
      );
  }

  function gradual(units: readonly string[], percentage: string, groupId: string): StrategyMatch {
    const percent = percentOf(percentage);
    const [last] = units.slice(-1);
    const unit = unitOf(units, attributes, at);
    const who = last === undefined || last === RANDOM_UNIT ? true : isGiven(attribute(last));
    if (percent === 100) return { who };
    return { who, traffic: { percent, unit, bucketing: { algorithm: 'unleash', salt: groupId, seed: 0 } } };
  }
}

/** Whether the context has a non-empty text: Unleash buckets only those. */
function isGiven(attribute: string): Expression {
  return leaf({ attribute, notIn: [''], absent: 'noMatch' });
}

function unitOf(units: readonly string[], attributes: AttributeBook, path: Path): string[] {
  return units.map((unit) => (unit === RANDOM_UNIT ? unit : attributes.name(unit, path)));
}

/** Splits lists exactly as SDKs do: trims only around commas. */
function splitList(text: string): readonly string[] {
  return text.split(/\s*,\s*/);
}

/** Buckets are whole percents, so a fraction adds nobody. */
function percentOf(text: string): number {
  const percent = Math.floor(Number(text));
  return percent > 0 ? Math.min(percent, 100) : 0;
}

/** How variants are chosen. */
export interface Choice {
  readonly variants: readonly UnleashVariant[];
  readonly salt: string;
  readonly stickiness: string;
  readonly path: Path;
}

/** Variants of a strategy: its own, else those of the feature; undefined when there are none. */
export function choiceOf(
  { variants, parameters }: Strategy,
  feature: { readonly name: string; readonly variants?: UnleashVariant[] | null | undefined },
  paths: { readonly strategy: Path; readonly feature: Path },
): Choice | undefined {
  const own = variants ?? [];
  if (weightOf(own) > 0) {
    const stickiness = own[0]?.stickiness || String(parameters?.['stickiness'] ?? '') || 'default';
    // A missing group is hashed as the word `undefined`, as in the SDK.
    const salt = String(parameters?.['groupId'] ?? undefined);
    return { variants: own, salt, stickiness, path: [...paths.strategy, 'variants'] };
  }
  return featureChoice(feature, paths.feature);
}

/** Variants of the feature itself. */
export function featureChoice(
  { name, variants }: { readonly name: string; readonly variants?: UnleashVariant[] | null | undefined },
  path: Path,
): Choice | undefined {
  if (weightOf(variants ?? []) <= 0) return undefined;
  const stickiness = variants?.[0]?.stickiness ?? 'default';
  return { variants: variants ?? [], salt: name, stickiness, path: [...path, 'variants'] };
}

function weightOf(variants: readonly UnleashVariant[]): number {
  return variants.reduce((sum, { weight }) => sum + weight, 0);
}

/** Unit and bucketing of a choice. */
export function choiceBuckets({ stickiness, salt, path }: Choice, attributes: AttributeBook) {
  const units =
    stickiness === 'default'
      ? ['userId', 'sessionId', 'remoteAddress', RANDOM_UNIT]
      : stickiness === 'random' || stickiness === ''
        ? [RANDOM_UNIT]
        : [stickiness, RANDOM_UNIT];
  return {
    unit: unitOf(units, attributes, path),
    bucketing: { algorithm: 'unleash' as const, salt, seed: VARIANT_SEED },
  };
}

/** Overrides of variants, in evaluation order. */
export function overridesOf(
  { variants, path }: Choice,
  attributes: AttributeBook,
): readonly { readonly variant: UnleashVariant; readonly index: number; readonly who: Expression }[] {
  return variants.flatMap((variant, index) => {
    const overrides = variant.overrides ?? [];
    if (overrides.length === 0) return [];
    const who = any(
      overrides.map(({ contextName, values }, at) => {
        const attribute = attributes.name(contextName, [...path, index, 'overrides', at, 'contextName']);
        return values.length > 0 && leaf({ attribute, in: values, absent: 'noMatch' });
      }),
    );
    return [{ variant, index, who }];
  });
}
