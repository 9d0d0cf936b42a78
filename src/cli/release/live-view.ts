import { guardrailLines } from './guardrail-lines.ts';
import {
  BAKE,
  approvalsText,
  authorsText,
  changesText,
  isFinished,
  policiesText,
  stagesIn,
  type ReleaseObject,
} from './release-object.ts';
import { reachText, stageTrack, unitOf } from './stage-track.ts';
import { targetLines } from './target-lines.ts';
import { bar, countdown, line, pad, wrapText, type Paint, type Piece } from './terminal-text.ts';
import { clockTime, phasePaint, type View } from './view.ts';

const LIMITS = {
  historyLines: 6,
  messageLines: 3,
  barMin: 10,
  barMax: 48,
} as const;

const LABEL_WIDTH = 'deadline'.length + 2;

/** A release as lines of a screen. Pure. */
export function liveView(release: ReleaseObject, view: View): string[] {
  const { spec, status, metadata } = release;
  const { width, colours } = view;
  if (status === undefined) return [line([[colours.bold, metadata.name], '  just created'], width)];
  const guardrails = guardrailLines(release, view);
  const targets = targetLines(release, view);
  return [
    line([[colours.bold, metadata.name], '  ', [phasePaint(status.phase, colours), status.phase]], width),
    line([[colours.dim, aboutText(release)]], width),
    '',
    ...(spec.policy === undefined ? [] : [stageTrack(release, view)]),
    ...progressLines(release, view),
    ...messageLines(release, view),
    ...(targets.length === 0 ? [] : ['', ...targets]),
    ...(guardrails.length === 0 ? [] : ['', ...guardrails]),
    '',
    ...status.history.slice(-LIMITS.historyLines).map((moment) => momentLine(moment, view)),
  ];
}

/** One line for a release among many. */
export function briefView(release: ReleaseObject, nameWidth: number, view: View): string {
  const { metadata, status } = release;
  const { colours, width } = view;
  if (status === undefined) return line([pad(metadata.name, nameWidth)], width);
  const left = timeLeft(release, view.nowMs)[0];
  return line(
    [
      [colours.bold, pad(metadata.name, nameWidth)],
      '  ',
      [phasePaint(status.phase, colours), pad(status.phase, PHASE_WIDTH)],
      pad(status.stage === undefined ? '' : `  ${status.stage} ${status.share ?? 0}%`, STAGE_WIDTH),
      pad(left === undefined ? '' : `  ${left.label} ${countdown(left.ms)}`, LEFT_WIDTH),
      [colours.dim, `  ${status.message}`],
    ],
    width,
  );
}

const PHASE_WIDTH = 'AwaitingApproval'.length;
const STAGE_WIDTH = 18;
const LEFT_WIDTH = 20;

function aboutText({ spec }: ReleaseObject): string {
  return [
    changesText(spec.objects),
    `by ${authorsText(spec)}`,
    ...(spec.policy === undefined ? [] : [`policy ${policiesText(spec)}`]),
    ...(spec.group === undefined ? [] : [`group ${spec.group}`]),
    ...(spec.rollbackOf === undefined ? [] : [`rolls back ${spec.rollbackOf}`]),
  ].join(' · ');
}

/** The reach, and the rest of the soak, the deadline or the freeze. */
function progressLines(release: ReleaseObject, view: View): string[] {
  const { spec, status } = release;
  const { colours, width } = view;
  if (status === undefined) return [];
  const stage = stagesIn(spec).find(({ name }) => name === status.stage);
  const unit = unitOf(stagesIn(spec));
  const isForAll = status.phase === 'Promoted';
  const share = isForAll ? 100 : (status.share ?? 0);
  const reach =
    stage === undefined
      ? isForAll
        ? 'everybody'
        : 'nobody'
      : `${reachText(stage)}${unit === undefined ? '' : ` · by ${unit}`}`;
  return [
    ...(stage !== undefined || isFinished(release)
      ? [barLine({ label: 'share', share: share / 100, paint: colours.cyan, text: reach }, view)]
      : []),
    ...timeLeft(release, view.nowMs).map(({ label, ms, share: passed, of }) =>
      passed === undefined
        ? line([pad(label, LABEL_WIDTH), countdown(ms), [colours.dim, ' left']], width)
        : barLine(
            {
              label,
              share: passed,
              paint: colours.green,
              text: `${countdown(ms)} left${of === undefined ? '' : ` of ${of}`}`,
            },
            view,
          ),
    ),
  ];
}

