import { isRecord } from '#kernel/base/is-record.ts';
import { reachText as partsText } from '#kernel/releases/kinds/stages-text.ts';
import { stagesIn, type ReleaseObject, type Stage } from './release-object.ts';
import { line, widthOf, type Piece } from './terminal-text.ts';
import type { View } from './view.ts';

type Mark = 'done' | 'here' | 'lost' | 'ahead';

interface Stop {
  readonly name: string;
  readonly reach: string;
  readonly mark: Mark;
}

/** The stages as a track with the present one, as fully as fits: with their reach, with names, or as marks alone. */
export function stageTrack(release: ReleaseObject, view: View): string {
  const stops = stopsOf(release);
  const full = stops.flatMap((stop, index) => [
    ...joint(stop, index, { reached: ' ━━ ', ahead: ' ── ' }, view),
    markPiece(stop, view),
    namePiece(stop, view),
    [view.colours.dim, stop.reach === '' ? '' : ` ${stop.reach}`] as const,
  ]);
  const named = stops.flatMap((stop, index) => [
    ...joint(stop, index, { reached: ' ━ ', ahead: ' ─ ' }, view),
    markPiece(stop, view),
    namePiece(stop, view),
  ]);
  const here = stops.findIndex(({ mark }) => mark === 'here' || mark === 'lost');
  const present = stops[here];
  const marks: Piece[] = [
    ...stops.flatMap((stop, index) => [
      ...joint(stop, index, { reached: '━', ahead: '─' }, view),
      markPiece(stop, view),
    ]),
    ...(present === undefined ? [] : [`  ${present.name} ${present.reach}`.trimEnd()]),
    [view.colours.dim, present === undefined ? `  ${stops.length} stages` : `  ${here + 1} of ${stops.length}`],
  ];
  return line([full, named].find((pieces) => fits(pieces, view.width)) ?? marks, view.width);
}

function fits(pieces: readonly Piece[], width: number): boolean {
  return widthOf(pieces.map((piece) => (typeof piece === 'string' ? piece : piece[1])).join('')) <= width;
}

/** The connection of a stop to the one before it. */
interface Joint {
  readonly reached: string;
  readonly ahead: string;
}

function joint({ mark }: Stop, index: number, { reached, ahead }: Joint, { colours }: View): Piece[] {
  if (index === 0) return [];
  return [mark === 'ahead' ? [colours.dim, ahead] : [colours.green, reached]];
}

function markPiece({ mark }: Stop, { colours }: View): Piece {
  switch (mark) {
    case 'done':
      return [colours.green, '●'];
    case 'here':
      return [(text) => colours.bold(colours.cyan(text)), '◉'];
    case 'lost':
      return [colours.red, '✗'];
    case 'ahead':
      return [colours.dim, '○'];
    default:
      return mark satisfies never;
  }
}

function namePiece({ mark, name }: Stop, { colours }: View): Piece {
  return [mark === 'here' ? colours.bold : mark === 'ahead' ? colours.dim : (text) => text, ` ${name}`];
}

function stopsOf(release: ReleaseObject): Stop[] {
  const stages = stagesIn(release.spec);
  const { at, mark } = standing(release, stages);
  const markOf = (index: number): Mark => (index < at ? 'done' : index === at ? mark : 'ahead');
  return [
    ...stages.map((stage, index) => ({ name: stage.name, reach: reachText(stage), mark: markOf(index) })),
    { name: 'everybody', reach: '', mark: markOf(stages.length) },
  ];
}

/** The present stop; before the first one while nobody has it. */
function standing(release: ReleaseObject, stages: readonly Stage[]): { readonly at: number; readonly mark: Mark } {
  const state = release.status?.standing.state;
  switch (state?.at) {
    case 'exposing':
      return { at: state.stage ?? 0, mark: 'here' };
    case 'promoting':
      return { at: stages.length, mark: 'here' };
    case 'promoted':
      return { at: stages.length + 1, mark: 'done' };
    case 'retracting':
    case 'rolledBack':
    case 'aborted':
    case 'superseded':
      return { at: lastStageOf(release, stages), mark: 'lost' };
    default:
      return { at: -1, mark: 'ahead' };
  }
}

/** The last stage in the history. */
function lastStageOf({ status }: ReleaseObject, stages: readonly Stage[]): number {
  const stagesSeen = (status?.history ?? []).map(({ message }) =>
    stages.findIndex(({ name }) => message.startsWith(`${name}: `)),
  );
  return stagesSeen.findLast((index) => index >= 0) ?? -1;
}

/** The present reach: `1% of staff, 10% (stage 2 of 3)`, nobody, everybody. */
export function reachSoFar({ spec, status }: ReleaseObject): string {
  const state = status?.standing.state;
  const stages = stagesIn(spec);
  if (status?.rolledBackBy !== undefined) return `nobody: rolled back by ${status.rolledBackBy}`;
  if (state?.at === 'promoted') return 'everybody';
  const reached = state?.at === 'promoting' ? stages.length : state?.at === 'exposing' ? (state.stage ?? 0) + 1 : 0;
  if (reached === 0) return state?.at === 'retracting' ? 'rolling back' : 'nobody';
  const names = stages.slice(0, reached).map(reachText).join(', ');
  return `${names}${unitsText(stages)} (stage ${reached} of ${stages.length})`;
}

function unitsText(stages: readonly Stage[]): string {
  const unit = unitOf(stages);
  return unit === undefined ? '' : ` of ${unit}s`;
}

/** The unit that stages split, where they do. */
export function unitOf(stages: readonly Stage[]): string | undefined {
  const units = stages.flatMap((stage) =>
    Object.values(stage).map((part: unknown) => (isRecord(part) ? part['unit'] : undefined)),
  );
  const unit = units.find((one) => one !== undefined);
  return unit === undefined ? undefined : String(unit);
}

/** `10%`, `10% audience nordic regions se+no`; with the names of targets where there are several. */
export function reachText(stage: Stage): string {
  return stage.isForAll === true ? '100%' : partsText(stage);
}
