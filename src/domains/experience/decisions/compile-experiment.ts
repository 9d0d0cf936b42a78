import type { LiveObject } from '#kernel/kinds/kind.ts';
import { bucketingOf, unitOf as unitOfExperiment } from '../kinds/assignment.ts';
import { describeSplit } from '../kinds/describe-flag.ts';
import { experimentAllotment, experimentSpec } from '../kinds/experiment-spec.ts';
import { Holdout } from '../kinds/holdout.ts';
import type { Traffic } from '../kinds/parts.ts';
import { compileSplit } from './compile-split.ts';
import type { FlagSource, Step } from './flag-source.ts';
import { outcome, REVISION_CHARS } from './outcome.ts';
import type { Evaluation, Outcome, Participation } from './table.ts';
import { unitReader } from './unit.ts';
import { allotmentTest, trafficTest, unitMissing, whoMatches, whyUnmatched } from './participation.ts';

export function compileExperiment(flag: FlagSource, live: LiveObject): Step {
  const { spec, audiences, holdouts } = flag;
  const experiment = experimentSpec(live);
  const { iteration, sticky: keep, split } = experiment;
  const salt = `${live.name}/${iteration}`;
  const unit = unitOfExperiment(experiment, spec);
  const unitOf = unitReader(unit, experiment.bucketing);
  const matches = whoMatches(experiment, audiences);
  const traffic = experiment.traffic && freshTraffic(experiment.traffic, iteration);
  const takesPart = traffic && trafficTest(traffic, `${salt}/traffic`, unit);
  const isAllotted = allotmentTest(experimentAllotment(live)?.blocks);
  const heldBy = (experiment.holdouts ?? []).flatMap((holdout) => {
    const found = holdouts.get(holdout);
    return found === undefined ? [] : [holdoutStep(flag, found, unit)];
  });
  const choose = compileSplit(split, bucketingOf(experiment.bucketing, iteration) ?? { algorithm: 'backline', salt });
  const positions = new Map(split.map(({ variant }, index) => [variant, index]));
  const { participations, recorded, noUnit, unread } = experimentOutcomes(flag, live, unit);
  const take: Step['take'] = (evaluation) => {
    const matched = matches === undefined || matches(evaluation.context, evaluation.nowMs) === true;
    if (!matched && keep?.ignoreTargeting !== true) return undefined;
    const value = unitOf(evaluation);
    if (value === undefined) return matched ? noUnit : undefined;
    if (keep !== undefined) {
      if (evaluation.kept === undefined) return unread;
      const kept = positions.get(evaluation.kept.get(salt) ?? '');
      if (kept !== undefined) return participations[kept];
      if (!matched || keep.intake === 'paused') return undefined;
    }
    for (const holdout of heldBy) {
      const held = holdout(evaluation);
      if (held !== undefined) return held;
    }
    if (isAllotted !== undefined && !isAllotted(value)) return undefined;
    if (takesPart !== undefined && takesPart(evaluation) !== true) return undefined;
    return recorded[choose(value)];
  };
  return {
    name: `experiment ${live.name}`,
    take,
    says: `Matched: takes part in the split ${describeSplit(split)}.`,
    whyNot: (evaluation) => {
      const unmatched = whyUnmatched(matches, evaluation);
      if (unmatched !== undefined) return unmatched;
      if (keep?.intake === 'paused') return 'Not matched: intake is paused, and the unit has no recorded variant.';
      const value = unitOf(evaluation);
      if (isAllotted !== undefined && value !== undefined && !isAllotted(value))
        return 'Not matched: the unit is not in the allocated buckets.';
      return 'Not matched: the unit is not in the traffic share.';
    },
  };
}

/** Precomputed outcomes of an experiment. */
interface ExperimentOutcomes {
  /** One per variant of the split, in order. */
  readonly participations: readonly Outcome[];
  /** The same, marked for recording where the experiment keeps variants. */
  readonly recorded: readonly Outcome[];
  readonly noUnit: Outcome;
  readonly unread: Outcome;
}

function experimentOutcomes(
  { key: flag, make, valueOf }: FlagSource,
  live: LiveObject,
  unit: readonly string[],
): ExperimentOutcomes {
  const { iteration, sticky: keep, split } = experimentSpec(live);
  const { name, revision } = live;
  const participation = (variant: string, kept: Participation['keep']): Outcome => {
    const assignmentId = `${name}/${iteration}/${variant}/${revision.slice(0, REVISION_CHARS)}`;
    const experiment = { name, iteration, assignmentId, keep: kept };
    return make({ revision, reason: 'SPLIT', variant, value: valueOf(variant), experiment, unit });
  };
  const participations = split.map(({ variant }) => participation(variant, undefined));
  const record = `${name}/${iteration}`;
  const recorded =
    keep === undefined
      ? participations
      : split.map(({ variant }) => participation(variant, { record, days: keep.days }));
  const problem = { flag, revision, reason: 'ERROR' } as const;
  return {
    participations,
    recorded,
    noUnit: outcome({ ...problem, error: unitMissing(unit, `experiment "${name}"`) }),
    unread: outcome({
      ...problem,
      error: {
        code: 'GENERAL',
        message: `Experiment "${name}" needs its recorded variants, and the record cannot be read.`,
      },
    }),
  };
}

/**
 * Held-out units get the default of the flag, and the outcome names the holdout. Unless the holdout names a
 * unit, it uses that of the experiment: part of a household would reveal the variant to the rest.
 */
function holdoutStep(
  { spec, audiences, make, valueOf }: FlagSource,
  object: LiveObject,
  experimentUnit: readonly string[],
): (evaluation: Evaluation) => Outcome | undefined {
  const holdout = Holdout.spec(object);
  const matches = whoMatches(holdout, audiences);
  const unit = holdout.unit ?? experimentUnit;
  const isHeld = trafficTest({ percent: holdout.percent }, `holdout/${object.name}`, unit);
  const left = { variant: spec.default, value: valueOf(spec.default) };
  const held = make({ reason: 'SPLIT', ...left, holdout: object.name, unit });
  return (evaluation) => {
    if (matches !== undefined && matches(evaluation.context, evaluation.nowMs) !== true) return undefined;
    return isHeld(evaluation) === true ? held : undefined;
  };
}

/** Traffic of an iteration: each draws anew, also for imported bucketing. */
function freshTraffic({ also, ...part }: Traffic, iteration: number): Traffic {
  const fresh = <Part extends Omit<Traffic, 'also'>>({ bucketing, ...rest }: Part) => {
    const drawn = bucketingOf(bucketing, iteration);
    return { ...rest, ...(drawn === undefined ? {} : { bucketing: drawn }) };
  };
  return { ...fresh(part), ...(also === undefined ? {} : { also: also.map(fresh) }) };
}
