import type { PlaceStatus, ReleaseObject, TargetStatus } from './release-object.ts';
import { line, pad, plain, type Paint } from './terminal-text.ts';
import { dateTime, type View } from './view.ts';

/** Places that a live view names for one target; unhealthy ones come first. */
const NAMED_MAX = 3;

/** One line for each target: the number of healthy places, and the unhealthy ones. Empty for one healthy target. */
export function targetLines({ status }: ReleaseObject, view: View): string[] {
  const targets = status?.targets ?? [];
  if (targets.length < 2 && targets.every(({ state }) => state === 'healthy')) return [];
  const nameWidth = Math.max(...targets.map(({ name }) => name.length));
  return targets.map((target) => {
    const { name, stage, state, places, placesMore = 0 } = target;
    const open = places.filter((place) => place.state !== 'healthy');
    const all = places.length + placesMore;
    const named = open.slice(0, NAMED_MAX).map((place) => openText(place));
    const more = open.length - named.length;
    return line(
      [
        pad(name, nameWidth),
        '  ',
        [paintOf(state, view), pad(state, STATE_WIDTH)],
        `  ${all - open.length}/${all}`,
        [view.colours.dim, `  ${stage ?? 'not started'}`],
        named.length === 0 ? '' : `  ${plain(named.join(', '))}${more > 0 ? ` and ${more} more` : ''}`,
      ],
      view.width,
    );
  });
}

/** Each place of each target, with its desired and observed state. */
export function placeRows(targets: readonly TargetStatus[], view: View): string[][] {
  return targets.flatMap(({ name, stage, places, placesMore = 0 }) => [
    ...places.map((place) => [
      name,
      place.name,
      place.state,
      stage ?? 'not started',
      plain(haveText(place)),
      plain(sinceText(place, view)),
    ]),
    ...(placesMore > 0 ? [[name, `and ${placesMore} more`]] : []),
  ]);
}

const STATE_WIDTH = 'progressing'.length;

function openText({ name, state, message }: PlaceStatus): string {
  return `${name} is ${state}${message === undefined ? '' : ` (${message})`}`;
}

function haveText({ wanted, observed }: PlaceStatus): string {
  if (observed === wanted) return observed;
  return `${observed ?? 'never observed'}, desired ${wanted}`;
}

function sinceText({ healthySince, observedAt, message }: PlaceStatus, { timeZone }: View): string {
  if (healthySince !== undefined) return `since ${dateTime(healthySince, timeZone)}`;
  return [
    ...(message === undefined ? [] : [message]),
    ...(observedAt === undefined ? [] : [`seen at ${dateTime(observedAt, timeZone)}`]),
  ].join(', ');
}

function paintOf(state: string, { colours }: View): Paint {
  switch (state) {
    case 'healthy':
      return colours.green;
    case 'failed':
      return colours.red;
    default:
      return colours.yellow;
  }
}
