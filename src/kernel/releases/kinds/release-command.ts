import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { GROUP, VERSION } from './identity.ts';

const CommandSchema = Type.Object(
  {
    reason: Type.Optional(Type.String({ minLength: 1, maxLength: 1_000, description: 'Why.' })),
    planHash: Type.Optional(
      Type.String({
        maxLength: 64,
        description:
          'approve: hash of the reviewed plan, or at least its first 32 characters; refused when the plan has changed.',
      }),
    ),
    force: Type.Optional(
      Type.Boolean({
        description: 'promote: also without evidence. Needs a reason; authors of the change may not use it.',
      }),
    ),
    until: Type.Optional(Type.String({ format: 'date-time', description: 'pin: when it expires.' })),
  },
  { description: 'Parameters of the command.' },
);

export type CommandSpec = Static<typeof CommandSchema>;

export const RELEASE_COMMANDS = [
  'approve',
  'pause',
  'resume',
  'promote',
  'abort',
  'rollback',
  'pin',
  'unpin',
  'seal',
] as const;
export type CommandVerb = (typeof RELEASE_COMMANDS)[number];

/** Posted below a Release, at the path of a command; the answer is the release. */
export const ReleaseCommand = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'ReleaseCommand',
  plural: 'releasecommands',
  scope: 'Cluster',
  description: 'A command to a release: approve, pause, resume, promote, abort, rollback, pin, unpin or seal.',
  spec: Type.Optional(CommandSchema),
  verbs: ['create'],
});
