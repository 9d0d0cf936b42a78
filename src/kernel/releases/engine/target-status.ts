import { PLACES_SHOWN_MAX, type PlaceStatus, type TargetStatus } from '../kinds/release-status.ts';
import type { PlaceObservation, PlaceState } from '../kinds/target.ts';
import type { TargetObservation } from './progress.ts';
import { timeText } from './time-text.ts';

const LIMITS = {
  messageChars: 500,
  /** Maximum age of a stored observation where nothing else changed. */
  observedMs: 60_000,
} as const;

/** The worst first. */
const STATES: readonly PlaceState[] = ['failed', 'unknown', 'progressing', 'healthy'];

/** The status of a release's targets. */
export function targetStatuses(
  before: readonly TargetStatus[] | undefined,
  seen: readonly TargetObservation[],
  stages: readonly string[],
  nowMs: number,
): readonly TargetStatus[] {
  return seen.map(({ name, intent, places }) => {
    const known = before?.find((one) => one.name === name)?.places;
    const sorted = places.toSorted(
      (a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state) || (a.name < b.name ? -1 : 1),
    );
    const more = sorted.length - PLACES_SHOWN_MAX;
    const stage =
      intent.at === 'everybody'
        ? 'everybody'
        : intent.at === 'stage'
          ? (stages[intent.stage] ?? 'everybody')
          : undefined;
    return {
      name,
      ...(stage === undefined ? {} : { stage }),
      state: sorted[0]?.state ?? 'healthy',
      places: sorted.slice(0, PLACES_SHOWN_MAX).map((place) =>
        placeStatus(
          known?.find((one) => one.name === place.name),
          place,
          nowMs,
        ),
      ),
      ...(more > 0 ? { placesMore: more } : {}),
    };
  });
}

function placeStatus(
  before: PlaceStatus | undefined,
  { name, state, wanted, observed, message, observedAtMs }: PlaceObservation,
  nowMs: number,
): PlaceStatus {
  const isSame = before?.state === state && before.wanted === wanted && before.observed === observed;
  const since = isSame ? before.healthySince : timeText(nowMs);
  const seenMs = before?.observedAt === undefined ? undefined : Date.parse(before.observedAt);
  const isRecent = seenMs !== undefined && observedAtMs !== undefined && observedAtMs - seenMs < LIMITS.observedMs;
  const observedAt =
    observedAtMs === undefined ? undefined : isSame && isRecent ? before.observedAt : timeText(observedAtMs);
  return {
    name,
    state,
    wanted,
    ...(observed === undefined ? {} : { observed }),
    ...(state !== 'healthy' || since === undefined ? {} : { healthySince: since }),
    ...(message === undefined ? {} : { message: message.slice(0, LIMITS.messageChars) }),
    ...(observedAt === undefined ? {} : { observedAt }),
  };
}
