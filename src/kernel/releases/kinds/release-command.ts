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
          'approve: of the plan that was read, or its first 32 characters or more; refused when it is another.',
      }),
    ),
    force: Type.Optional(
      Type.Boolean({ description: 'promote: also without evidence. Needs a reason, and is not for the authors.' }),
    ),
    until: Type.Optional(Type.String({ format: 'date-time', description: 'pin: when it ends by itself.' })),
  },
  { description: 'What is asked of the release.' },
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

/** Posted below a Release, at the path of a command; answered with the release. */
export const ReleaseCommand = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'ReleaseCommand',
  plural: 'releasecommands',
  scope: 'Cluster',
  description: 'Asks something of a release: approve, pause, resume, promote, abort, rollback, pin, unpin or seal.',
  spec: Type.Optional(CommandSchema),
  verbs: ['create'],
});
