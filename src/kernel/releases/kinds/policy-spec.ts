import { Type, type Static, type TSchema } from 'typebox';
import { durationText } from '#kernel/kinds/schema/duration.ts';
import { GuardrailSchema } from './guardrail-spec.ts';

const POLICY_LIMITS = {
  stagesMax: 20,
  guardrailsMax: 20,
  approvalsMax: 10,
  channelsMax: 10,
  listMax: 100,
  unknownMax: 1_000,
} as const;

/** Events of releases that channels may receive. */
const POLICY_EVENTS = [
  'started',
  'approvalNeeded',
  'stage',
  'paused',
  'resumed',
  'promoted',
  'rolledBack',
  'aborted',
  'superseded',
  'failed',
] as const;

export type PolicyEvent = (typeof POLICY_EVENTS)[number];

const texts = (description: string) =>
  Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 253 }), {
      minItems: 1,
      maxItems: POLICY_LIMITS.listMax,
      description,
    }),
  );

/** A selector; all of its conditions must match. */
export const SelectorSchema = Type.Object(
  {
    kinds: texts('Kinds, like Plan or products.backline.dev/Plan; absent: all that are released.'),
    namespaces: texts('Namespaces; absent: all.'),
    matchLabels: Type.Optional(Type.Record(Type.String(), Type.String(), { description: 'Required labels.' })),
  },
  { description: 'Selects objects; all conditions must match.' },
);

