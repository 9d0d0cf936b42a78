import { releaseRefusal } from '#kernel/releases/refusals.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { eachOf, inTurns, type Steps } from '#kernel/base/turns.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import type { VirtualKind } from '#kernel/api/virtual.ts';
import type { Store } from '#kernel/store/contract.ts';
import { notFoundRefusal } from '#kernel/store/rules/write.ts';
import { judgeVersion } from '#kernel/statistics/verdict.ts';
import { metricsOf, type GuardrailSpec } from '../kinds/guardrail-spec.ts';
import { JUDGEMENT_REPLAYED_MAX, JUDGEMENT_WINDOWS_MAX, Judgement, type JudgementSpec } from '../kinds/judgement.ts';
import { Release } from '../kinds/release.ts';
import { guardrailStatus } from '../kinds/release-status.ts';
import { writeReading } from './stored-answer.ts';
import { readWindows } from './stored-windows.ts';
import { addKept, NO_TALLY, verdictOf, type StoredWindow, type Tally } from './tally.ts';

/**
 * Answers Judgements: the stored measurements of a release, judged by the present judge, as of the end of the last window. Without
 * changed parameters the verdicts equal those in the status of the release, unless they concern a source that fell silent later.
 */
export function judgements(parts: {
  readonly store: Pick<Store<never>, 'get' | 'fresh'>;
  readonly database: Queryable;
}): ReadonlyMap<string, VirtualKind> {
  const { store, database } = parts;
  const answer: VirtualKind = async (object, { name = '' }) => {
    const given = Judgement.spec(object) ?? {};
    await store.fresh();
    const entry = store.get(Release, '', name);
    if (entry === undefined) throw notFoundRefusal(Release, name);
    const policy = Release.spec(entry.object()).policy?.spec;
    const all = policy?.guardrails ?? [];
    const { alpha = 0.05, beta = 0.05 } = { ...policy?.judging, ...given.judging };
    const context = { alpha, beta, metrics: metricsOf(all) };
    const isReplay = given.replay === true;
    const max = isReplay ? JUDGEMENT_REPLAYED_MAX : JUDGEMENT_WINDOWS_MAX;
    const verdicts: object[] = [];
    let newest: readonly JudgedWindow[] = [];
    let count = 0;
    for (const guardrail of chooseGuardrails(name, all, given)) {
      const found = await readAll(readWindows(database, entry.uid, guardrail.name), guardrail, { max, isReplay });
      const verdict = verdictOf(guardrail, found.tally, 0, context);
      verdicts.push(verdict === undefined ? { name: guardrail.name } : guardrailStatus(guardrail, verdict));
      newest = [...newest, ...found.newest].sort((a, b) => a.kept.fromMs - b.kept.fromMs).slice(-max);
      count += found.count;
    }
    const windows = await inTurns(shownOnes(newest, context));
    const status = { judgeVersion, verdicts, windows, windowsLeftOut: count - windows.length };
    return { ...object, status };
  };
  return new Map([[`${Release.id}/judgement`, answer]]);
}

/** The requested guardrails, with the requested parameters. */
function chooseGuardrails(
  release: string,
  all: readonly GuardrailSpec[],
  { guardrail: wanted, margin }: JudgementSpec,
): readonly GuardrailSpec[] {
  const found = wanted === undefined ? all : all.filter(({ name }) => name === wanted);
  if (wanted !== undefined && found.length === 0) {
    const hint = didYouMean(
      nearSpellings(
        wanted,
        all.map(({ name }) => name),
      ),
    );
    throw releaseRefusal('no-guardrail', `Release "${release}" has no guardrail "${wanted}"${hint}.`);
  }
  return found.map((one) =>
    margin === undefined || one.noWorse === undefined ? one : { ...one, noWorse: { ...one.noWorse, margin } },
  );
}

/** A window, with the tally up to it where it is judged. */
interface JudgedWindow {
  readonly guardrail: GuardrailSpec;
  readonly kept: StoredWindow;
  readonly tally: Tally | undefined;
}

/** Folds all windows; returns as many of them as an answer may have. */
async function readAll(
  pages: ReturnType<typeof readWindows>,
  guardrail: GuardrailSpec,
  { max, isReplay }: { readonly max: number; readonly isReplay: boolean },
): Promise<{ readonly tally: Tally; readonly newest: readonly JudgedWindow[]; readonly count: number }> {
  let tally = NO_TALLY;
  let count = 0;
  let newest: JudgedWindow[] = [];
  for await (const page of pages) {
    const looked: JudgedWindow[] = [];
    await inTurns(
      eachOf(page, (kept) => {
        tally = addKept(guardrail, tally, kept);
        looked.push({ guardrail, kept, tally: isReplay ? tally : undefined });
      }),
    );
    newest = [...newest, ...looked.slice(-max)].slice(-max);
    count += page.length;
  }
  return { tally, newest, count };
}

function* shownOnes(newest: readonly JudgedWindow[], context: Parameters<typeof verdictOf>[3]): Steps<object[]> {
  const windows: object[] = [];
  for (const { guardrail, kept, tally } of newest) {
    const verdict = tally === undefined ? undefined : verdictOf(guardrail, tally, 0, context);
    windows.push({
      ...showWindow(kept),
      ...(verdict === undefined ? {} : { verdict: guardrailStatus(guardrail, verdict) }),
    });
    yield;
  }
  return windows;
}

function showWindow({
  guardrail,
  fromMs,
  toMs,
  stage,
  scope,
  share,
  reading,
  judgeVersion: by,
  atMs,
}: StoredWindow): object {
  const time = (ms: number) => Temporal.Instant.fromEpochMilliseconds(ms).toString();
  return {
    guardrail,
    from: time(fromMs),
    to: time(toMs),
    stage,
    ...(scope === undefined ? {} : { scope }),
    share,
    reading: JSON.parse(writeReading(reading)) as unknown,
    judgeVersion: by,
    measuredAt: time(atMs),
  };
}
