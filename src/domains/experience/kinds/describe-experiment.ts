import { splitSaid } from './describe-flag.ts';
import type { ExperimentSpec } from './experiment-spec.ts';

/** What a change of an experiment means, for people who are not engineers. */
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
  const parts = `${share}, ${splitSaid(after.split)}`;
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
  if (before.sticky?.intake !== after.sticky?.intake && after.sticky !== undefined) {
    sentences.push(
      after.sticky.intake === 'paused'
        ? `Experiment ${title} takes nobody new.`
        : `Experiment ${title} takes new units.`,
    );
  }
  return sentences;
}
