import { systemClock } from '#kernel/base/clock.ts';
import { ServerRefusal } from '../api/call.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { EXIT } from '../terminal/failure.ts';
import { coloursFor, type Io } from '../terminal/io.ts';
import { fieldLines } from '../objects/plan-text.ts';
import { textTable } from '../terminal/text-table.ts';
import { guardrailLines } from './guardrail-lines.ts';
import { findRelease, listPins, type Pin } from './release-api.ts';
import { releaseChanges, type ObjectChange } from './release-changes.ts';
import {
  approvalsText,
  isFinished,
  authorsText,
  kindName,
  policiesText,
  stagesIn,
  type ReleaseItem,
  type ReleaseObject,
  type Side,
  type Stage,
} from './release-object.ts';
import { widthOfScreen } from './screen.ts';
import { reachSoFar, reachText, stageTrack } from './stage-track.ts';
import { placeRows, targetLines } from './target-lines.ts';
import { plain } from './terminal-text.ts';
import { dateTime, phasePaint, type View } from './view.ts';

export interface ShowOptions extends ConnectionOptions {
  readonly json?: boolean;
  readonly all?: boolean;
}

/** `backline release show NAME`: everything about a release. */
export async function showRelease(given: string, options: ShowOptions, io: Io): Promise<number> {
  const connection = connectionFrom(options, io);
  const release = await findRelease(connection, given);
  const isAll = options.all === true;
  if (options.json === true) {
    const changes = isAll ? { changes: await releaseChanges(connection, release, true) } : {};
    io.exact.write(`${JSON.stringify({ ...release, ...changes }, null, 2)}\n`);
    return EXIT.ok;
  }
  const [changes, pins] = await Promise.all([
    releaseChanges(connection, release, isAll),
    whereAllowed(listPins(connection)),
  ]);
  const about = pins.filter(({ spec: { object, release: of } }) => {
    const isOf = ({ kind, name }: { readonly kind: string; readonly name: string }): boolean =>
      kind === object.kind && name === object.name;
    return of === release.metadata.name || release.spec.objects.some(isOf);
  });
  const view = {
    nowMs: systemClock().epochMilliseconds,
    width: widthOfScreen(io.exact),
    colours: coloursFor(io.stdout, io.env),
    timeZone: Temporal.Now.timeZoneId(),
  };
  io.stdout.write(`${releaseText(release, { changes, isAll }, about, view)}\n`);
  return EXIT.ok;
}

/** Users who may only read releases get no pins. */
async function whereAllowed<Item>(list: Promise<readonly Item[]>): Promise<readonly Item[]> {
  try {
    return await list;
  } catch (error) {
    if (error instanceof ServerRefusal && error.status === 403) return [];
    throw error;
  }
}

interface Shown {
  /** undefined for users who may not read them. */
  readonly changes: readonly ObjectChange[] | undefined;
  readonly isAll: boolean;
}

/** A release in sections; empty ones are left out. */
export function releaseText(release: ReleaseObject, shown: Shown, pins: readonly Pin[], view: View): string {
  const { bold } = view.colours;
  const section = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : [[bold(title), ...lines.map((text) => `  ${text}`)].join('\n')];
  const inner = { ...view, width: Math.max(1, view.width - 2) };
  return [
    headText(release, view),
    ...section('Stages', stageLines(release, inner)),
    ...section('Targets', targetSection(release, inner)),
    ...section(
      isFinished(release) ? 'A rollback left' : 'A rollback would leave',
      (release.status?.remains ?? []).map(({ undo, says }) =>
        plain(undo === 'none' ? `${says} (it cannot be undone)` : says),
      ),
    ),
    ...section(
      'In words',
      shown.isAll ? [] : (release.spec.sentences ?? []).map((text) => `${view.colours.cyan('»')} ${plain(text)}`),
    ),
    ...section('Changes', changeLines(release, shown, inner)),
    ...section('Guardrails', guardrailLines(release, inner)),
    ...section(`Approvals ${approvalsText(release) ?? ''}`, approvalLines(release, inner)),
    ...section('Pins', pins.map(pinText)),
    ...section('History', historyLines(release, inner)),
  ].join('\n\n');
}

function headText(release: ReleaseObject, { colours, timeZone }: View): string {
  const { metadata, spec, status } = release;
  const phase = status?.phase ?? 'new';
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['message', status?.message],
    ['held', status?.held === status?.message ? undefined : status?.held],
    [spec.authors.length === 1 ? 'author' : 'authors', authorsText(spec)],
    ['reach', reachSoFar(release)],
    ['began', metadata.creationTimestamp === undefined ? undefined : dateTime(metadata.creationTimestamp, timeZone)],
    ['next at', status?.nextAt === undefined ? undefined : dateTime(status.nextAt, timeZone)],
    ['policy', policiesText(spec) ?? 'none: live for everyone at once'],
    ['group', spec.group],
    ['rolls back', spec.rollbackOf],
    ['plan', spec.planHash],
    ['fails', status?.standing.failing?.because],
  ];
  const rows = facts.flatMap(([label, text]) => (text === undefined ? [] : [[`  ${label}`, plain(text)]]));
  return `${colours.bold(metadata.name)}  ${phasePaint(phase, colours)(phase)}\n${textTable(rows)}`;
}

