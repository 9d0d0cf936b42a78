import { TARGETING_KEY } from '#kernel/audiences/language/attributes.ts';
import { describeRule } from '../kinds/describe-flag.ts';
import type { FlagRule } from '../kinds/flag-spec.ts';
import { compileSplit } from './compile-split.ts';
import type { Flags, FlagSource, Step } from './flag-source.ts';
import { areMet, compileRequires } from './requirements.ts';
import type { Evaluation, Outcome } from './table.ts';
import { unitReader } from './unit.ts';
import { trafficTest, unitMissing, whoMatches, whyUnmatched } from './participation.ts';

export function compileRule(flag: FlagSource, rule: FlagRule): Step {
  const { name, spec, audiences, make } = flag;
  const matches = whoMatches(rule, audiences);
  const unit = rule.unit ?? spec.unit;
  const required = compileRequires(flag, rule.requires);
  const takesPart = rule.traffic && trafficTest(rule.traffic, `${name}/${rule.name}/traffic`, unit);
  const noUnit = make({ reason: 'ERROR', error: unitMissing(unit ?? [TARGETING_KEY], `rule "${rule.name}"`) });
  const served = serve(flag, rule, unit, noUnit);
  const take: Step['take'] = (evaluation, flags) => {
    if (matches !== undefined && matches(evaluation.context, evaluation.nowMs) !== true) return undefined;
    if (required.length > 0) {
      const met = areMet(required, evaluation, flags);
      if (met !== true) return met === false ? undefined : met;
    }
    if (takesPart !== undefined) {
      const part = takesPart(evaluation);
      if (part === undefined) return noUnit;
      if (!part) return undefined;
    }
    return served(evaluation);
  };
  const why = (evaluation: Evaluation, flags: Flags): string => {
    const unmatched = whyUnmatched(matches, evaluation);
    if (unmatched !== undefined) return unmatched;
    const missing = required.find((one) => areMet([one], evaluation, flags) === false);
    return missing === undefined
      ? 'Not matched: the unit is not in the traffic share.'
      : `Flag ${missing.flag} is not ${[...missing.variants].join(' or ')}.`;
  };
  return {
    name: `rule ${rule.name}`,
    take,
    says: `${describeRule(rule)}.`,
    whyNot: why,
  };
}

function serve(
  { name, make, valueOf }: FlagSource,
  rule: FlagRule,
  unit: readonly string[] | undefined,
  noUnit: Outcome,
): (evaluation: Evaluation) => Outcome | undefined {
  if (rule.split === undefined) {
    const reason = rule.traffic === undefined ? 'TARGETING_MATCH' : 'SPLIT';
    const by = rule.traffic === undefined ? undefined : (rule.traffic.unit ?? unit ?? [TARGETING_KEY]);
    const all = make({ reason, variant: rule.serve, value: valueOf(rule.serve), rule: rule.name, unit: by });
    return () => all;
  }
  const outcomes = rule.split.map(({ variant }) =>
    make({ reason: 'SPLIT', variant, value: valueOf(variant), rule: rule.name, unit: unit ?? [TARGETING_KEY] }),
  );
  const choose = compileSplit(rule.split, rule.bucketing ?? { algorithm: 'backline', salt: `${name}/${rule.name}` });
  const unitOf = unitReader(unit, rule.bucketing);
  return (evaluation) => {
    const value = unitOf(evaluation);
    return value === undefined ? noUnit : outcomes[choose(value)];
  };
}
