import { canonicalJson } from '#kernel/base/ids.ts';
import type { SpecChange } from '#kernel/kinds/kind.ts';
import { describeSplit, describeTraffic } from './describe-flag.ts';
import { EVERYBODY, audienceSuffix, audienceParts } from './audience-text.ts';
import type { ExperimentSpec } from './experiment-spec.ts';

/** Describes a change of an experiment, for people who are not engineers. */
export function describeExperiment(name: string, { before, after }: SpecChange<ExperimentSpec>): readonly string[] {
  if (after === undefined)
    return [
      `Experiment ${before?.title ?? name} is removed; its participants get the default of flag ${before?.flag ?? ''}.`,
    ];
  const title = after.title ?? name;
  const share = `${after.allocation?.percent ?? 100} % of all units`;
  const parts = `${share}${audienceSuffix(after)}, ${describeSplit(after.split)}`;
  const was = before?.state ?? 'draft';
  if (after.state === 'running' && (was !== 'running' || before?.iteration !== after.iteration)) {
    return [`Experiment ${title} starts on flag ${after.flag}: ${parts}.`];
  }
  if (after.state === 'ended' && was === 'running') {
    return [`Experiment ${title} ends; its participants get the default of flag ${after.flag}.`];
  }
  if (before === undefined) return [`New experiment: ${title} on flag ${after.flag} (${after.state}), ${parts}.`];
  const sentences: string[] = [];
  const percentBefore = before.allocation?.percent ?? 100;
  const percent = after.allocation?.percent ?? 100;
  if (percentBefore !== percent)
    sentences.push(`Experiment ${title}: ${percentBefore} % → ${percent} % of all units; no unit changes variant.`);
  sentences.push(...describeAudience(title, before, after), ...describeShare(title, before, after));
  return [...sentences, ...describeRecord(title, before, after), ...describeExclusivity(title, before, after)];
}

/** Describes a change of the record of variants and its effect. */
function describeRecord(title: string, { sticky: was }: ExperimentSpec, { sticky: is }: ExperimentSpec): string[] {
  if (was === undefined && is === undefined) return [];
  if (is === undefined)
    return [`Experiment ${title} no longer records variants: units that only their record kept in leave it.`];
  const kept = was === undefined || was.days !== is.days;
  const keepsLeft = is.ignoreTargeting === true;
  return [
    ...(kept ? [`Experiment ${title} keeps the variant of each unit for ${is.days} days.`] : []),
    ...(was?.intake === is.intake || (was === undefined && is.intake === 'open')
      ? []
      : [`Experiment ${title} takes ${is.intake === 'paused' ? 'nobody new' : 'new units'}.`]),
    ...((was?.ignoreTargeting ?? false) === keepsLeft
      ? []
      : [
          keepsLeft
            ? `Experiment ${title}: a unit keeps its variant even if the audience no longer matches.`
            : `Experiment ${title}: listeners who no longer match its audience leave it.`,
        ]),
  ];
}

/** Describes changes of exclusivity and holdouts. */
function describeExclusivity(title: string, before: ExperimentSpec, after: ExperimentSpec): string[] {
  const list = (names: readonly string[] = []) => (names.length === 0 ? 'none' : names.join(', '));
  return [
    ...describeList('its tags', list(before.allocation?.exclusivityTags), list(after.allocation?.exclusivityTags)),
    ...describeList('it is exclusive to', list(before.allocation?.exclusiveTo), list(after.allocation?.exclusiveTo)),
    ...describeList('its holdouts', list(before.holdouts), list(after.holdouts)),
  ];

  function describeList(what: string, was: string, is: string): string[] {
    return was === is ? [] : [`Experiment ${title}: ${what}: ${was} → ${is}.`];
  }
}

/** Describes a change of audience: listeners who no longer match leave, unless their variant is on record. */
function describeAudience(title: string, before: ExperimentSpec, after: ExperimentSpec): string[] {
  const [was, is] = [before, after].map((one) => audienceParts(one).join(' and ') || EVERYBODY);
  if (canonicalJson([before.audience, before.when]) === canonicalJson([after.audience, after.when])) return [];
  const leaving =
    after.sticky?.ignoreTargeting === true
      ? 'units with a variant keep it'
      : `listeners who no longer match leave it and get the default of flag ${after.flag}`;
  return [
    `Experiment ${title} is for ${is} instead of ${was}; ${after.state === 'running' ? leaving : 'it does not run'}.`,
  ];
}

/** Describes a change of the share that takes part: traffic, or ranges of the split. */
function describeShare(title: string, before: ExperimentSpec, after: ExperimentSpec): string[] {
  const sentences: string[] = [];
  if (canonicalJson(before.traffic) !== canonicalJson(after.traffic)) {
    const [was, is] = [before, after].map(({ traffic }) =>
      traffic === undefined ? '100 %' : describeTraffic(traffic),
    );
    sentences.push(
      `Experiment ${title}: ${was === is ? `another ${is}` : `${was} → ${is}`} of its audience take part; units that drop out get the default of flag ${after.flag}, and no unit changes variant.`,
    );
  }
  if (canonicalJson(before.split) !== canonicalJson(after.split)) {
    const isSame = after.iteration === before.iteration && after.state === 'running';
    sentences.push(
      `Experiment ${title}: ${describeSplit(before.split)} → ${describeSplit(after.split)}${isSame ? '; no unit changes variant' : ''}.`,
    );
  }
  return sentences;
}