function stageLines(release: ReleaseObject, view: View): string[] {
  const stages = stagesIn(release.spec);
  if (stages.length === 0) return [];
  const rows = stages.map((stage, index) => [
    stage.name === release.status?.stage ? '→' : ' ',
    `${index + 1} ${stage.name}`,
    reachText(stage),
    soakText(stage),
  ]);
  return [stageTrack(release, view), ...textTable(rows).split('\n')];
}

/** With several targets, or with an unhealthy one. */
function targetSection(release: ReleaseObject, view: View): string[] {
  const lines = targetLines(release, view);
  if (lines.length === 0) return [];
  return [...lines, ...textTable(placeRows(release.status?.targets ?? [], view)).split('\n')];
}

function soakText({ soak, deadline, promote }: Stage): string {
  return [
    `soak ${soak}`,
    ...(deadline === undefined ? [] : [`deadline ${deadline}`]),
    ...(promote === 'manual' ? ['promoted by hand'] : []),
  ].join(', ');
}

function changeLines({ metadata, spec: { objects } }: ReleaseObject, { changes, isAll }: Shown, view: View): string[] {
  const { dim, yellow } = view.colours;
  const shown = changes ?? [];
  const more = objects.length - shown.length;
  return [
    ...(changes === undefined ? [yellow('Forbidden: reading them needs `create` on releases/changes.')] : []),
    ...objects.slice(0, shown.length).flatMap((object, index) => objectLines(object, shown[index], isAll, view)),
    ...(changes !== undefined && more > 0
      ? [dim(`and ${more} more objects: backline release show ${metadata.name} --all`)]
      : []),
  ];
}

function objectLines(
  { kind, name, from, to }: ReleaseItem,
  change: ObjectChange | undefined,
  isAll: boolean,
  { colours }: View,
): string[] {
  const { green, red, yellow, bold, dim, cyan } = colours;
  const sign = from === undefined ? green('+') : to === undefined ? red('-') : yellow('~');
  const namespace = (to ?? from)?.namespace ?? '';
  // The name of some kinds contains it.
  const where = namespace === '' || name.startsWith(`${namespace}/`) ? '' : ` ${dim(`in ${namespace}`)}`;
  const title = `${sign} ${bold(`${kindName(kind)} ${name}`)}${where}  ${dim(`${sideText(from)} → ${sideText(to)}`)}`;
  const fields =
    change?.fields === undefined
      ? [`    ${yellow('a revision is no longer stored')}`]
      : fieldLines(change.fields, colours);
  const sentences = isAll ? (change?.sentences ?? []).map((text) => `    ${cyan('»')} ${plain(text)}`) : [];
  return [title, ...fields, ...sentences];
}

function sideText(side: Side | undefined): string {
  return side === undefined ? 'absent' : side.revision.slice(0, REVISION_SHOWN);
}

const REVISION_SHOWN = 8;

function approvalLines({ metadata, spec, status }: ReleaseObject, { timeZone, colours }: View): string[] {
  const { policy, otherPolicies = [] } = spec;
  const rules = (policy === undefined ? [] : [policy, ...otherPolicies]).flatMap(({ name, spec: { approvals } }) => {
    if (approvals === undefined) return [];
    const who = [...(approvals.users ?? []), ...(approvals.groups ?? []).map((group) => `members of ${group}`)];
    const by = otherPolicies.length === 0 ? '' : `policy ${name}: `;
    const from = who.length === 0 ? 'anybody' : who.join(', ');
    const required = approvals.required + (spec.unattended === true ? 1 : 0);
    return [`${by}${required} needed from ${from} but ${authorsText(spec)}`];
  });
  const given = (status?.standing.approvals ?? []).map(({ user, atMs, reason }) => {
    const found = status?.approvals?.given.find((one) => one.user === user);
    const note = found?.because === undefined ? '' : ` does not count: ${found.because}`;
    return plain(`${dateTime(atMs, timeZone)}  ${user}${note}${reason === undefined ? '' : `  ${reason}`}`);
  });
  const todo =
    status?.phase === 'AwaitingApproval'
      ? [`${colours.cyan('→')} backline release approve ${metadata.name} --plan ${spec.planHash}`]
      : [];
  return [...rules.map((rule) => colours.dim(plain(rule))), ...given, ...todo];
}

function pinText({ spec: { object, by, reason, until, release, refuses } }: Pin): string {
  const what =
    refuses === undefined
      ? 'stays as it is'
      : `refuses ${refuses.map((one) => one.slice(0, REVISION_SHOWN)).join(', ')}`;
  const since = release === undefined ? '' : ` since ${release}`;
  return plain(
    `${kindName(object.kind)} ${object.name} ${what}${since}, by ${by}${until === undefined ? '' : ` until ${until}`}: ${reason}`,
  );
}

function historyLines({ status }: ReleaseObject, { timeZone, colours }: View): string[] {
  const rows = (status?.history ?? []).map(({ at, phase, by, message }) => [
    dateTime(at, timeZone),
    phase,
    by ?? '',
    plain(message),
  ]);
  return rows.length === 0
    ? []
    : textTable(rows)
        .split('\n')
        .map((text) => text.replace(/^\S+ \S+/, colours.dim));
}
