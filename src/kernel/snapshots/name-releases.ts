import { cohortInWords } from './describe-cohort.ts';
import type { ExposingRelease } from './exposing-releases.ts';
import type { ReleaseView } from './worlds.ts';

type ReleaseName = Pick<ExposingRelease, 'name' | 'revision'>;

/** The releases whose candidates somebody got, as a further member of a JSON object; empty where there are none. */
export function releasesMember(releases: readonly ReleaseName[]): string {
  if (releases.length === 0) return '';
  return `,"releases":${JSON.stringify(releases.map(({ name, revision }) => ({ name, revision })))}`;
}

/** The same as text, for protocols whose metadata has no lists. */
export function releasesText(releases: readonly ReleaseName[]): string {
  if (releases.length === 0) return '';
  return releases.map(({ name, revision }) => `${name}@${revision}`).join(',');
}

/** The releases under way that concern a subject, in sentences. */
export function explainReleases({ releases, tracks, isBroken }: Omit<ReleaseView<unknown>, 'table'>): object {
  if (tracks.length === 0) return {};
  return {
    releases: tracks.map(({ release }) => {
      const { name, revision, cohort } = release;
      const isSeen = releases.includes(release);
      const units = cohortInWords(cohort);
      const says = isSeen
        ? `This is answered with what release ${name} carries (revision ${revision}), which ${units} get; everybody else gets what was live before.`
        : isBroken
          ? `What release ${name} carries cannot be compiled: this is what everybody gets.`
          : `Release ${name} shows something else to ${units}; not to this listener, who gets what everybody gets.`;
      return { name, revision, seen: isSeen, says };
    }),
  };
}
