import type { BreakWait } from './break-wait.ts';
import type { BreakQuestion, ServedAd } from './decisions/decide.ts';
import type { AdsTable, CompiledPlacement } from './decisions/table.ts';
import { exposureNumber, type Histories, type HistorySubject, type KnownHistory } from './history/histories.ts';
import { withoutExposures, type NewExposure } from './rules/ad-history.ts';
import { breakExposure, loadReason, questionExposures, type LoadReason } from './rules/ad-load.ts';
import { capCheck, countedOwners } from './rules/cap-check.ts';
import type { CapScope, OwnerCaps } from './rules/frequency.ts';
import { TOKEN_LIMITS } from './serving/ad-token.ts';

/** An impression that is accepted in the last moment is written by then. */
const WRITE_MARGIN_MS = 10_000;

const MINUTE_MS = 60_000;

const NOTHING_READ: KnownHistory = { rows: new Map() };

/** Why a listener gets no break now; unknown: nobody is named, nothing is kept, or the database does not answer. */
export type LoadObstacle = LoadReason | 'adLoadUnknown';

/** The history of the listener, where a cap or a load counts it: otherwise no break waits for it. Undefined: unknown. */
export async function readHistory(
  { cappedCount }: AdsTable,
  { placement }: BreakQuestion,
  {
    histories,
    wait,
    subject,
  }: { readonly histories: Histories; readonly wait: BreakWait; readonly subject: HistorySubject },
): Promise<KnownHistory | undefined> {
  if (cappedCount === 0 && placement.policy?.load === undefined) return NOTHING_READ;
  return wait.ask((signal) => histories.read(subject, signal));
}

/** Whether the load of the policy, and what the listener got, allow a break now. One that they ask for themselves it always does. */
export function loadObstacle(question: BreakQuestion, known: KnownHistory | undefined): LoadObstacle | undefined {
  const { policy, spec } = question.placement;
  if (policy?.load === undefined) return undefined;
  const history = known?.rows.get(question.historyScope)?.history;
  if (history === undefined) return 'adLoadUnknown';
  if (spec.rewarded === true) return undefined;
  return loadReason(policy.load, history, { nowMs: beginMs(question), hasGrace: question.hasGrace });
}

/** How long a listener gets no breaks when they have played the ad of this placement to the end. */
export function rewardMsOf({ spec, policy }: CompiledPlacement): number {
  return spec.rewarded === true ? (policy?.load?.rewardedMinutes ?? 0) * MINUTE_MS : 0;
}

/** Holds ad sets back by the history of the listener, then by money. Without a history, every cap holds. */
export function heldBackBy(
  question: BreakQuestion,
  known: KnownHistory | undefined,
  withoutRoom: ReadonlySet<string> = new Set(),
): BreakQuestion['heldBack'] {
  const obstacleOf = known === undefined ? everyCap : capCheck(known.rows, question.nowMs);
  return (adSet) => {
    if (withoutRoom.has(adSet.name)) return 'budget spent';
    return obstacleOf(adSet.caps) ?? question.heldBack(adSet);
  };
}

function everyCap(caps: readonly OwnerCaps[]): 'frequency unknown' | undefined {
  return caps.length === 0 ? undefined : 'frequency unknown';
}

/** The exposures of a break: its ads, for their caps; the break as a whole, and that it was asked for, for the load. */
export function exposuresOfBreak(
  question: BreakQuestion,
  id: string,
  served: readonly ServedAd[],
  known: KnownHistory,
): ReadonlyMap<CapScope, readonly NewExposure[]> {
  const exposures = new Map<CapScope, NewExposure[]>();
  const untilMs = question.nowMs + TOKEN_LIMITS.lifetimeMs + WRITE_MARGIN_MS;
  for (const [place, { adSet }] of served.entries()) {
    if (adSet.caps.length === 0) continue;
    const number = exposureNumber(id, place);
    for (const [scope, { owners, keepMs }] of countedOwners(adSet.caps, known.rows)) {
      const own = exposures.get(scope) ?? [];
      own.push({ id: number, owners, keepMs, untilMs });
      exposures.set(scope, own);
    }
  }
  const { placement, historyScope, slots, hasGrace } = question;
  const load = placement.policy?.load;
  const history = known.rows.get(historyScope)?.history;
  if (load === undefined || history === undefined) return exposures;
  const own = exposures.get(historyScope) ?? [];
  if (served.length > 0) own.push(breakExposure(exposureNumber(id, slots), beginMs(question)));
  if (hasGrace && load.graceMinutes !== undefined) own.push(...questionExposures(history, beginMs(question)));
  return exposures.set(historyScope, own);
}

function beginMs({ nowMs, aheadMs }: BreakQuestion): number {
  return nowMs + aheadMs;
}

/** Without what a lost round of this decision wrote, of which only the answer was lost. */
export function withoutDecision({ rows }: KnownHistory, id: string, slots: number): KnownHistory {
  const own = new Set(Array.from({ length: slots + 1 }, (_, place) => exposureNumber(id, place)));
  return {
    rows: new Map(
      Array.from(rows, ([scope, row]) => {
        const history = withoutExposures(row.history, own);
        return [scope, history === undefined ? row : { ...row, history, isCleaned: true }];
      }),
    ),
  };
}