const STAGE = {
  name: Type.String({ pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$', description: 'Name of the stage.' }),
  soak: durationText('Soak: minimum time without failure before the next stage.', { default: 'PT0S' }),
  deadline: Type.Optional(
    durationText('Timeout for places and evidence; then onUndecided applies. Held time does not count.'),
  ),
  promote: Type.Enum(['auto', 'manual'], {
    default: 'auto',
    description: 'manual: the next stage waits for `promote`.',
  }),
  maxUnknown: Type.Integer({
    minimum: 0,
    maximum: POLICY_LIMITS.unknownMax,
    default: 0,
    description:
      'Places that may be unknown without holding the release. An unknown place is neither healthy nor failed.',
  }),
};

const STAGE_DESCRIPTION = 'A stage: where the change is live from then on, besides the places of earlier stages.';

const FAILURES = ['rollBack', 'rollBackStage', 'halt'] as const;

export const ChannelSchema = Type.Object(
  {
    type: Type.Enum(['webhook', 'slack', 'pagerduty'], { description: 'Format of the message.' }),
    url: Type.Optional(
      Type.String({ pattern: '^https?://', maxLength: 2_000, description: 'Address; PagerDuty has a default.' }),
    ),
    secret: Type.Optional(
      Type.Object(
        {
          namespace: Type.String({ minLength: 1, description: 'Its namespace.' }),
          name: Type.String({ minLength: 1, description: 'Its name.' }),
          key: Type.String({ minLength: 1, description: 'Key in the Secret.' }),
        },
        { description: 'The Secret that signs (webhook), holds the address (slack) or the routing key (pagerduty).' },
      ),
    ),
    on: Type.Array(Type.Enum(POLICY_EVENTS, { description: 'An event.' }), {
      minItems: 1,
      default: ['approvalNeeded', 'paused', 'rolledBack', 'failed'],
      description: 'Events that are sent.',
    }),
  },
  { description: 'A receiver of notifications.' },
);

const FIELDS = {
  selector: SelectorSchema,
  priority: Type.Integer({
    default: 0,
    description:
      'Of several policies for one change, the highest priority gives the stages; the approvals of each are needed.',
  }),
  approvals: Type.Optional(
    Type.Object(
      {
        required: Type.Integer({ minimum: 1, maximum: POLICY_LIMITS.approvalsMax, description: 'Number of people.' }),
        users: texts('Users who may approve.'),
        groups: texts('Groups whose members may approve.'),
        expireAfter: durationText('Lifetime of an approval.', { default: 'P7D' }),
      },
      { description: 'Approvals that are needed before the first stage. Authors of the change cannot approve it.' },
    ),
  ),
  bake: Type.Optional(
    durationText(
      'How long guardrails judge it after the last stage, when it is live for everyone: a failure still rolls it back. From PT1M to P30D; absent: no bake.',
    ),
  ),
  guardrails: Type.Array(GuardrailSchema, {
    maxItems: POLICY_LIMITS.guardrailsMax,
    default: [],
    description: 'Limits on harm.',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
  }),
  judging: Type.Object(
    {
      alpha: Type.Number({
        exclusiveMinimum: 0,
        maximum: 0.5,
        default: 0.05,
        description: 'False-positive rate: chance that a harmless change is rolled back, over all guardrails.',
      }),
      beta: Type.Number({
        exclusiveMinimum: 0,
        maximum: 0.5,
        default: 0.05,
        description: 'False-negative rate: chance that a harmful change is promoted.',
      }),
      every: durationText('Judging interval.', { default: 'PT30S' }),
    },
    { default: {}, description: 'Error rates and interval of the judge.' },
  ),
  onFailure: Type.Enum(FAILURES, {
    default: 'rollBack',
    description:
      'Reaction to harm or a failed place: roll back the release; roll back this stage and wait for a decision; or pause.',
  }),
  onUndecided: Type.Enum(FAILURES, {
    default: 'halt',
    description: 'Reaction to the deadline of a stage without enough evidence.',
  }),
  queue: Type.Enum(['supersede', 'queue', 'reject'], {
    default: 'supersede',
    description: 'Handling of a change to an object of an open release.',
  }),
  pinFor: Type.Optional(durationText('Lifetime of the pins of a rollback; absent: until somebody unpins.')),
  notify: Type.Optional(
    Type.Array(ChannelSchema, {
      maxItems: POLICY_LIMITS.channelsMax,
      description: 'Channels that receive notifications.',
    }),
  ),
};

const POLICY_DESCRIPTION = 'How changes of selected objects are released.';
const BEFORE_DESCRIPTION =
  'For each target, the targets that follow it, where that differs from the default order. A rollback uses the reverse order.';

function stagesField(stage: TSchema): TSchema {
  return Type.Array(stage, {
    maxItems: POLICY_LIMITS.stagesMax,
    default: [],
    description:
      'The stages; after the last one it is live for everyone. Without stages it is live for everyone at once.',
  });
}

/** The schema of policies with the installed targets. */
export function policySchema(targets: readonly { readonly name: string; readonly where: TSchema }[]): TSchema {
  const names = targets.map(({ name }) => name);
  const parts = Object.fromEntries(targets.map(({ name, where }) => [name, Type.Optional(where)]));
  const before = Object.fromEntries(
    names.map((name) => [
      name,
      Type.Optional(
        Type.Array(Type.Enum(names), {
          minItems: 1,
          maxItems: names.length,
          description: `Targets that follow ${name}.`,
        }),
      ),
    ]),
  );
  return Type.Object(
    {
      ...FIELDS,
      stages: stagesField(Type.Object({ ...STAGE, ...parts }, { description: STAGE_DESCRIPTION })),
      // A single target has no order.
      ...(names.length < 2 ? {} : { before: Type.Optional(Type.Object(before, { description: BEFORE_DESCRIPTION })) }),
    },
    { description: POLICY_DESCRIPTION },
  );
}

const Fields = Type.Object(FIELDS);
const StageFields = Type.Object(STAGE, {
  'x-kubernetes-preserve-unknown-fields': true,
  description: STAGE_DESCRIPTION,
});

/** The schema of the policy that a Release stores. It accepts any target. */
export const KeptPolicySchema: TSchema = Type.Object(
  {
    ...FIELDS,
    stages: stagesField(StageFields),
    before: Type.Optional(Type.Record(Type.String(), Type.Array(Type.String()), { description: BEFORE_DESCRIPTION })),
  },
  { description: POLICY_DESCRIPTION },
);

export type Channel = Static<typeof ChannelSchema>;
export type Selector = Static<typeof SelectorSchema>;
/** A stage, with a part for each of its targets, under the name of the target. */
export interface Stage extends Readonly<Static<typeof StageFields>> {
  readonly [target: string]: unknown;
}
export interface PolicySpec extends Readonly<Static<typeof Fields>> {
  readonly stages: readonly Stage[];
  readonly before?: Readonly<Record<string, readonly string[]>>;
}
export type OnFailure = PolicySpec['onFailure'];
