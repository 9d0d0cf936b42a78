import { Type, type Static } from 'typebox';
import type { Path, Problem } from '#kernel/base/failures.ts';
import { zoneClock } from '#kernel/audiences/language/zone.ts';

export const CALENDAR_PERIODS = ['PT1H', 'P1D', 'P1W', 'P1M', 'P1Y'] as const;
export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
/**
 * Period of an anchored window: so many hours, days, weeks, months or years; one unit, so that the order of units never
 * matters.
 */
export const ANCHORED_PERIOD = /^(?:PT([1-9]\d{0,2})H|P([1-9]\d{0,2})([DWMY]))$/;
/** Length of a rolling window, in one unit. */
const ROLLING_PERIOD = /^PT([1-9]\d{0,6})([HMS])$/;
/** Use older than this is not counted: longer windows are months, which calendars and anchors count better. */
const ROLLING_HOURS_MAX = 744;
const SECONDS = { H: 3_600, M: 60, S: 1 } as const;

/**
 * How long use counts. A kind with a limit embeds this schema, and adds `windowProblems` to its own checks. Those
 * refuse fields that the type does not use.
 */
export const WindowSchema = Type.Object(
  {
    type: Type.Enum(['calendar', 'anchored', 'rolling', 'lifetime', 'concurrent'], {
      description:
        'calendar: hours, days, weeks, months or years of a calendar. anchored: periods counted from a moment of the subject, like the start of a subscription. rolling: the last so many hours, minutes or seconds. lifetime: all use. concurrent: use at the same time.',
    }),
    per: Type.Optional(
      Type.String({
        minLength: 3,
        maxLength: 10,
        description:
          'The length. calendar: PT1H, P1D, P1W, P1M or P1Y. anchored: one unit of hours, days, weeks, months or years, like P1M or P30D. rolling: one unit of hours, minutes or seconds, like PT1H.',
      }),
    ),
    zone: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 60,
        description: 'The IANA time zone in which a calendar window begins; without it, the zone of the subject.',
      }),
    ),
    weekStart: Type.Optional(
      Type.Enum([...WEEKDAYS], { description: 'The day on which a calendar week begins; Monday without it.' }),
    ),
  },
  { description: 'How long use counts against the limit.' },
);

export type WindowSpec = Static<typeof WindowSchema>;

/** Problems of a window that has passed the schema. */
export function windowProblems(window: WindowSpec, path: Path): readonly Problem[] {
  const { type, per, zone, weekStart } = window;
  const problems: Problem[] = [];
  const wrong = (field: keyof WindowSpec, detail: string, reason: Problem['reason'] = 'FieldValueInvalid'): void => {
    problems.push({ path: [...path, field], reason, detail });
  };
  const rule = PERIOD_RULES[type];
  if (rule === undefined) {
    if (per !== undefined) wrong('per', `A ${type} window has no length; remove "${per}".`, 'FieldValueForbidden');
  } else if (per === undefined) {
    wrong('per', `A ${type} window has a length: ${rule.right}.`, 'FieldValueRequired');
  } else if (!rule.passes(per)) {
    wrong('per', `"${per}" is no length of a ${type} window, which is ${rule.right}.`);
  }
  if (zone !== undefined && type !== 'calendar') {
    wrong('zone', `Only calendar windows have a zone of their own; this one is ${type}.`, 'FieldValueForbidden');
  } else if (zone !== undefined && zoneClock(zone) === undefined) {
    wrong('zone', `"${zone}" is not a time zone of the IANA database.`);
  }
  if (weekStart !== undefined && per !== 'P1W') {
    wrong('weekStart', 'Only windows of a calendar week (P1W) have a first day.', 'FieldValueForbidden');
  }
  return problems;
}

/** Whether units can pass on from such a window into the next: periods of days or longer that start anew. */
export function canRollOver({ type, per = '' }: WindowSpec): boolean {
  return (type === 'calendar' || type === 'anchored') && !per.startsWith('PT');
}

/** Seconds of a rolling window's length that has passed the checks. */
export function rollingSeconds(per: string): number {
  const [, count = '', unit = 'S'] = ROLLING_PERIOD.exec(per) ?? [];
  return Number(count) * SECONDS[unit as keyof typeof SECONDS];
}

const PERIOD_RULES: Readonly<
  Record<WindowSpec['type'], { readonly right: string; readonly passes: (per: string) => boolean } | undefined>
> = {
  calendar: {
    right: 'PT1H, P1D, P1W, P1M or P1Y',
    passes: (per) => CALENDAR_PERIODS.some((period) => period === per),
  },
  anchored: {
    right: 'a whole number up to 999 of one unit: PT6H, P30D, P2W, P1M, P1Y',
    passes: (per) => ANCHORED_PERIOD.test(per),
  },
  rolling: {
    right: `a whole number of one unit and at most ${ROLLING_HOURS_MAX} hours: PT1H, PT90M, PT30S`,
    passes: (per) => ROLLING_PERIOD.test(per) && rollingSeconds(per) <= ROLLING_HOURS_MAX * SECONDS.H,
  },
  lifetime: undefined,
  concurrent: undefined,
};
