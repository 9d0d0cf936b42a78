import { isDeepStrictEqual } from 'node:util';
import { Type, type Static } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { durationProblems, durationText } from '#kernel/kinds/schema/duration.ts';
import { windowProblem } from './freeze-window.ts';
import { GROUP, VERSION } from './identity.ts';
import { selectorProblems } from './impossible.ts';
import { SelectorSchema } from './policy-spec.ts';

const LOCAL_TIME = '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?$';

const FreezeSchema = Type.Object(
  {
    selector: Type.Optional(SelectorSchema),
    timeZone: Type.String({ minLength: 1, maxLength: 100, description: 'Whose clocks count, like Europe/Stockholm.' }),
    start: Type.String({ pattern: LOCAL_TIME, description: 'When it begins there; with rrule, the first time.' }),
    end: Type.Optional(Type.String({ pattern: LOCAL_TIME, description: 'When it is over; not with rrule.' })),
    rrule: Type.Optional(
      Type.String({ minLength: 1, maxLength: 500, description: 'When it comes again (RFC 5545), like FREQ=DAILY.' }),
    ),
    duration: Type.Optional(durationText('How long it lasts each time; with rrule.')),
    reason: Type.String({ minLength: 1, maxLength: 500, description: 'Why.' }),
    owner: Type.String({ minLength: 1, maxLength: 200, description: 'Who to ask.' }),
  },
  { description: 'A time in which releases reach nobody new. Abort and rollback always pass.' },
);

const FreezeStatusSchema = Type.Object(
  {
    state: Type.Enum(['Open', 'Closed', 'Over', 'Unknown'], {
      description: 'Whether it holds now; Over: it never will again; Unknown: it holds until it can be told.',
    }),
    from: Type.Optional(Type.String({ description: 'When it opened, or opens next.' })),
    until: Type.Optional(Type.String({ description: 'When it closes then.' })),
    problem: Type.Optional(Type.String({ description: 'Why it cannot be told whether it is open.' })),
  },
  { description: 'Where it stands.' },
);

export type FreezeStatus = Static<typeof FreezeStatusSchema>;

export type FreezeSpec = Static<typeof FreezeSchema>;

export const Freeze = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Freeze',
  plural: 'freezes',
  categories: ['releasing'],
  scope: 'Cluster',
  writtenBy: 'administrators',
  description: 'A time in which releases reach nobody new. It never holds up an abort or a rollback.',
  spec: FreezeSchema,
  status: FreezeStatusSchema,
  columns: [
    {
      name: 'State',
      type: 'string',
      description: 'Whether it holds now.',
      value: ({ status }) => status?.state,
    },
    { name: 'Start', type: 'string', description: 'When it begins.', value: ({ spec }) => spec.start },
    {
      name: 'Until',
      type: 'string',
      description: 'When it is over, or how it comes again.',
      value: ({ spec }) => spec.end ?? `${spec.rrule} for ${spec.duration}`,
    },
    { name: 'Zone', type: 'string', description: 'Whose clocks count.', value: ({ spec }) => spec.timeZone },
    { name: 'Owner', type: 'string', description: 'Who to ask.', value: ({ spec }) => spec.owner },
    { name: 'Reason', type: 'string', description: 'Why.', value: ({ spec }) => spec.reason },
  ],
  validate: (spec, { now, before, kinds }) => {
    // What is accepted stays: its rule may take longer to reckon with by now, and its status says so.
    if (isDeepStrictEqual(spec, before)) return [];
    const problems: Problem[] = spec.selector === undefined ? [] : selectorProblems(spec.selector, kinds);
    if ((spec.end === undefined) === (spec.rrule === undefined)) {
      const detail = 'A freeze has either an end or an rrule.';
      problems.push({ path: ['spec'], reason: 'FieldValueInvalid', detail });
    }
    if ((spec.rrule === undefined) !== (spec.duration === undefined)) {
      const detail = 'rrule says how often, duration how long: one needs the other.';
      problems.push({ path: ['spec', 'duration'], reason: 'FieldValueRequired', detail });
    }
    if (spec.duration !== undefined) {
      problems.push(...durationProblems(['spec', 'duration'], spec.duration, 'PT1M', 'P60D'));
    }
    const wrong = problems.length > 0 ? undefined : windowProblem(spec, now);
    if (wrong !== undefined) problems.push(wrong);
    return problems;
  },
  example: {
    name: 'nights',
    spec: {
      timeZone: 'Europe/Stockholm',
      start: '2026-01-01T22:00',
      rrule: 'FREQ=DAILY',
      duration: 'PT8H',
      reason: 'Nobody is awake.',
      owner: 'platform',
    },
  },
});
