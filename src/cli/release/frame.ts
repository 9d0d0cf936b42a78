import type { ReleaseObservation } from './follow.ts';
import { briefView, liveView } from './live-view.ts';
import type { ReleaseObject } from './release-object.ts';
import { line, widthOf } from './terminal-text.ts';
import type { View } from './view.ts';

const LIMITS = {
  /** Finished releases that are shown beside the open ones. */
  endedShown: 5,
  nameMax: 40,
} as const;

/** One release in full, or several in brief. */
export function frame({ releases, away }: ReleaseObservation, name: string | undefined, view: View): string[] {
  const all = [...releases.values()].sort((a, b) => a.spec.number - b.spec.number);
  const open = all.filter(({ spec }) => spec.open);
  const ended = all.filter(({ spec }) => !spec.open).slice(-LIMITS.endedShown);
  const [only] = name === undefined ? open : all;
  const nameWidth = Math.min(LIMITS.nameMax, Math.max(0, ...all.map(({ metadata }) => widthOf(metadata.name))));
  const brief = (some: readonly ReleaseObject[]): string[] => some.map((one) => briefView(one, nameWidth, view));
  const { dim, yellow } = view.colours;
  return [
    ...(away === undefined ? [] : [line([[yellow, `Server unavailable: ${away}. Retrying.`]], view.width), '']),
    ...(only !== undefined && (name !== undefined || open.length === 1) ? liveView(only, view) : brief(open)),
    ...(name === undefined && open.length === 0 ? [dim('No release is open. (Ctrl-C ends this)')] : []),
    ...(name === undefined && ended.length > 0 ? ['', dim('ended'), ...brief(ended)] : []),
  ];
}
