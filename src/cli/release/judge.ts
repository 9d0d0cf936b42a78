import { isDeepStrictEqual } from 'node:util';
import { call } from '../api/call.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { EXIT } from '../terminal/failure.ts';
import type { Io } from '../terminal/io.ts';
import { textTable } from '../terminal/text-table.ts';
import { API_VERSION, RELEASES, findRelease } from './release-api.ts';
import { stagesIn, weightsIn, type Evidence, type Guardrail, type ReleaseObject } from './release-object.ts';
import { plain } from './terminal-text.ts';
import { dateTime } from './view.ts';

export interface JudgeOptions extends ConnectionOptions {
  readonly guardrail?: string;
  readonly margin?: number;
  readonly replay?: boolean;
  readonly output?: 'json';
}

interface Counts {
  readonly units: unknown;
  readonly bad: unknown;
}

/** A stored window; with a replay, the verdict of the present judge at its end. */
export interface Window {
  readonly guardrail: string;
  readonly to: string;
  readonly stage: number;
  readonly reading:
    | { readonly at: 'measured'; readonly candidate: Counts; readonly stable: Counts }
    | { readonly at: 'empty' | 'down' };
  readonly verdict?: Guardrail;
}

export interface JudgeAnswer {
  readonly judgeVersion: number;
  /** Only the name, where nothing was measured. */
  readonly verdicts: readonly (Guardrail | { readonly name: string; readonly shadow?: boolean })[];
  readonly windows: readonly Window[];
  readonly windowsLeftOut: number;
}

/** `backline release judge NAME`: verdicts of the present judge on the stored measurements; with a replay, for each window. */
export async function judgeRelease(given: string, options: JudgeOptions, io: Io): Promise<number> {
  const connection = connectionFrom(options, io);
  const release = await findRelease(connection, given);
  const { name } = release.metadata;
  const { guardrail, margin, replay = false } = options;
  const spec = {
    ...(guardrail === undefined ? {} : { guardrail }),
    ...(margin === undefined ? {} : { margin }),
    ...(replay ? { replay } : {}),
  };
  const body = { apiVersion: API_VERSION, kind: 'Judgement', metadata: { name }, spec };
  const path = `${RELEASES}/${encodeURIComponent(name)}/judgement`;
  const { status } = (await call(connection, 'POST', path, { body })) as { readonly status: JudgeAnswer };
  const differences = replay ? differencesIn(release, status) : [];
  if (options.output === 'json') {
    const answer = replay ? { ...status, isAsStatus: differences.length === 0, differences } : status;
    io.exact.write(`${JSON.stringify(answer, null, 2)}\n`);
  } else {
    const timeZone = Temporal.Now.timeZoneId();
    const lines = replay ? replayLines(release, status, differences, timeZone) : verdictLines(status);
    io.stdout.write(`${lines.join('\n')}\n`);
  }
  return differences.length === 0 ? EXIT.ok : EXIT.failed;
}

function verdictLines({ verdicts }: JudgeAnswer): string[] {
  if (verdicts.length === 0) return ['It has no guardrails.'];
  const rows = verdicts.map((one) => {
    const [answer, because] = 'outcome' in one ? [one.outcome, one.because] : ['not measured', ''];
    return [one.name + shadowText(one), answer, plain(because)];
  });
  return textTable(rows).split('\n');
}

/** One line for each window, and whether the result matches the release. */
export function replayLines(
  release: ReleaseObject,
  { windows, windowsLeftOut }: JudgeAnswer,
  differences: readonly string[],
  timeZone: string,
): string[] {
  const stages = stagesIn(release.spec);
  const head = ['TIME', 'GUARDRAIL', 'STAGE', 'CANDIDATE', 'STABLE', 'HARM', 'SAFETY', 'DISPERSION', 'VERDICT'];
  const rows = windows.map(({ guardrail, to, stage, reading, verdict }) => {
    const { harm, safety, dispersion } = weightsIn(verdict?.figures ?? { of: 'nothing' });
    return [
      dateTime(to, timeZone),
      guardrail,
      stages[stage]?.name ?? String(stage),
      ...(reading.at === 'measured' ? [countsText(reading.candidate), countsText(reading.stable)] : [reading.at, '']),
      evidenceText(harm),
      evidenceText(safety),
      dispersion === undefined ? '' : DECIMALS.format(dispersion),
      verdict === undefined ? '-' : verdict.outcome + shadowText(verdict),
    ];
  });
  return [
    ...(windowsLeftOut === 0 ? [] : [`${windowsLeftOut} earlier windows count too but are not shown.`]),
    ...(rows.length === 0 ? ['Nothing was measured.'] : textTable([head, ...rows]).split('\n')),
    ...(differences.length === 0 ? ['The release has the same verdicts.'] : differences.map(plain)),
  ];
}

/** The guardrails whose status differs from the replay, one sentence each. */
export function differencesIn(release: ReleaseObject, { verdicts, windows }: JudgeAnswer): string[] {
  return verdicts.flatMap(({ name }) => {
    const answer = release.status?.guardrails?.find((one) => one.name === name);
    const looks = windows.flatMap((one) => (one.guardrail === name && one.verdict !== undefined ? [one.verdict] : []));
    // A stored failure stays.
    const found = looks.find(({ outcome }) => outcome === 'fail') ?? looks.at(-1);
    if (answer === undefined && found === undefined) return [];
    if (answer !== undefined && isSame(answer, found)) return [];
    return [
      `${name}: the release has ${answer === undefined ? 'nothing' : `${answer.outcome} (${answer.because})`}; the replay ${found === undefined ? 'nothing' : `${found.outcome} (${found.because})`}`,
    ];
  });
}

/** A source that fell silent has no window: then the figures decide. */
function isSame(answer: Guardrail, found: Guardrail | undefined): boolean {
  const isSilence =
    answer.outcome === 'stale' || (answer.outcome === 'providerDown' && answer.figures.of === 'nothing');
  if (found === undefined) return isSilence;
  if (answer.outcome === 'stale') return found.outcome !== 'fail' && isDeepStrictEqual(answer.figures, found.figures);
  // The windows of a burn rate slide with time, and its sentence changes.
  return answer.outcome === found.outcome && (answer.figures.of === 'burnRate' || answer.because === found.because);
}

function evidenceText(evidence: Evidence | undefined): string {
  return evidence === undefined ? '' : `${DECIMALS.format(evidence.value)} of ${DECIMALS.format(evidence.needed)}`;
}

function countsText({ bad, units }: Counts): string {
  return `${String(bad)}/${String(units)}`;
}

function shadowText({ shadow }: { readonly shadow?: boolean }): string {
  return shadow === true ? ' (shadow)' : '';
}

const DECIMALS = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3 });
