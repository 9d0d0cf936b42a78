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

/** What happens to releases that people may be told. */
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

/** Which objects are meant; everything that is said must hold. */
export const SelectorSchema = Type.Object(
  {
    kinds: texts('Kinds, like Plan or products.backline.dev/Plan; absent: all that are released.'),
    namespaces: texts('Namespaces; absent: all.'),
    matchLabels: Type.Optional(
      Type.Record(Type.String(), Type.String(), { description: 'Labels that the object must have.' }),
    ),
  },
  { description: 'Which objects are meant; everything that is said must hold.' },
);

const STAGE = {
  name: Type.String({ pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$', description: 'What it is called.' }),
  soak: durationText('How long it must have gone well before the next one.', { default: 'PT0S' }),
  deadline: Type.Optional(
    durationText('How long to wait for places and for evidence; then it is undecided. Held time does not count.'),
  ),
  promote: Type.Enum(['auto', 'manual'], {
    default: 'auto',
    description: 'Whether somebody has to say that it goes on.',
  }),
  maxUnknown: Type.Integer({
    minimum: 0,
    maximum: POLICY_LIMITS.unknownMax,
    default: 0,
    description:
      'How many places may be unknown while it goes on all the same. An unknown place is neither healthy nor failed.',
  }),
};

const STAGE_DESCRIPTION = 'One step: where the change is shown from then on, besides the places of earlier steps.';

const FAILURES = ['rollBack', 'rollBackStage', 'halt'] as const;

export const ChannelSchema = Type.Object(
  {
    type: Type.Enum(['webhook', 'slack', 'pagerduty'], { description: 'The shape of what is sent.' }),
    url: Type.Optional(
      Type.String({ pattern: '^https?://', maxLength: 2_000, description: 'Where to; PagerDuty has one of its own.' }),
    ),
    secret: Type.Optional(
      Type.Object(
        {
          namespace: Type.String({ minLength: 1, description: 'Its namespace.' }),
          name: Type.String({ minLength: 1, description: 'Its name.' }),
          key: Type.String({ minLength: 1, description: 'Which of its keys.' }),
        },
        { description: 'The Secret that signs (webhook), holds the address (slack) or the routing key (pagerduty).' },
      ),
    ),
    on: Type.Array(Type.Enum(POLICY_EVENTS, { description: 'What happened.' }), {
      minItems: 1,
      default: ['approvalNeeded', 'paused', 'rolledBack', 'failed'],
      description: 'What is told.',
    }),
  },
  { description: 'Somebody who is told.' },
);

const FIELDS = {
  selector: SelectorSchema,
  priority: Type.Integer({
    default: 0,
    description:
      'Of several policies for one change, the highest says how it spreads; the approvals of each are needed.',
  }),
  approvals: Type.Optional(
    Type.Object(
      {
        required: Type.Integer({ minimum: 1, maximum: POLICY_LIMITS.approvalsMax, description: 'How many people.' }),
        users: texts('Only these.'),
        groups: texts('Only members of one of these.'),
        expireAfter: durationText('After so long an approval no longer counts.', { default: 'P7D' }),
      },
      { description: 'Who has to agree before anybody gets it. Nobody counts who wrote any of the change.' },
    ),
  ),
  bake: Type.Optional(
    durationText(
      'How long it goes on being judged after the last stage, when everybody has it: what fails then still takes it back. From PT1M to P30D; absent: not at all.',
    ),
  ),
  guardrails: Type.Array(GuardrailSchema, {
    maxItems: POLICY_LIMITS.guardrailsMax,
    default: [],
    description: 'What must not get worse.',
  }),
  judging: Type.Object(
    {
      alpha: Type.Number({
        exclusiveMinimum: 0,
        maximum: 0.5,
        default: 0.05,
        description: 'How likely a change that harms nothing may be rolled back, over all guardrails.',
      }),
      beta: Type.Number({
        exclusiveMinimum: 0,
        maximum: 0.5,
        default: 0.05,
        description: 'How likely a change that does harm may be promoted.',
      }),
      every: durationText('How often numbers are looked at.', { default: 'PT30S' }),
    },
    { default: {}, description: 'How sure the judge must be.' },
  ),
  onFailure: Type.Enum(FAILURES, {
    default: 'rollBack',
    description:
      'What harm, or a place that failed, leads to: everything is taken back; only this stage is, and waits for somebody; or it stays as it is and waits.',
  }),
  onUndecided: Type.Enum(FAILURES, {
    default: 'halt',
    description: 'What the deadline of a stage without enough evidence leads to.',
  }),
  queue: Type.Enum(['supersede', 'queue', 'reject'], {
    default: 'supersede',
    description: 'What becomes of a change to something that a release is under way with.',
  }),
  pinFor: Type.Optional(durationText('How long what was rolled back is refused; absent: until somebody unpins it.')),
  notify: Type.Optional(
    Type.Array(ChannelSchema, { maxItems: POLICY_LIMITS.channelsMax, description: 'Who is told what happens.' }),
  ),
};

const POLICY_DESCRIPTION = 'How changes of some objects spread.';
const BEFORE_DESCRIPTION =
  'Targets, each with those that it goes before, where that is not the order of the program. Going back is the other way round.';

function stagesField(stage: TSchema): TSchema {
  return Type.Array(stage, {
    maxItems: POLICY_LIMITS.stagesMax,
    default: [],
    description: 'The steps; after the last one everybody gets it. Without any, everybody does at once.',
  });
}

/** The schema of policies where these targets are installed. */
export function policySchema(targets: readonly { readonly name: string; readonly where: TSchema }[]): TSchema {
  const names = targets.map(({ name }) => name);
  const parts = Object.fromEntries(targets.map(({ name, where }) => [name, Type.Optional(where)]));
  const before = Object.fromEntries(
    names.map((name) => [
      name,
      Type.Optional(
        Type.Array(Type.Enum(names), { minItems: 1, maxItems: names.length, description: `What ${name} go before.` }),
      ),
    ]),
  );
  return Type.Object(
    {
      ...FIELDS,
      stages: stagesField(Type.Object({ ...STAGE, ...parts }, { description: STAGE_DESCRIPTION })),
      // One target goes before no other.
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

/** The same in a Release, which keeps the policy that it began with: whatever targets there were. */
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
/** A stage, with a part for each target that it is about, under the name of the target. */
export interface Stage extends Readonly<Static<typeof StageFields>> {
  readonly [target: string]: unknown;
}
export interface PolicySpec extends Readonly<Static<typeof Fields>> {
  readonly stages: readonly Stage[];
  readonly before?: Readonly<Record<string, readonly string[]>>;
}
export type OnFailure = PolicySpec['onFailure'];
