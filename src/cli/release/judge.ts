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

/** A window that was kept; with a replay, what the judge of now says at its end. */
export interface Window {
  readonly guardrail: string;
  readonly to: string;
  readonly stage: number;
  readonly reading:
    | { readonly at: 'measured'; readonly candidate: Counts; readonly stable: Counts }
    | { readonly at: 'empty' | 'down' };
  readonly verdict?: Guardrail;
}

export interface Judged {
  readonly judgeVersion: number;
  /** Of what was not measured there is only the name. */
  readonly verdicts: readonly (Guardrail | { readonly name: string; readonly shadow?: boolean })[];
  readonly windows: readonly Window[];
  readonly windowsLeftOut: number;
}

/** `backline release judge NAME`: what the judge of now says of what was measured; with a replay, look by look. */
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
  const { status } = (await call(connection, 'POST', path, { body })) as { readonly status: Judged };
  const differences = replay ? differencesIn(release, status) : [];
  if (options.output === 'json') {
    const said = replay ? { ...status, isAsStatus: differences.length === 0, differences } : status;
    io.exact.write(`${JSON.stringify(said, null, 2)}\n`);
  } else {
    const timeZone = Temporal.Now.timeZoneId();
    const lines = replay ? replayLines(release, status, differences, timeZone) : verdictLines(status);
    io.stdout.write(`${lines.join('\n')}\n`);
  }
  return differences.length === 0 ? EXIT.ok : EXIT.failed;
}

function verdictLines({ verdicts }: Judged): string[] {
  if (verdicts.length === 0) return ['It has no guardrails.'];
  const rows = verdicts.map((one) => {
    const [said, because] = 'outcome' in one ? [one.outcome, one.because] : ['not measured', ''];
    return [one.name + shadowText(one), said, plain(because)];
  });
  return textTable(rows).split('\n');
}

/** One line for each window, and whether the release says the same. */
export function replayLines(
  release: ReleaseObject,
  { windows, windowsLeftOut }: Judged,
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
    ...(windowsLeftOut === 0 ? [] : [`${windowsLeftOut} earlier windows count as well and are not shown.`]),
    ...(rows.length === 0 ? ['Nothing was measured.'] : textTable([head, ...rows]).split('\n')),
    ...(differences.length === 0 ? ['The release says the same.'] : differences.map(plain)),
  ];
}

/** In which guardrails the release says something else than the replay, each with a sentence. */
export function differencesIn(release: ReleaseObject, { verdicts, windows }: Judged): string[] {
  return verdicts.flatMap(({ name }) => {
    const said = release.status?.guardrails?.find((one) => one.name === name);
    const looks = windows.flatMap((one) => (one.guardrail === name && one.verdict !== undefined ? [one.verdict] : []));
    // A failure that was read stays.
    const found = looks.find(({ outcome }) => outcome === 'fail') ?? looks.at(-1);
    if (said === undefined && found === undefined) return [];
    if (said !== undefined && isSame(said, found)) return [];
    return [
      `${name}: the release says ${said === undefined ? 'nothing' : `${said.outcome} (${said.because})`}; the replay ${found === undefined ? 'nothing' : `${found.outcome} (${found.because})`}`,
    ];
  });
}

/** What a release says of a source that fell silent is in no window: then the figures tell. */
function isSame(said: Guardrail, found: Guardrail | undefined): boolean {
  const isSilence = said.outcome === 'stale' || (said.outcome === 'providerDown' && said.figures.of === 'nothing');
  if (found === undefined) return isSilence;
  if (said.outcome === 'stale') return found.outcome !== 'fail' && isDeepStrictEqual(said.figures, found.figures);
  // The windows of a burn rate move on with time, and its words with them.
  return said.outcome === found.outcome && (said.figures.of === 'burnRate' || said.because === found.because);
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
