import { CliFailure } from '../terminal/failure.ts';
import { isFinished, type ReleaseObject } from './release-object.ts';
import { plain } from './terminal-text.ts';

/** What became of a release that has come to its end, in a sentence. */
export function outcomeText({ metadata: { name }, status, spec }: ReleaseObject): string {
  const because = plain(status?.message ?? '');
  const by = status?.standing.state.by;
  const who = by === undefined || by === ENGINE ? '' : ` by ${by}`;
  switch (status?.phase) {
    case 'Promoted':
      return spec.rollbackOf === undefined
        ? `Release ${name} is promoted: everybody gets it.`
        : `Release ${name} is promoted: nobody gets ${spec.rollbackOf} any more.`;
    case 'RolledBack':
      return `release ${name} was rolled back${who}: ${because}`;
    case 'Aborted':
      return `release ${name} was aborted${who}: ${because}`;
    case 'Superseded':
      return `release ${name} reached nobody else: ${because}`;
    default:
      return `release ${name} is ${status?.phase ?? 'new'}: ${because}`;
  }
}

/** Why a release that has come to its end did not reach everybody; undefined when it did. */
export function failureOf(release: ReleaseObject): CliFailure | undefined {
  const phase = release.status?.phase;
  if (!isFinished(release) || phase === 'Promoted') return undefined;
  return new CliFailure(outcomeText(release), { remedy: REMEDY[phase ?? '']?.(release) });
}

/** Who decides when nobody does. */
const ENGINE = 'system:releases';

/** How long what was rolled back is refused. */
export function pinnedText({ metadata: { name }, spec: { policy } }: ReleaseObject): string {
  const { pinFor } = policy?.spec ?? {};
  const until =
    pinFor === undefined ? 'until somebody lets go of it' : `for ${pinFor}, or until somebody lets go of it`;
  return `The same change is refused ${until}: backline release unpin ${name}`;
}

const REMEDY: Readonly<Record<string, (release: ReleaseObject) => string>> = {
  RolledBack: pinnedText,
  Aborted: () => 'What was live before is declared again. Apply the change again to start anew.',
  Superseded: () => 'What is under way now: backline release list --open',
};
