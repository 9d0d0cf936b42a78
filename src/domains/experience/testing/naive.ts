import { naiveAudience, naiveTruth, type NaiveWorld } from '#kernel/audiences/testing/naive.ts';
import { blocksFrom, has } from '#kernel/audiences/allocation.ts';
import { compileSlot } from '#kernel/audiences/bucketing/compile-slot.ts';
import type { Bucketing } from '#kernel/audiences/bucketing/bucketing.ts';
import type { AudienceRule, Context } from '#kernel/audiences/language/language.ts';
import type { ExperimentSpec } from '../kinds/experiment-spec.ts';
import type { FlagSpec, Requirement } from '../kinds/flag-spec.ts';
import type { HoldoutSpec } from '../kinds/holdout.ts';
import type { Split, Traffic } from '../kinds/parts.ts';

/** All declared inputs of flag decisions. */
export interface NaiveFlags {
  readonly audiences: NaiveWorld;
  readonly flags: ReadonlyMap<string, FlagSpec>;
  readonly experiments: ReadonlyMap<string, ExperimentSpec & { readonly blocks?: string }>;
  readonly holdouts: ReadonlyMap<string, HoldoutSpec>;
}

/** `variant by what`, or an error code: the meaning of a flag, written to be read. */
export function naiveFlag(
  world: NaiveFlags,
  name: string,
  context: Context,
  nowMs: number,
  kept: ReadonlyMap<string, string>,
): string {
  const flag = world.flags.get(name);
  if (flag === undefined) return 'none';
  if (!flag.enabled) return 'DISABLED';
  const fallback = `${flag.default ?? 'code'} by default`;
  const met = (requires: readonly Requirement[] = []): boolean | string => {
    const answers = requires.map((one) => ({ ...one, is: naiveFlag(world, one.flag, context, nowMs, kept) }));
    const isError = (is: string) => is === 'TARGETING_KEY_MISSING';
    if (answers.some(({ variants, is }) => !isError(is) && !variants.includes(is.split(' ')[0] ?? ''))) return false;
    return answers.find(({ is }) => isError(is))?.is ?? true;
  };
  const required = met(flag.requires);
  if (required !== true) return required === false ? fallback : required;
  for (const rule of flag.rules ?? []) {
    if (!isMeant(rule, world, context, nowMs)) continue;
    const ruleRequired = met(rule.requires);
    if (ruleRequired === false) continue;
    if (ruleRequired !== true) return ruleRequired;
    const units = rule.unit ?? flag.unit;
    const part = rule.traffic === undefined || isPart(rule.traffic, units, `${name}/${rule.name}/traffic`, context);
    if (part === undefined) return 'TARGETING_KEY_MISSING';
    if (!part) continue;
    if (rule.serve !== undefined) return `${rule.serve} by ${rule.name}`;
    const unit = unitIn(context, units);
    if (unit === undefined) return 'TARGETING_KEY_MISSING';
    const chosen = choose(rule.split ?? [], rule.bucketing ?? ours(`${name}/${rule.name}`), unit);
    if (chosen !== undefined) return `${chosen} by ${rule.name}`;
  }
  for (const [experimentName, experiment] of [...world.experiments].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (experiment.flag !== name || experiment.state !== 'running') continue;
    const salt = `${experimentName}/${experiment.iteration}`;
    const matched = isMeant(experiment, world, context, nowMs);
    if (!matched && experiment.sticky?.ignoreTargeting !== true) continue;
    const units = experiment.unit ?? flag.unit;
    const unit = unitIn(context, units);
    if (unit === undefined) {
      if (matched) return 'TARGETING_KEY_MISSING';
      continue;
    }
    if (experiment.sticky !== undefined) {
      const before = kept.get(salt);
      if (experiment.split.some(({ variant }) => variant === before)) return `${before} by ${experimentName}`;
      if (!matched || experiment.sticky.intake === 'paused') continue;
    }
    const holdout = (experiment.holdouts ?? []).find((each) => isHeldOut(each, world, context, nowMs, units));
    if (holdout !== undefined) return `${flag.default ?? 'code'} by holdout ${holdout}`;
    if (experiment.blocks !== undefined) {
      const bucket = compileSlot(ours('allocation'), 1_000_000)(unit);
      if (!has(blocksFrom(experiment.blocks), Math.floor(bucket / 100))) continue;
    }
    const traffic = experiment.traffic && trafficAnew(experiment.traffic, experiment.iteration);
    if (traffic !== undefined && isPart(traffic, units, `${salt}/traffic`, context) !== true) continue;
    const how = experiment.bucketing && anew(experiment.bucketing, experiment.iteration);
    const chosen = choose(experiment.split, how ?? ours(salt), unit);
    if (chosen !== undefined) return `${chosen} by ${experimentName}`;
  }
  return fallback;
}

