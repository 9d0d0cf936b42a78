import type { Counter, UseTransfer } from '../rules/book.ts';
import type { Entry } from '../rules/rolling.ts';

/*
 * Details of a counter besides its use, as JSON: the entries of a rolling window, or the rollover state ["waits" |
 * "passed", brought, least, last]. A counter whose use has moved has {"moved": …, "knows": details}. Most counters have
 * no details and stay small.
 */

type RolledText = readonly ['waits' | 'passed', brought: number, least: number, last: number];

type CounterDetails = readonly Entry[] | RolledText;

interface MovedText {
  readonly moved: UseTransfer;
  readonly knows?: CounterDetails;
}

/** SQL: units of this window still have to be passed on, so the row is never too old. */
export const WAITS = `coalesce(starts_with(entries, '["waits"'), false)`;

/** Empty when there are no details. */
export function entriesOf({ moved, ...counter }: Counter): string {
  const known = detailsText(counter);
  if (moved === undefined) return known;
  const text: MovedText = { moved, ...(known === '' ? {} : { knows: JSON.parse(known) as CounterDetails }) };
  return JSON.stringify(text);
}

function detailsText({ entries, rolled }: Pick<Counter, 'entries' | 'rolled'>): string {
  if (entries !== undefined) return JSON.stringify(entries);
  if (rolled === undefined) return '';
  const { brought, least, last, isPassed } = rolled;
  const text: RolledText = [isPassed ? 'passed' : 'waits', brought, least, last];
  return JSON.stringify(text);
}

export function parseEntries(text: string): Pick<Counter, 'entries' | 'rolled' | 'moved'> {
  const parsed = JSON.parse(text) as CounterDetails | MovedText;
  if (!('moved' in parsed)) return parseDetails(parsed);
  const { moved, knows } = parsed;
  return { ...(knows === undefined ? {} : parseDetails(knows)), moved };
}

function parseDetails(parsed: CounterDetails): Pick<Counter, 'entries' | 'rolled'> {
  if (!isRolled(parsed)) return { entries: parsed };
  const [state, brought, least, last] = parsed;
  return { rolled: { brought, least, last, isPassed: state === 'passed' } };
}

function isRolled(parsed: CounterDetails): parsed is RolledText {
  return typeof parsed[0] === 'string';
}
