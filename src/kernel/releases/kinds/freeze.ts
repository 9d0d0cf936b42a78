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
    timeZone: Type.String({
      minLength: 1,
      maxLength: 100,
      description: 'Time zone of start and end, like Europe/Stockholm.',
    }),
    start: Type.String({ pattern: LOCAL_TIME, description: 'Local start time; with rrule, of the first window.' }),
    end: Type.Optional(Type.String({ pattern: LOCAL_TIME, description: 'Local end time; not with rrule.' })),
    rrule: Type.Optional(
      Type.String({ minLength: 1, maxLength: 500, description: 'Recurrence rule (RFC 5545), like FREQ=DAILY.' }),
    ),
    duration: Type.Optional(durationText('Length of each window; with rrule.')),
    reason: Type.String({ minLength: 1, maxLength: 500, description: 'Reason for the freeze.' }),
    owner: Type.String({ minLength: 1, maxLength: 200, description: 'Contact for questions.' }),
  },
  { description: 'A time in which releases do not reach new users. Abort and rollback are always allowed.' },
);

const FreezeStatusSchema = Type.Object(
  {
    state: Type.Enum(['Open', 'Closed', 'Over', 'Unknown'], {
      description:
        'Open: active now. Over: it has no further window. Unknown: it counts as active until it can be evaluated.',
    }),
    from: Type.Optional(Type.String({ description: 'Start of the present or next window.' })),
    until: Type.Optional(Type.String({ description: 'End of that window.' })),
    problem: Type.Optional(Type.String({ description: 'Why the state is unknown.' })),
  },
  { description: 'Present state.' },
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
  description: 'A time in which releases do not reach new users. Abort and rollback are always allowed.',
  spec: FreezeSchema,
  status: FreezeStatusSchema,
  columns: [
    {
      name: 'State',
      type: 'string',
      description: 'Whether it is active.',
      value: ({ status }) => status?.state,
    },
    { name: 'Start', type: 'string', description: 'Local start time.', value: ({ spec }) => spec.start },
    {
      name: 'Until',
      type: 'string',
      description: 'End, or recurrence and length.',
      value: ({ spec }) => spec.end ?? `${spec.rrule} for ${spec.duration}`,
    },
    { name: 'Zone', type: 'string', description: 'Time zone.', value: ({ spec }) => spec.timeZone },
    { name: 'Owner', type: 'string', description: 'Contact for questions.', value: ({ spec }) => spec.owner },
    { name: 'Reason', type: 'string', description: 'Reason for the freeze.', value: ({ spec }) => spec.reason },
  ],
  validate: (spec, { now, before, kinds }) => {
    // An accepted freeze stays valid: its rule may have become too expensive, and its status says so.
    if (isDeepStrictEqual(spec, before)) return [];
    const problems: Problem[] = spec.selector === undefined ? [] : selectorProblems(spec.selector, kinds);
    if ((spec.end === undefined) === (spec.rrule === undefined)) {
      const detail = 'A freeze needs either an end or an rrule.';
      problems.push({ path: ['spec'], reason: 'FieldValueInvalid', detail });
    }
    if ((spec.rrule === undefined) !== (spec.duration === undefined)) {
      const detail = 'rrule and duration need each other.';
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
