import type { Counter } from '../book.ts';
import type { Entry } from '../rolling.ts';

/*
 * What a counter knows besides its use, as JSON: the entries of a rolling window, or what a window with rollover was
 * brought, ["waits" | "passed", brought, least, last]. Most counters know nothing, and are the smaller for it.
 */

type RolledText = readonly ['waits' | 'passed', brought: number, least: number, last: number];

/** SQL: units of this window still have to go on, so it is kept however old it is. */
export const WAITS = `coalesce(starts_with(entries, '["waits"'), false)`;

/** Empty when it knows nothing. */
export function entriesOf({ entries, rolled }: Counter): string {
  if (entries !== undefined) return JSON.stringify(entries);
  if (rolled === undefined) return '';
  const { brought, least, last, isPassed } = rolled;
  const text: RolledText = [isPassed ? 'passed' : 'waits', brought, least, last];
  return JSON.stringify(text);
}

export function parseEntries(text: string): Pick<Counter, 'entries' | 'rolled'> {
  const parsed = JSON.parse(text) as readonly Entry[] | RolledText;
  if (!isRolled(parsed)) return { entries: parsed };
  const [state, brought, least, last] = parsed;
  return { rolled: { brought, least, last, isPassed: state === 'passed' } };
}

function isRolled(parsed: readonly Entry[] | RolledText): parsed is RolledText {
  return typeof parsed[0] === 'string';
}
