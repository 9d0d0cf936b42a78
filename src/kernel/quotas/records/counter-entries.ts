import type { Counter, Moved } from '../rules/book.ts';
import type { Entry } from '../rules/rolling.ts';

/*
 * What a counter knows besides its use, as JSON: the entries of a rolling window, or what a window with rollover was
 * brought, ["waits" | "passed", brought, least, last]; of a counter whose use has moved, {"moved": …, "knows": …} with
 * that. Most counters know nothing, and are the smaller for it.
 */

type RolledText = readonly ['waits' | 'passed', brought: number, least: number, last: number];

type Known = readonly Entry[] | RolledText;

interface MovedText {
  readonly moved: Moved;
  readonly knows?: Known;
}

/** SQL: units of this window still have to go on, so it is kept however old it is. */
export const WAITS = `coalesce(starts_with(entries, '["waits"'), false)`;

/** Empty when it knows nothing. */
export function entriesOf({ moved, ...counter }: Counter): string {
  const known = knownOf(counter);
  if (moved === undefined) return known;
  const text: MovedText = { moved, ...(known === '' ? {} : { knows: JSON.parse(known) as Known }) };
  return JSON.stringify(text);
}

function knownOf({ entries, rolled }: Pick<Counter, 'entries' | 'rolled'>): string {
  if (entries !== undefined) return JSON.stringify(entries);
  if (rolled === undefined) return '';
  const { brought, least, last, isPassed } = rolled;
  const text: RolledText = [isPassed ? 'passed' : 'waits', brought, least, last];
  return JSON.stringify(text);
}

export function parseEntries(text: string): Pick<Counter, 'entries' | 'rolled' | 'moved'> {
  const parsed = JSON.parse(text) as Known | MovedText;
  if (!('moved' in parsed)) return knownIn(parsed);
  const { moved, knows } = parsed;
  return { ...(knows === undefined ? {} : knownIn(knows)), moved };
}

function knownIn(parsed: Known): Pick<Counter, 'entries' | 'rolled'> {
  if (!isRolled(parsed)) return { entries: parsed };
  const [state, brought, least, last] = parsed;
  return { rolled: { brought, least, last, isPassed: state === 'passed' } };
}

function isRolled(parsed: Known): parsed is RolledText {
  return typeof parsed[0] === 'string';
}
