import { canonicalJson } from '#kernel/base/ids.ts';
import { splitSaid, trafficSaid } from './describe-flag.ts';
import { EVERYBODY, forWhom, whoParts } from './describe-who.ts';
import type { ExperimentSpec } from './experiment-spec.ts';

/** Describes a change of an experiment, for people who are not engineers. */
export function describeExperiment(
  name: string,
  before: ExperimentSpec | undefined,
  after: ExperimentSpec | undefined,
): readonly string[] {
  if (after === undefined)
    return [
      `Experiment ${before?.title ?? name} is removed; whoever took part gets the default of flag ${before?.flag ?? ''}.`,
    ];
  const title = after.title ?? name;
  const share = `${after.allocation?.percent ?? 100} % of all units`;
  const parts = `${share}${forWhom(after)}, ${splitSaid(after.split)}`;
  const was = before?.state ?? 'draft';
  if (after.state === 'running' && (was !== 'running' || before?.iteration !== after.iteration)) {
    return [`Experiment ${title} starts on flag ${after.flag}: ${parts}.`];
  }
  if (after.state === 'ended' && was === 'running') {
    return [`Experiment ${title} ends; whoever took part gets the default of flag ${after.flag}.`];
  }
  if (before === undefined) return [`New experiment: ${title} on flag ${after.flag} (${after.state}), ${parts}.`];
  const sentences: string[] = [];
  const percentBefore = before.allocation?.percent ?? 100;
  const percent = after.allocation?.percent ?? 100;
  if (percentBefore !== percent)
    sentences.push(`Experiment ${title}: ${percentBefore} % → ${percent} % of all units; nobody changes variant.`);
  sentences.push(...whoSaid(title, before, after), ...partSaid(title, before, after));
  return [...sentences, ...recordSaid(title, before, after), ...besideSaid(title, before, after)];
}

/** Describes a change of the record of variants, and whom it affects. */
function recordSaid(title: string, { sticky: was }: ExperimentSpec, { sticky: is }: ExperimentSpec): string[] {
  if (was === undefined && is === undefined) return [];
  if (is === undefined)
    return [
      `Experiment ${title} no longer keeps variants on record: whoever was in by what is on record alone leaves it.`,
    ];
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
            ? `Experiment ${title}: who has a variant keeps it also when the audience no longer matches.`
            : `Experiment ${title}: whoever no longer matches its audience leaves it.`,
        ]),
  ];
}

/** Describes changes of exclusivity and holdouts. */
function besideSaid(title: string, before: ExperimentSpec, after: ExperimentSpec): string[] {
  const list = (names: readonly string[] = []) => (names.length === 0 ? 'none' : names.join(', '));
  return [
    ...changeSaid('its tags', list(before.allocation?.exclusivityTags), list(after.allocation?.exclusivityTags)),
    ...changeSaid('it is exclusive to', list(before.allocation?.exclusiveTo), list(after.allocation?.exclusiveTo)),
    ...changeSaid('its holdouts', list(before.holdouts), list(after.holdouts)),
  ];

  function changeSaid(what: string, was: string, is: string): string[] {
    return was === is ? [] : [`Experiment ${title}: ${what}: ${was} → ${is}.`];
  }
}

/** Describes a change of audience: listeners who no longer match leave, unless their variant is on record. */
function whoSaid(title: string, before: ExperimentSpec, after: ExperimentSpec): string[] {
  const [was, is] = [before, after].map((one) => whoParts(one).join(' and ') || EVERYBODY);
  if (canonicalJson([before.audience, before.when]) === canonicalJson([after.audience, after.when])) return [];
  const leaving =
    after.sticky?.ignoreTargeting === true
      ? 'who has a variant keeps it'
      : `whoever no longer matches leaves it and gets the default of flag ${after.flag}`;
  return [
    `Experiment ${title} is for ${is} instead of ${was}; ${after.state === 'running' ? leaving : 'it does not run'}.`,
  ];
}

/** Describes a change of the share that takes part: traffic, or ranges of the split. */
function partSaid(title: string, before: ExperimentSpec, after: ExperimentSpec): string[] {
  const sentences: string[] = [];
  if (canonicalJson(before.traffic) !== canonicalJson(after.traffic)) {
    const [was, is] = [before, after].map(({ traffic }) => (traffic === undefined ? '100 %' : trafficSaid(traffic)));
    sentences.push(
      `Experiment ${title}: ${was === is ? `another ${is}` : `${was} → ${is}`} of its audience take part; whoever no longer does gets the default of flag ${after.flag}, and nobody changes variant.`,
    );
  }
  if (canonicalJson(before.split) !== canonicalJson(after.split)) {
    const isSame = after.iteration === before.iteration && after.state === 'running';
    sentences.push(
      `Experiment ${title}: ${splitSaid(before.split)} → ${splitSaid(after.split)}${isSame ? '; nobody changes variant' : ''}.`,
    );
  }
  return sentences;
}
