import type { Path, Problem } from '#kernel/base/failures.ts';
import { isFault } from './fault.ts';
import { codeAndAmount, parseMoney, sameMoney, type Money } from './money.ts';
import { instantText, OPEN, parseTime } from './times.ts';

/** A declared entry of a timeline. */
export interface TimelineEntry {
  readonly from: string;
  readonly until?: string;
  readonly amount: string;
  readonly currency: string;
}

/** An entry in force from `from` up to, not including, `until` (milliseconds since the epoch, or `OPEN`). */
export interface PriceWindow {
  /** Index in the timeline. */
  readonly index: number;
  readonly from: number;
  readonly until: number;
  readonly money: Money;
  readonly fromText: string;
  /** The declared end, or the next entry's `from`. */
  readonly untilText: string | undefined;
}

/** Rules for reading a timeline. */
export interface TimelineRules {
  /** The zone in which plain dates begin. */
  readonly zone: string;
  /** Decimals of a currency on the price's channel; `undefined` for an unknown currency. */
  readonly exponentOf: (currency: string) => number | undefined;
}

const PATH: Path = ['spec', 'timeline'];

/** The windows of a timeline, and its problems. With problems the windows must not be used. */
export function readTimeline(
  timeline: readonly TimelineEntry[],
  { zone, exponentOf }: TimelineRules,
): { readonly windows: readonly PriceWindow[]; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const refuse = (index: number, field: string, detail: string) =>
    problems.push({ path: [...PATH, index, field], reason: 'FieldValueInvalid', detail });

  const windows: PriceWindow[] = [];
  for (const [index, entry] of timeline.entries()) {
    const next = timeline[index + 1];
    const from = parseTime(entry.from, zone);
    const untilText = entry.until ?? next?.from;
    const until = untilText === undefined ? OPEN : parseTime(untilText, zone);
    const money = parseMoney(entry.amount, entry.currency, exponentOf(entry.currency));
    if (isFault(from)) refuse(index, 'from', from.fault);
    if (isFault(until) && entry.until !== undefined) refuse(index, 'until', until.fault);
    if (isFault(money)) refuse(index, exponentOf(entry.currency) === undefined ? 'currency' : 'amount', money.fault);
    else if (money.minor < 0n) refuse(index, 'amount', `${entry.amount} is below zero; a price is zero or more.`);
    if (isFault(from) || isFault(until) || isFault(money)) continue;
    windows.push({ index, from, until, money, fromText: entry.from, untilText });
  }
  if (problems.length > 0) return { windows, problems };

  for (const [index, window] of windows.entries()) {
    const declaredUntil = timeline[index]?.until;
    const next = windows[index + 1];
    if (declaredUntil !== undefined && window.until <= window.from) {
      refuse(index, 'until', `The entry ends at ${declaredUntil}, which is not after it begins at ${window.fromText}.`);
    } else if (next !== undefined && next.from <= window.from) {
      const what = `${inWords(next)} does not begin after the entry before it, ${inWords(window)}`;
      refuse(index + 1, 'from', `${what}. Entries are in order of time, the earliest first.`);
    } else if (next !== undefined && next.from < window.until) {
      refuse(
        index + 1,
        'from',
        `${inWords(next)} overlaps ${inWords(window)}. End that one at ${next.fromText} at the latest.`,
      );
    }
  }
  return { windows, problems };
}

/** A window in a sentence: `EUR 12.99 from 2025-01-01 until 2026-01-01`. */
export function inWords({ money, fromText, untilText }: PriceWindow): string {
  return `${codeAndAmount(money)} from ${fromText} ${untilText === undefined ? 'with no end' : `until ${untilText}`}`;
}

/** Overlaps with another object's entries for the same plan, market, interval and channel. */
export function overlapProblems(
  windows: readonly PriceWindow[],
  other: { readonly kind: string; readonly name: string; readonly windows: readonly PriceWindow[] },
): readonly Problem[] {
  const problems: Problem[] = [];
  for (const window of windows) {
    const hit = other.windows.find(({ from, until }) => from < window.until && window.from < until);
    if (hit === undefined) continue;
    problems.push({
      path: [...PATH, window.index, 'from'],
      reason: 'FieldValueInvalid',
      detail:
        `${inWords(window)} overlaps ${inWords(hit)} of Price "${other.name}". ` +
        `Append the new entry to the timeline of "${other.name}", or give that entry an until.`,
      about: {
        kind: other.kind,
        name: other.name,
        instead: `${inWords(window)} overlaps a Price of the same plan, market, interval and channel that you may not read.`,
      },
    });
  }
  return problems;
}

/**
 * Problems of a change that would rewrite past charges. Entries that have begun keep their start and amount;
 * one that ended keeps its end; one in force ends now at the earliest; new ones begin now at the earliest.
 */
export function pastProblems(
  before: readonly PriceWindow[],
  after: readonly PriceWindow[],
  now: number,
): readonly Problem[] {
  const problems: Problem[] = [];
  const refuse = (path: Path, detail: string) =>
    problems.push({ path: [...PATH, ...path], reason: 'FieldValueForbidden', detail });
  const moment = instantText(now);

  const begun = before.filter(({ from }) => from <= now);
  for (const past of begun) {
    const { index } = past;
    const kept = after[past.index];
    const has = `${inWords(past)} has begun (it is ${moment}) and can no longer`;
    if (kept === undefined) refuse([], `${has} be removed. To stop selling at it, give it an until.`);
    else if (kept.from !== past.from) {
      refuse(
        [index, 'from'],
        `${has} change; entry ${index} now begins at ${kept.fromText}. Append a new entry instead.`,
      );
    } else if (!sameMoney(kept.money, past.money)) {
      const field = kept.money.currency === past.money.currency ? 'amount' : 'currency';
      refuse([index, field], `${has} become ${codeAndAmount(kept.money)}. Append a new entry instead.`);
    } else if (past.until <= now && kept.until !== past.until) {
      refuse([index, 'until'], `${inWords(past)} has ended (it is ${moment}); its end can no longer move.`);
    } else if (past.until > now && kept.until < now && after[index + 1]?.from !== kept.until) {
      refuse(
        [index, 'until'],
        `${inWords(past)} is in force; it cannot end at ${kept.untilText}, before now (${moment}).`,
      );
    }
  }
  for (const added of after.slice(begun.length)) {
    if (added.from >= now) continue;
    refuse(
      [added.index, 'from'],
      `${inWords(added)} would begin before now (${moment}); what was sold cannot change afterwards.`,
    );
  }
  return problems;
}