function isMeant(
  who: { readonly audience?: string; readonly when?: AudienceRule },
  { audiences }: NaiveFlags,
  context: Context,
  nowMs: number,
): boolean {
  const named = who.audience === undefined ? undefined : audiences.audiences.get(who.audience);
  if (named !== undefined && naiveAudience(named, context, nowMs, audiences) !== true) return false;
  return who.when === undefined || naiveTruth(who.when, context, nowMs, audiences) === true;
}

function isHeldOut(
  name: string,
  world: NaiveFlags,
  context: Context,
  nowMs: number,
  experimentUnit: readonly string[] | undefined,
): boolean {
  const holdout = world.holdouts.get(name);
  if (holdout === undefined || !isMeant(holdout, world, context, nowMs)) return false;
  const unit = unitIn(context, holdout.unit ?? experimentUnit);
  return unit !== undefined && takesPart({ percent: holdout.percent }, `holdout/${name}`, unit);
}

/** Later iterations have their own buckets, also with other tools' algorithms. */
function anew(bucketing: Bucketing, iteration: number): Bucketing {
  return iteration === 1 ? bucketing : { ...bucketing, salt: `${bucketing.salt}/${iteration}` };
}

function trafficAnew(traffic: Traffic, iteration: number): Traffic {
  const one = (part: Omit<Traffic, 'also'>) =>
    part.bucketing === undefined ? part : { ...part, bucketing: anew(part.bucketing, iteration) };
  return { ...one(traffic), ...(traffic.also === undefined ? {} : { also: traffic.also.map(one) }) };
}

function ours(salt: string): Bucketing {
  return { algorithm: 'backline', salt };
}

function unitIn(context: Context, names: readonly string[] = ['targetingKey']): string | undefined {
  for (const name of names) {
    const value = context[name];
    if (typeof value === 'string' && value !== '') return value;
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  }
  return undefined;
}

/** Whether the unit is in this share and in all additional ones; the first without a unit, or that misses, decides. */
function isPart(
  { also = [], ...traffic }: Traffic,
  units: readonly string[] | undefined,
  salt: string,
  context: Context,
): boolean | undefined {
  const unit = unitIn(context, traffic.unit ?? units);
  if (unit === undefined) return undefined;
  if (!takesPart(traffic, salt, unit)) return false;
  const others = also.map((part, index) => isPart(part, units, `${salt}/${index}`, context));
  const missed = others.findIndex((part) => part !== true);
  return missed === -1 ? true : others[missed];
}

function takesPart({ percent, ranges, bucketing }: Traffic, salt: string, unit: string): boolean {
  const how = bucketing ?? ours(salt);
  if (ranges === undefined) return compileSlot(how, 100)(unit) < (percent ?? 0);
  const slot = compileSlot(how, 1)(unit);
  return ranges.some(({ from, until }) => slot >= from && slot < until);
}

function choose(split: Split, bucketing: Bucketing, unit: string): string | undefined {
  if (split[0]?.ranges !== undefined) {
    const slot = compileSlot(bucketing, 1)(unit);
    return split.find(({ ranges = [] }) => ranges.some(({ from, until }) => slot >= from && slot < until))?.variant;
  }
  let total = 0;
  for (const { weight = 0 } of split) total += weight;
  const slot = compileSlot(bucketing, total)(unit);
  let end = 0;
  for (const { variant, weight = 0 } of split) {
    end += weight;
    if (slot < end) return variant;
  }
  return undefined;
}