interface Bar {
  readonly label: string;
  /** From 0 to 1. */
  readonly share: number;
  readonly paint: Paint;
  readonly text: string;
}

function barLine({ label, share, paint, text }: Bar, { width, colours }: View): string {
  const barWidth = Math.min(LIMITS.barMax, Math.max(LIMITS.barMin, Math.floor(width / 2) - LABEL_WIDTH));
  const { full, rest } = bar(share, barWidth);
  return line([pad(label, LABEL_WIDTH), [paint, full], [colours.dim, rest], `  ${text}`], width);
}

interface Countdown {
  readonly label: string;
  readonly ms: number;
  /** The part that has passed, where the start is known. */
  readonly share?: number;
  readonly of?: string;
}

/** Events that time alone brings, the earliest first. */
function timeLeft({ spec, status }: ReleaseObject, nowMs: number): Countdown[] {
  if (status === undefined) return [];
  const nextMs = status.nextAt === undefined ? undefined : Date.parse(status.nextAt);
  if (status.held !== undefined) {
    return nextMs === undefined ? [] : [{ label: 'freeze', ms: nextMs - nowMs }];
  }
  const { state } = status.standing;
  const stage = stagesIn(spec)[state.stage ?? -1];
  if (state.at !== 'exposing' || stage === undefined || state.seenMs === undefined) {
    const label = status.phase === 'AwaitingApproval' ? 'lapses' : 'next';
    return nextMs === undefined ? [] : [{ label, ms: nextMs - nowMs }];
  }
  const activeMs = (state.heldSinceMs ?? nowMs) - state.seenMs - (state.heldMs ?? 0);
  const during = (label: string, text: string | undefined): Countdown[] => {
    const totalMs = text === undefined ? 0 : durationMs(text);
    if (text === undefined || totalMs <= activeMs) return [];
    return [{ label, ms: totalMs - activeMs, share: activeMs / totalMs, of: countdown(totalMs) }];
  };
  const soak = during(stage.name === BAKE ? 'bake' : 'soak', stage.soak);
  // A deadline matters only while a guardrail is open.
  const isOpen = (status.guardrails ?? []).some(({ outcome, shadow }) => shadow !== true && outcome !== 'pass');
  return isOpen ? [...soak, ...during('deadline', stage.deadline)] : soak;
}

function durationMs(text: string): number {
  return Temporal.Duration.from(text).total('milliseconds');
}

/** Phase and reason: a hold in colour, and the next action. */
function messageLines(release: ReleaseObject, view: View): string[] {
  const { spec, status, metadata } = release;
  const { colours, width } = view;
  if (status === undefined) return [];
  const paint = status.held === undefined ? (text: string) => text : holdPaint(status.held, colours);
  const lines = (text: string, painted: Paint): string[] =>
    wrapText(text, width, LIMITS.messageLines).map((part) => line([[painted, part]], width));
  const approvals = approvalsText(release);
  const failing = status.standing.failing?.because;
  const todo: Piece[] | undefined =
    status.phase === 'AwaitingApproval'
      ? [
          [colours.dim, `${approvals ?? ''} approvals · approver (not ${authorsText(spec)}): `],
          `backline release show ${metadata.name}`,
        ]
      : undefined;
  return [
    ...lines(status.message, paint),
    ...(status.held === undefined || status.held === status.message ? [] : lines(status.held, paint)),
    ...(failing === undefined || failing === status.message ? [] : lines(`fails: ${failing}`, colours.red)),
    ...(todo === undefined ? [] : [line(todo, width)]),
  ];
}

function holdPaint(held: string, { red, cyan, yellow }: View['colours']): Paint {
  if (held.startsWith('Every release is stopped')) return red;
  return held.startsWith('Freeze ') ? cyan : yellow;
}

function momentLine({ at, phase, by, message }: ReleaseMoment, { width, colours, timeZone }: View): string {
  const who = by === undefined || by === ENGINE ? '' : `${by}: `;
  return line(
    [
      [colours.dim, `${clockTime(at, timeZone)}  `],
      [phasePaint(phase, colours), pad(phase, PHASE_WIDTH)],
      `  ${who}${message}`,
    ],
    width,
  );
}

type ReleaseMoment = NonNullable<ReleaseObject['status']>['history'][number];

/** Author of automatic decisions; not shown. */
const ENGINE = 'system:releases';
