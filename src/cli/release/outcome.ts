import { CliFailure } from '../terminal/failure.ts';
import { isFinished, type ReleaseObject } from './release-object.ts';
import { plain } from './terminal-text.ts';

/** The result of a finished release, in a sentence. */
export function outcomeText({ metadata: { name }, status, spec }: ReleaseObject): string {
  const because = plain(status?.message ?? '');
  const by = status?.standing.state.by;
  const who = by === undefined || by === ENGINE ? '' : ` by ${by}`;
  switch (status?.phase) {
    case 'Promoted':
      return spec.rollbackOf === undefined
        ? `Release ${name} is promoted: live for everyone.`
        : `Release ${name} is promoted: ${spec.rollbackOf} is rolled back.`;
    case 'RolledBack':
      return `release ${name} was rolled back${who}: ${because}`;
    case 'Aborted':
      return `release ${name} was aborted${who}: ${because}`;
    case 'Superseded':
      return `release ${name} was superseded: ${because}`;
    default:
      return `release ${name} is ${status?.phase ?? 'new'}: ${because}`;
  }
}

/** Why a finished release is not live for everyone; undefined when it is. */
export function failureOf(release: ReleaseObject): CliFailure | undefined {
  const phase = release.status?.phase;
  if (!isFinished(release) || phase === 'Promoted') return undefined;
  return new CliFailure(outcomeText(release), { remedy: REMEDY[phase ?? '']?.(release) });
}

/** Author of automatic decisions. */
const ENGINE = 'system:releases';

/** How long the rolled-back change is refused. */
export function pinnedText({ metadata: { name }, spec: { policy } }: ReleaseObject): string {
  const { pinFor } = policy?.spec ?? {};
  const until = pinFor === undefined ? 'until somebody unpins it' : `for ${pinFor}, or until somebody unpins it`;
  return `The same change is refused ${until}: backline release unpin ${name}`;
}

const REMEDY: Readonly<Record<string, (release: ReleaseObject) => string>> = {
  RolledBack: pinnedText,
  Aborted: () => 'The live state is declared again. Apply the change again to start over.',
  Superseded: () => 'See the open releases: backline release list --open',
};
